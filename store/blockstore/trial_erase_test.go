package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// erase erases a message, live or removed.
func (w *workload) erase() {
	st, js := w.pick()
	if st == nil || len(js.msgs) == 0 {
		return
	}
	seqs := slices.Sorted(maps.Keys(js.msgs))
	seq := seqs[w.rng.IntN(len(seqs))]
	m := js.msgs[seq]
	if m.live.unknown || m.erasing {
		return
	}
	var before fact
	w.j.do(func() {
		before = m.live
		m.touched++
		m.erasing = true
		m.live.begin(false)
	})
	was, err := st.Erase(bg, seq)
	w.j.do(func() {
		switch {
		case err == nil:
			m.live.end(false)
			if m.erased = true; was {
				js.barrier() // what was stored before is on disk before the removal is; of what is gone already nothing is to be done
			}
		case refused(err):
			m.live, m.erasing = before, false
		default:
			m.live.unknown = true
		}
		w.failed(err)
	})
}

// erasedBytes demands that nothing is left of what was erased, and that nobody takes it for damage.
func (j *journal) erasedBytes(f vfs.FS, s store.Store) error {
	for name, js := range j.streams {
		for seq, m := range js.msgs {
			if !m.erasing {
				continue
			}
			if st, err := s.Stream(bg, name); err == nil {
				if err := notDamaged(st, seq); err != nil {
					return fmt.Errorf("stream %s: %w", name, err)
				}
			}
			if m.erased && len(m.e.Data) > 20 {
				if err := notIn(f, "streams", m.e.Data); err != nil {
					return fmt.Errorf("message %d of stream %s was erased: %w", seq, name, err)
				}
			}
		}
	}
	return nil
}

// notDamaged demands that message seq is not reported as damaged, unless it went with a torn tail.
func notDamaged(st store.Stream, seq store.Seq) error {
	list, err := st.Damage(bg)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.First == seq && d.Last == seq && !strings.Contains(d.Cause, "torn tail") {
			return fmt.Errorf("message %d, which is erased, is taken for damage: %+v", seq, d)
		}
	}
	return nil
}

// notIn demands that no file below dir has b in it.
func notIn(f vfs.FS, dir string, b []byte) error {
	names, err := f.List(dir)
	if err != nil {
		return nil //nolint:nilerr // it is no directory, or gone
	}
	for _, name := range names {
		name = dir + "/" + name
		if err := notIn(f, name, b); err != nil {
			return err
		}
		if !strings.HasSuffix(name, ".blk") {
			continue
		}
		file, err := f.Open(name)
		if err != nil {
			continue
		}
		size, err := file.Size()
		content := make([]byte, size)
		if err == nil {
			_, _ = file.ReadAt(content, 0)
		}
		_ = file.Close()
		if i := bytes.Index(content, b); i >= 0 {
			return fmt.Errorf("its bytes are still in %s, at %d", name, i)
		}
	}
	return nil
}

