package reserve

import (
	"log/slog"
	"syscall"
	"testing"

	"jsfs/store/internal/vfs"
)

const (
	disk = 32 << 20 // the reserve is a 32nd of it
	part = largePart
	full = 16 * part
)

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// opened is a reserve on a disk with nothing else on it.
func opened(t *testing.T) (*Reserve, *vfs.Mem) {
	t.Helper()
	mem := vfs.NewMem()
	mem.SetLimit(disk)
	r := New(mem, silent())
	r.Open(1 << 20)
	wantSize(t, r, full, "when it was opened")
	return r, mem
}

func wantSize(t *testing.T, r *Reserve, want int64, when string) {
	t.Helper()
	if got := r.Used(); got != want {
		t.Errorf("%s it has %d bytes, want %d", when, got, want)
	}
}

func TestAReserveIsGivenPieceByPieceAndFilledAgain(t *testing.T) {
	if r := New(vfs.NewMem(), silent()); r.Used() != 0 || r.Give() || !r.Settle() {
		t.Error("a reserve that was not opened has something to give, or is owed something")
	}
	r, mem := opened(t)
	for have := int64(full); have > 0; have -= part {
		wantSize(t, r, have, "after it was given")
		if !r.Give() {
			t.Errorf("nothing is given with %d bytes left", have)
		}
	}
	if r.Give() {
		t.Error("more was given than there was")
	}
	if got := r.Owed(); got != full {
		t.Errorf("it is owed %d bytes", got)
	}
	if !r.Settle() || r.Owed() != 0 {
		t.Error("it is not filled again on an empty disk")
	}
	wantSize(t, r, full, "filled again")
	fill(t, mem, disk-full-part)
	again := New(mem, silent())
	again.Open(1 << 20)
	wantSize(t, again, full, "opened again on a full disk")
}

// fill puts a file of n bytes into mem.
func fill(t *testing.T, mem *vfs.Mem, n int) {
	t.Helper()
	f, err := mem.Create("data")
	if err == nil {
		_, err = f.WriteAt(make([]byte, n), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAReserveTakesNoSpaceThatIsScarce(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetLimit(disk)
	fill(t, mem, disk-2*full)
	r := New(mem, silent())
	r.Open(1 << 20)
	wantSize(t, r, 0, "where it would take half of what is free")
	if r.Refill(); r.Used() != 0 || r.Owed() != 0 || !r.Settle() {
		t.Errorf("it took %d bytes, and is owed %d", r.Used(), r.Owed())
	}
}

// TestNobodyTakesWhatAReserveIsOwed gives some of it away on a full disk: what gets free is the reserve's first, also after the
// store was opened again.
func TestNobodyTakesWhatAReserveIsOwed(t *testing.T) {
	r, mem := opened(t)
	fill(t, mem, disk-full-2*part-4096)
	u, err := mem.Usage()
	if err != nil {
		t.Fatal(err)
	}
	more, err := mem.Create("more")
	if err == nil {
		_, err = more.WriteAt(make([]byte, u.Free), 0)
	}
	if err != nil || !r.Give() || !r.Give() {
		t.Fatal(err)
	}
	if _, err := more.WriteAt(make([]byte, part), int64(u.Free)); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Reserve{r, New(mem, silent())} {
		if r.full == 0 {
			r.Open(1 << 20)
		}
		if r.Settle() {
			t.Error("it is whole on a full disk")
		}
		wantSize(t, r, full-part, "with room for one part")
		if got := r.Owed(); got != part {
			t.Errorf("it is owed %d bytes, want %d", got, part)
		}
	}
	if err := more.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if r.Settle(); r.Used() != full || r.Owed() != 0 {
		t.Errorf("with room it has %d bytes, and is owed %d", r.Used(), r.Owed())
	}
}

// TestALoanLeavesSomethingForRemovals lends the reserve: a part stays, and nobody fills it meanwhile.
func TestALoanLeavesSomethingForRemovals(t *testing.T) {
	r, _ := opened(t)
	if got := r.Lendable(); got != full-part {
		t.Errorf("%d bytes can be lent, want %d", got, full-part)
	}
	r.Borrow()
	if !r.Lend(part+1) || r.Used() != full-2*part {
		t.Errorf("after a loan of a part and a byte it has %d bytes", r.Used())
	}
	if !r.Lend(100*part) || r.Used() != part || r.Lend(1) || r.Lendable() != 0 {
		t.Errorf("after the largest loan it has %d bytes", r.Used())
	}
	if r.Refill(); r.Settle() || r.Used() != part {
		t.Errorf("it was filled to %d bytes while it is lent", r.Used())
	}
	if !r.Give() || r.Used() != 0 {
		t.Error("nothing was left for removals")
	}
	r.Return()
	wantSize(t, r, full, "when the loan is returned")
}

// TestAReserveIsShortBeforeItCanLendTooLittle gives it away, and demands that it says so in time, once for each size.
func TestAReserveIsShortBeforeItCanLendTooLittle(t *testing.T) {
	r, _ := opened(t)
	r.loan = full / 2
	for r.Give() {
		short := r.Short()
		if want := r.Lendable() < r.loan+part; short != want || r.Short() {
			t.Errorf("with %d bytes, of which %d can be lent, it is short: %v, want %v, and only once", r.Used(), r.Lendable(), short, want)
		}
	}
	if r.Settle(); r.Short() {
		t.Error("it is short when it is whole")
	}
}

// TestADiskThatRefusesAReserveKeepsNobodyFromWriting lets filling it fail.
func TestADiskThatRefusesAReserveKeepsNobodyFromWriting(t *testing.T) {
	for _, err := range []error{syscall.EIO, syscall.EMFILE, syscall.ENOSPC} {
		mem := vfs.NewMem()
		mem.SetLimit(disk)
		failing := vfs.NewFail(mem)
		r := New(failing, silent())
		if r.Open(1 << 20); !r.Give() {
			t.Fatal("nothing is given")
		}
		failing.Set(vfs.Fault{At: 1, Err: err, ForGood: true, Match: func(call, _ string) bool { return call == "write" || call == "open" }})
		if got, want := r.Settle(), err != syscall.ENOSPC; got != want {
			t.Errorf("filling it gives %v: others may write: %v", err, got)
		}
	}
}

// A reserve that could not be given because no file could be opened is there for who asks next.
func TestAReserveIsGivenOnceItCanBeOpened(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetLimit(disk)
	fail := vfs.NewFail(mem)
	r := New(fail, silent())
	r.Open(1 << 20)
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE} {
		fail.Set(vfs.Fault{At: 1, Err: err, Match: func(call, _ string) bool { return call == "open" }})
		if r.Give() {
			t.Errorf("%v: some was given", err)
		}
		wantSize(t, r, full, "when it could not be opened")
	}
	if !r.Give() {
		t.Error("nothing is given once it can be opened")
	}
	wantSize(t, r, full-part, "after it was given")
}
