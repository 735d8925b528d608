package blockstore_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// reclaim gives the space of removed messages back.
func (w *workload) reclaim() {
	if w.erases > 0 && w.rng.IntN(4) == 0 {
		w.begin("drop")
		w.drop()
		w.begin("create")
		w.create("S1")
		w.begin("reclaim")
	}
	w.failed(w.s.Reclaim(bg))
	for range w.erases {
		w.begin("erase")
		w.erase()
	}
}

// keepFor has the store keep what was removed for a day, not at all, or for a few operations, each of which takes a second.
func (w *workload) keepFor(variant int) {
	switch variant {
	case 1:
		w.opt.KeepDeleted = -1
	case 2:
		w.opt.KeepDeleted = 10 * time.Second
		w.opt.Now = func() int64 { return 1.7e18 + w.ticks.Load()*1e9 }
	}
}

// reclaimStep is a step of a workload that is about removing and giving space back. It says whether it made one.
func (w *workload) reclaimStep() bool {
	switch p := w.rng.IntN(100); {
	case p < 15:
		w.begin("reclaim")
		w.reclaim()
	case p < 40:
		w.begin("append")
		w.append(2 + w.rng.IntN(8))
	case p < 60:
		w.begin("remove")
		w.change(false)
	case p < 68:
		w.begin("purge")
		w.purge()
	case p < 76:
		w.begin("undelete")
		w.change(true)
	default:
		return false
	}
	return true
}

// newReclaiming is newWorkload for one that gives space back.
func newReclaiming(fs vfs.FS, policy blockstore.Sync, seed int) *workload {
	w := newWorkload(fs, policy, seed)
	w.reclaims = true
	return w
}

// TestTrialCrashWhileSpaceIsGivenBack cuts the power, and kills the process, before every change of the file system that
// a workload makes that removes much and gives the space back: nothing that was removed comes back, and nothing
// that is live, or was brought back, is lost. (Tombstones lost in compaction. Inline compaction that ignored sync always.)
func TestTrialCrashWhileSpaceIsGivenBack(t *testing.T) {
	t.Parallel()
	points := 0
	for seed := 9000; points < rounds(8000, 500_000); seed++ {
		mem := vfs.NewMem()
		n, err := newReclaiming(mem, policies[seed%3], seed).crashEverywhere(mem, seeded(-seed), 60)
		if err != nil {
			t.Fatalf("seed %d, %v: %v", seed, policies[seed%3], err)
		}
		points += n
	}
	t.Logf("%d stops", points)
}

// TestTrialEveryCallFailsWhileSpaceIsGivenBack lets each call of the file system fail in turn while space is given back.
func TestTrialEveryCallFailsWhileSpaceIsGivenBack(t *testing.T) {
	t.Parallel()
	const ops = 30
	faults := []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, ForGood: true}, {Err: syscall.EIO, Short: true}, {Err: syscall.ENOSPC}}
	for i, fault := range faults {
		for seed := 9500; seed < 9500+rounds(1, 10); seed++ {
			f := vfs.NewFail(vfs.NewMem())
			newReclaiming(f, blockstore.SyncAlways, seed).run(ops)
			for k := 1; k <= f.Calls(); k += stride(1) {
				fault.At = k
				mem := vfs.NewMem()
				failing := vfs.NewFail(mem)
				failing.Set(fault)
				w := newReclaiming(failing, policies[(seed+i)%3], seed)
				if err := w.failOnce(mem, failing, fault, ops); err != nil {
					t.Errorf("seed %d, call %d, %v, for good %v, short %v: %v", seed, k, fault.Err, fault.ForGood, fault.Short, err)
				}
			}
		}
	}
}

// TestTrialReclaimedStoresAreTheSame gives the space back of a store of every kind, and demands that it looks as it did
// before, also when it is opened again, and that a check finds nothing.
func TestTrialReclaimedStoresAreTheSame(t *testing.T) {
	t.Parallel()
	for seed := 9700; seed < 9700+rounds(60, 3000); seed++ {
		if err := reclaimedIsSame(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func reclaimedIsSame(seed int) error {
	mem := vfs.NewMem()
	w := newReclaiming(mem, blockstore.SyncNever, seed)
	w.run(80)
	for _, err := range w.errs {
		return err
	}
	if !w.open() {
		return w.errs[0]
	}
	before := bytesIn(mem)
	for round := range 3 {
		if err := w.s.Reclaim(bg); err != nil {
			return err
		}
		if _, err := w.j.image(w.s, afterKill); err != nil {
			return fmt.Errorf("after giving space back %d times: %w", round+1, err)
		}
		if err := w.s.Close(); err != nil {
			return err
		}
		r, err := blockstore.CheckFS(bg, mem, w.opt.Secret)
		if err != nil || len(r.Damage) > 0 {
			return fmt.Errorf("check: %+v, %w", r.Damage, err)
		}
		if !w.open() {
			return w.errs[0]
		}
		if _, err := w.j.image(w.s, afterKill); err != nil {
			return fmt.Errorf("reopened after giving space back %d times: %w", round+1, err)
		}
	}
	if after := bytesIn(mem); after > before+100_000 {
		return fmt.Errorf("the store has %d bytes, had %d", after, before)
	}
	return w.s.Close()
}

// bytesIn is how many bytes the files below a store's streams have.
func bytesIn(f vfs.FS) (sum int64) {
	dirs, _ := f.List("streams")
	for _, dir := range dirs {
		names, _ := f.List("streams/" + dir)
		for _, name := range names {
			if file, err := f.Open("streams/" + dir + "/" + name); err == nil {
				size, _ := file.Size()
				sum += size
				_ = file.Close()
			}
		}
	}
	return sum
}
