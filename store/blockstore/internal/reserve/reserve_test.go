package reserve

import (
	"log/slog"
	"testing"

	"jsfs/store/internal/vfs"
)

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestAReserveIsGivenPieceByPieceAndFilledAgain(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetLimit(8 << 20) // a 64th of which is two parts
	r := New(mem, silent())
	if r.Used() != 0 || r.Give() {
		t.Error("a reserve that was not opened has something to give")
	}
	r.Open()
	for have := int64(2 * part); have > 0; have -= part {
		if got := r.Used(); got != have {
			t.Errorf("it has %d bytes, want %d", got, have)
		}
		if !r.Give() {
			t.Errorf("nothing is given with %d bytes left", have)
		}
	}
	if r.Give() {
		t.Error("more was given than there was")
	}
	r.Refill()
	if got := r.Used(); got != 2*part {
		t.Errorf("filled again it has %d bytes", got)
	}
	fill(t, mem, 8<<20-6*part)
	again := New(mem, silent())
	again.Open()
	if got := again.Used(); got != 2*part {
		t.Errorf("opened again on a full disk it has %d bytes", got)
	}
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
	mem.SetLimit(8 << 20)
	fill(t, mem, 8<<20-4*part)
	r := New(mem, silent())
	r.Open()
	if got := r.Used(); got != 0 {
		t.Errorf("with %d bytes free the reserve took %d", 4*part, got)
	}
}