// TestTrialCrashWhileErasing cuts the power before every change that an erasure makes, and behind it: the message is there whole
// or gone, its neighbours are there, nothing is damaged, and opening the store ends what was begun.
func TestTrialCrashWhileErasing(t *testing.T) {
	t.Parallel()
	points := 0
	for round := range rounds(12, 600) {
		for i, seq := range []store.Seq{1, 30, 33, 58, 59} {
			e := &eraseTrial{seq: seq, plain: variantOf(round).name == "plain"}
			mem, rng := vfs.NewMem(), seeded(round)
			s, st := erasable(t, mem, variantOf(round).of(trialOptions(policies[(round+i)%3])))
			if (round+i)%2 == 0 {
				_, err := st.Remove(bg, seq)
				must(t, err)
			}
			look := func(op string) {
				for _, keep := range []int{0, 50, 50, 100} {
					points++
					if err := e.verify(mem.Crash(rng, keep), afterCrash); err != nil {
						t.Errorf("round %d, message %d, power lost before %q, keeping %d %%: %v", round, seq, op, keep, err)
					}
				}
				points++
				if err := e.verify(mem.Kill(), afterKill); err != nil {
					t.Errorf("round %d, message %d, killed before %q: %v", round, seq, op, err)
				}
			}
			mem.Hook = func(op string) {
				e.synced = e.synced || strings.HasPrefix(op, "write")
				look(op)
				e.written = e.written || strings.HasPrefix(op, "write")
			}
			_, err := st.Erase(bg, seq)
			must(t, err)
			mem.Hook = nil
			e.done = true
			look("the next call")
			must(t, s.Close())
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d stops", points)
}

// eraseTrial is what must be there while message seq of erasable is erased.
type eraseTrial struct {
	seq     store.Seq
	plain   bool // what is in the files can be read
	synced  bool // everything that was stored before
	written bool // the control that says so
	done    bool
}

func (e *eraseTrial) verify(mem *vfs.Mem, v view) error {
	if e.done && e.plain {
		if err := notIn(mem, "streams", erasableEntry(int(e.seq)).Data); err != nil { //nolint:gosec // small
			return fmt.Errorf("before anybody has opened it: %w", err)
		}
	}
	whole := e.synced || v == afterKill
	for _, f := range []*vfs.Mem{mem, mem.Kill()} { // the second is looked at first by who may change it
		if whole && f == mem {
			if r, err := checkTrial(f, true); err != nil || damaged(r.Damage) {
				return fmt.Errorf("check: %w, %+v", err, r.Damage)
			}
		}
		s, err := openTrial(f, trialOptions(blockstore.SyncNever))
		if err != nil {
			return err
		}
		st, err := s.Stream(bg, "S")
		if err == nil {
			err = e.wholeOrGone(f, st, v)
		}
		if err = errors.Join(err, s.Close()); err != nil {
			return err
		}
		if r, err := checkTrial(f, true); whole && (err != nil || damaged(r.Damage)) {
			return fmt.Errorf("check after opening: %w, %+v", err, r.Damage)
		}
	}
	return nil
}

func (e *eraseTrial) wholeOrGone(mem *vfs.Mem, st store.Stream, v view) error {
	for at := store.Seq(1); at <= erasableLen; at++ {
		want := erasableEntry(int(at)) //nolint:gosec // small
		got, err := st.Load(bg, at, nil)
		switch {
		case at == e.seq && errors.Is(err, store.ErrNotFound):
			if err := e.gone(mem, st, v); err != nil {
				return err
			}
		case err != nil && !e.synced && v == afterCrash:
			return nil // the others went with a torn tail
		case err != nil || got.Subject != want.Subject || !bytes.Equal(got.Data, want.Data) || !bytes.Equal(got.Header, want.Header):
			return fmt.Errorf("message %d: %.20q, %w", at, got.Data, err)
		case at == e.seq && (e.done || e.written && v == afterKill):
			return fmt.Errorf("message %d was erased, and is live", at)
		}
	}
	damage, err := st.Damage(bg)
	if err == nil && damaged(damage) {
		err = fmt.Errorf("damage: %+v", damage)
	}
	return err
}

// damaged says whether anything is damaged but a control that went with a torn tail, which may have been a message.
func damaged(list []store.Damage) bool {
	return slices.ContainsFunc(list, func(d store.Damage) bool { return d.First != erasableLen+1 || !strings.Contains(d.Cause, "torn tail") })
}

// gone looks at the message when it is not live: it was removed before, or is erased.
func (e *eraseTrial) gone(mem *vfs.Mem, st store.Stream, v view) error {
	err := st.Undelete(bg, e.seq)
	if err == nil && (e.done || e.written && v == afterKill) {
		return fmt.Errorf("message %d was erased, and came back", e.seq)
	}
	if err == nil {
		return nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("undelete of what was erased: %w", err)
	}
	return errors.Join(notDamaged(st, e.seq), notIn(mem, "streams", erasableEntry(int(e.seq)).Data)) //nolint:gosec // small
}
