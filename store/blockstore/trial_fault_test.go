package blockstore_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestTrialEveryCallFails lets each call of the file system fail in turn, once and for
// good, with the errors that disks give (P11). Every error must reach a caller, and nothing that was
// acknowledged may be lost, neither when the process is killed nor when the power goes.
func TestTrialEveryCallFails(t *testing.T) {
	t.Parallel()
	faults := []vfs.Fault{
		{Err: syscall.EIO},
		{Err: syscall.EIO, ForGood: true},
		{Err: syscall.EIO, Short: true},
		{Err: syscall.EINTR},
		{Err: syscall.ENOSPC},
		{Err: syscall.EROFS, ForGood: true},
	}
	ops := rounds(40, 200)
	for i, fault := range faults {
		t.Run(fmt.Sprintf("%v, for good %v, short %v", fault.Err, fault.ForGood, fault.Short), func(t *testing.T) {
			t.Parallel() // a release takes most of an hour of one core
			for seed := *firstSeed; seed < *firstSeed+rounds(2, 20); seed++ {
				total := callsOf(seed, ops)
				for k := 1; k <= total; k++ {
					fault.At = k
					if err := failOnce(fault, policies[(seed+i)%3], seed, ops); err != nil {
						t.Errorf("seed %d, call %d of %d: %v", seed, k, total, err)
					}
				}
			}
		})
	}
}

func callsOf(seed, ops int) int {
	f := vfs.NewFail(vfs.NewMem())
	newWorkload(f, blockstore.SyncAlways, seed).run(ops)
	return f.Calls()
}

// quiet says whether a failure need not reach anybody, if the content is right
// afterwards: a read that is repeated with success, or that the engine can do without; the file of a draft that became a
// message, or of a removed stream that is taken or measured; the reserve, which is a courtesy; and a disk that was full for a
// moment, where the reserve helps out.
func quiet(fault vfs.Fault, failed []string) bool {
	call, name, _ := strings.Cut(failed[0], " ")
	switch call {
	case "read", "size", "open", "list", "modtime":
		return len(failed) == 1 || strings.HasPrefix(name, "removed/")
	case "usage", "bootid":
		return true
	}
	if call == "remove" && (strings.Contains(name, "/drafts/") || strings.HasPrefix(name, "removed/taken-")) {
		return true // it is hidden, and removed again later
	}
	return name == "reserve" || fault.Err == syscall.ENOSPC
}

// failOnce runs a workload with a fault, and looks at what it leaves.
func failOnce(fault vfs.Fault, policy blockstore.Sync, seed, ops int) error {
	mem := vfs.NewMem()
	f := vfs.NewFail(mem)
	f.Set(fault)
	return newWorkload(f, policy, seed).failOnce(mem, f, fault, ops)
}

// failOnce runs the workload, which has f, a view of mem with a fault.
func (w *workload) failOnce(mem *vfs.Mem, f *vfs.Fail, fault vfs.Fault, ops int) error {
	w.run(ops)
	failed := f.Failed()
	if w.s != nil {
		_ = w.s.Close()
	}
	if len(failed) == 0 {
		return nil
	}
	reached := false
	for _, err := range w.errs {
		reached = reached || errors.Is(err, fault.Err) || fault.Err == syscall.ENOSPC && errors.Is(err, store.ErrNoSpace)
	}
	if !reached && !quiet(fault, failed) {
		return fmt.Errorf("%s failed, and nobody was told; errors were %v", failed[0], w.errs)
	}
	if fault.Err == syscall.ENOSPC {
		w.j.removed = nil // on a full disk what is kept makes room first
	}
	for _, s := range []struct {
		v view
		f vfs.FS
	}{{afterKill, mem.Kill()}, {afterCrash, mem.Crash(seeded(1), 0)}} {
		if err := w.j.verifyTwice(s.f, s.v); err != nil {
			return fmt.Errorf("%s failed; view %d: %w", failed[0], s.v, err)
		}
	}
	return nil
}

// TestTrialAFailedSyncIsNotRepeated demands that a stream serves reads only after a sync
// failed, without another sync of the same file, until it is reopened.
func TestTrialAFailedSyncIsNotRepeated(t *testing.T) {
	t.Parallel()
	f := vfs.NewFail(vfs.NewMem())
	s, err := openTrial(f, trialOptions(blockstore.SyncAlways))
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	_, err = st.Append(bg, store.Entry{Subject: "x", Data: []byte("good")})
	must(t, err)
	f.Set(vfs.Fault{At: 1, Match: func(call, name string) bool { return call == "sync" && strings.HasSuffix(name, ".blk") }})
	_, err = st.Append(bg, store.Entry{Subject: "x", Data: []byte("bad")})
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("an append whose sync fails gives %v, want %v", err, syscall.EIO)
	}
	blocks := func() (n int) {
		for _, sync := range f.Syncs() {
			if strings.HasSuffix(sync, ".blk") {
				n++
			}
		}
		return n
	}
	before := blocks()
	for range 3 {
		_, err = st.Append(bg, store.Entry{Subject: "x", Data: []byte("later")})
		if !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("an append after a failed sync gives %v, want %v", err, store.ErrReadOnly)
		}
		if err := st.Sync(bg); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("a sync after a failed sync gives %v, want %v", err, store.ErrReadOnly)
		}
		if _, err := st.Remove(bg, 1); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("a removal after a failed sync gives %v, want %v", err, store.ErrReadOnly)
		}
	}
	if m, err := st.Load(bg, 1, nil); err != nil || string(m.Data) != "good" {
		t.Errorf("a read after a failed sync gives %q, %v", m.Data, err)
	}
	other, err := s.Create(bg, store.Config{Name: "OTHER"})
	must(t, err)
	_, err = other.Append(bg, store.Entry{Subject: "x"})
	must(t, err)
	_ = s.Close()
	if again := blocks(); again > before+3 { // the other stream's header, message and close
		t.Errorf("blocks were synced %d times after a sync failed", again-before)
	}
	s, err = openTrial(f, trialOptions(blockstore.SyncAlways))
	must(t, err)
	st, err = s.Stream(bg, "S")
	must(t, err)
	_, err = st.Append(bg, store.Entry{Subject: "x", Data: []byte("reopened")})
	must(t, err)
	must(t, s.Close())
}

// TestTrialLyingSyncs demands that a disk whose syncs do nothing costs the end of
// a stream, and nothing else.
func TestTrialLyingSyncs(t *testing.T) {
	t.Parallel()
	for seed := range rounds(30, 1000) {
		mem := vfs.NewMem()
		f := vfs.NewFail(mem)
		w := newWorkload(f, blockstore.SyncNever, seed)
		w.j.always = false
		w.run(5)
		f.SetLying(true)
		for _, js := range w.j.streams {
			js.barrier()
		}
		w.run(20)
		for _, keep := range []int{0, 50, 100} {
			s, err := openTrial(mem.Crash(seeded(seed), keep), trialOptions(blockstore.SyncAlways))
			if err != nil {
				t.Errorf("seed %d, keeping %d %%: open: %v", seed, keep, err)
				continue
			}
			_, err = w.j.image(s, afterCrash)
			if err != nil && strings.Contains(err.Error(), "never stored") {
				t.Errorf("seed %d, keeping %d %%: %v", seed, keep, err)
			}
			must(t, s.Close())
		}
	}
}
