package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// crowded fills a disk behind f with a store, and removes any half of its messages, durably.
func crowded(t *testing.T, mem *vfs.Mem, f vfs.FS, seed int) *fullDisk {
	t.Helper()
	d := &fullDisk{T: t, mem: mem, rng: seeded(seed), size: 3000 + 900*(seed%3), opt: variantOf(seed).of(trialOptions(policies[seed%3]))}
	mem.SetLimit(2 << 20)
	s, err := openTrial(f, d.opt)
	must(t, err)
	d.s = s
	d.st, err = s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	d.fill()
	d.remove(removals[2].choose)
	must(t, d.st.Sync(bg))
	return d
}

// intact demands that a store that is a copy of the disk has what is live there, but for messages above last, which it may have as well,
// and nothing damaged, and that a message can be removed from it.
func (d *fullDisk) intact(mem *vfs.Mem, last store.Seq) error {
	s, err := openTrial(mem, d.opt)
	if err != nil {
		return err
	}
	st, err := s.Stream(bg, "S")
	if err != nil {
		return errors.Join(err, s.Close())
	}
	live := d.live
	for m, err := range st.Scan(bg, store.Query{}) {
		if err != nil {
			return errors.Join(err, s.Close())
		}
		for len(live) > 0 && live[0] > last && live[0] < m.Seq {
			live = live[1:]
		}
		if m.Seq <= last && (len(live) == 0 || live[0] != m.Seq) {
			return errors.Join(fmt.Errorf("message %d is live, want %v", m.Seq, live[:min(1, len(live))]), s.Close())
		}
		if msg, err := st.Load(bg, m.Seq, nil); err != nil || !bytes.Equal(msg.Data, d.data(m.Seq)) {
			return errors.Join(fmt.Errorf("message %d: %w", m.Seq, err), s.Close())
		}
		if len(live) > 0 && live[0] == m.Seq {
			live = live[1:]
		}
	}
	if len(live) > 0 && live[0] <= last {
		return errors.Join(fmt.Errorf("message %d is lost", live[0]), s.Close())
	}
	if list, err := st.Damage(bg); err != nil || damagedBelow(list, last) {
		return errors.Join(fmt.Errorf("damage: %+v, %w", list, err), s.Close())
	}
	if was, err := st.Remove(bg, d.live[0]); err != nil || !was {
		return errors.Join(fmt.Errorf("message %d can't be removed: %v, %w", d.live[0], was, err), s.Close())
	}
	return s.Close()
}

// damagedBelow says whether anything is damaged of what was on disk when message last was the last.
func damagedBelow(list []store.Damage, last store.Seq) bool {
	for _, e := range list {
		if e.First <= last {
			return true
		}
	}
	return false
}

// TestTrialCrashWhileAFullDiskMakesRoom cuts the power, and kills the process, before changes that a full disk makes to get room for what is
// appended: what was live stays, what was removed stays away, and rm goes on.
func TestTrialCrashWhileAFullDiskMakesRoom(t *testing.T) {
	t.Parallel()
	points := 0
	for seed := range rounds(4, 90) {
		mem, rng := vfs.NewMem(), seeded(-seed)
		d := crowded(t, mem, mem, seed)
		state, err := d.st.State(bg)
		must(t, err)
		changes := 0
		mem.Hook = func(op string) {
			if changes++; t.Failed() || changes%stride(7) != 0 || changes > 500 {
				return
			}
			for _, keep := range []int{0, 50, 100} {
				points++
				if err := d.intact(mem.Crash(rng, keep), state.Last); err != nil {
					t.Errorf("seed %d, change %d, power lost before %q, keeping %d %%: %v", seed, changes, op, keep, err)
				}
			}
			points++
			if err := d.intact(mem.Kill(), state.Last); err != nil {
				t.Errorf("seed %d, change %d, killed before %q: %v", seed, changes, op, err)
			}
		}
		n := d.fill()
		mem.Hook = nil
		if n < 10 {
			t.Errorf("seed %d: only %d messages could be appended", seed, n)
		}
		d.verify()
		must(t, d.s.Close())
		if t.Failed() {
			return
		}
	}
	t.Logf("%d stops", points)
}

// TestTrialEveryCallFailsWhileAFullDiskMakesRoom lets each call fail in turn that a full disk makes to get room: nothing is lost, and when the
// store is opened again as much can be appended as if nothing had failed.
func TestTrialEveryCallFailsWhileAFullDiskMakesRoom(t *testing.T) {
	t.Parallel()
	points := 0
	for seed := range rounds(3, 30) {
		for _, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.ENOSPC}, {Err: syscall.ENOSPC, Short: true}} {
			for at, calls := 1, 1; at <= calls; at += stride(13) {
				mem := vfs.NewMem()
				f := vfs.NewFail(mem)
				d := crowded(t, mem, f, seed)
				fault.At = f.Calls() + at
				f.Set(fault)
				state, err := d.st.State(bg)
				must(t, err)
				before := f.Calls()
				_, err = d.st.Append(bg, store.Entry{Subject: "x", Data: d.data(state.Last + 1)})
				calls = f.Calls() - before
				f.Set(vfs.Fault{})
				points++
				_ = d.s.Close()
				if ierr := d.intact(mem.Kill(), state.Last); ierr != nil {
					t.Fatalf("seed %d, call %d (%v) fails with %v, append gave %v: %v", seed, at, f.Failed(), fault.Err, err, ierr)
				}
				d.again(state.Last, err == nil)
			}
		}
	}
	t.Logf("%d calls failed", points)
}

// again opens the store once more, which may have one message above last, and must if stored says so, and demands that it takes
// some more.
func (d *fullDisk) again(last store.Seq, stored bool) {
	d.Helper()
	d.open()
	if _, err := d.st.Load(bg, last+1, nil); err == nil {
		d.live = append(d.live, last+1)
	} else if stored {
		d.Fatalf("message %d was acknowledged: %v", last+1, err)
	}
	if n := d.fill(); n < 10 {
		d.Fatalf("only %d messages could be appended", n)
	}
	d.verify()
	must(d.T, d.s.Close())
}
