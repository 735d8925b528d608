package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// nowhere demands that the files of streams, and of those that were removed, have nothing of these messages of erasable.
func nowhere(f vfs.FS, seqs ...store.Seq) error {
	var errs []error
	for _, seq := range seqs {
		e := erasableEntry(int(seq)) //nolint:gosec // small
		for _, dir := range []string{"streams", "removed"} {
			for _, b := range [][]byte{e.Data[:20], e.Header[10:]} {
				if err := notIn(f, dir, b); err != nil {
					errs = append(errs, fmt.Errorf("message %d: %w", seq, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// removedHas demands that what the stream was before has the messages of truncatable, but not those of erased, and maybe not those of
// gone. It looks at some of each block, as each look opens the stream.
func removedHas(s store.Store, inc uint64, gone, erased []store.Seq) error {
	for _, seq := range []store.Seq{1, 2, 3, 20, 29, 30, 31, 33, 34, 36, 37, 38, 60} {
		got, err := s.LoadRemoved(bg, inc, seq, nil)
		want := erasableEntry(int(seq)) //nolint:gosec // small
		switch {
		case slices.Contains(gone, seq) && errors.Is(err, store.ErrNotFound):
		case err != nil || got.Subject != want.Subject || !bytes.Equal(got.Data, want.Data) || !bytes.Equal(got.Header, want.Header):
			return fmt.Errorf("message %d of the stream before: %.20q, %w", seq, got.Data, err)
		case slices.Contains(erased, seq):
			return fmt.Errorf("message %d of the stream before was erased, and is there", seq)
		}
	}
	return nil
}

// TestErasedBytesAreGoneFromTheStreamBefore looks at the files: what is erased after a truncation is in none of the stream that was
// truncated.
func TestErasedBytesAreGoneFromTheStreamBefore(t *testing.T) {
	for i, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			mem := vfs.NewMem()
			opt := v.of(trialOptions(policies[i%3]))
			s, st := truncatable(t, mem, opt)
			before := st.Incarnation()
			st, err := s.Truncate(bg, "S", truncateTo)
			must(t, err)
			e := erasableEntry(50) // as what was there under the number before, and some bytes
			e.Data = append(e.Data, "and more"...)
			_, err = st.Append(bg, e)
			must(t, err)
			for _, seq := range []store.Seq{1, 3, 33, 37, 38} {
				if v.name == "plain" && nowhere(mem, seq) == nil {
					t.Fatalf("message %d is nowhere before it is erased", seq)
				}
				_, err := st.Erase(bg, seq)
				must(t, err)
			}
			erased := []store.Seq{1, 3, 20, 33, 37}
			for range 2 {
				must(t, nowhere(mem, erased...))
				must(t, removedHas(s, before, erased, erased)) // 38 was another one there
				list, err := s.RemovedStreams(bg)
				must(t, err)
				if len(list) != 1 || list[0].Messages != 61-5 {
					t.Errorf("removed streams: %+v, want one with 56 messages", list)
				}
				must(t, s.Close())
				wantNoDamage(t, mem)
				s, err = openTrial(mem, opt)
				must(t, err)
			}
			must(t, s.Close())
		})
	}
}

// truncatedForErasing is truncatable, truncated.
func truncatedForErasing(tb testing.TB, f vfs.FS, opt blockstore.Options) (s store.Store, st store.Stream, before uint64) {
	tb.Helper()
	s, st = truncatable(tb, f, opt)
	before = st.Incarnation()
	st, err := s.Truncate(bg, "S", truncateTo)
	must(tb, err)
	return s, st, before
}

// eraseAgain opens the store, demands that all but message seq is there, erases that, and demands that nothing of it is left.
func eraseAgain(f vfs.FS, opt blockstore.Options, before uint64, seq store.Seq, plain bool) error {
	s, err := openTrial(f, opt)
	if err != nil {
		return err
	}
	gone := []store.Seq{20, seq}
	err = removedHas(s, before, gone, nil)
	st, serr := s.Stream(bg, "S")
	if err = errors.Join(err, serr); err == nil {
		_, err = st.Erase(bg, seq)
	}
	if err == nil {
		err = removedHas(s, before, gone, gone)
	}
	for at := store.Seq(1); err == nil && at <= truncateTo; at++ {
		_, lerr := st.Load(bg, at, nil)
		if slices.Contains([]store.Seq{3, 20, 30, 37, seq}, at) != errors.Is(lerr, store.ErrNotFound) {
			err = fmt.Errorf("load of %d: %w", at, lerr)
		}
	}
	if err == nil && plain {
		err = nowhere(f, seq)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	r, err := checkTrial(f, true)
	if err == nil && len(r.Damage) > 0 {
		err = fmt.Errorf("damage: %+v", r.Damage)
	}
	return err
}

// TestTrialCrashWhileErasingCopies cuts the power before every change that an erasure makes to what the stream was before: nothing else is
// lost, and the erasure can be done again. Once it is done, nothing is left of the message.
func TestTrialCrashWhileErasingCopies(t *testing.T) {
	t.Parallel()
	points := 0
	for round := range rounds(3, 120) {
		v := variantOf(round)
		for i, seq := range []store.Seq{1, 30, 36} {
			mem, rng := vfs.NewMem(), seeded(round)
			opt := v.of(trialOptions(policies[(round+i)%3]))
			s, st, before := truncatedForErasing(t, mem, opt)
			must(t, st.Sync(bg))
			look := func(op string, done bool) {
				for j, f := range []*vfs.Mem{mem.Crash(rng, 0), mem.Crash(rng, 50), mem.Crash(rng, 100), mem.Kill()} {
					points++
					err := error(nil)
					if done && v.name == "plain" {
						err = nowhere(f, seq)
					}
					if err = errors.Join(err, eraseAgain(f, opt, before, seq, v.name == "plain")); err != nil {
						t.Errorf("round %d, message %d, image %d, before %q: %v", round, seq, j, op, err)
					}
				}
			}
			mem.Hook = func(op string) {
				if !t.Failed() {
					look(op, false)
				}
			}
			_, err := st.Erase(bg, seq)
			must(t, err)
			mem.Hook = nil
			look("the next call", true)
			must(t, s.Close())
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d stops", points)
}

// TestTrialEveryCallFailsWhileErasingCopies lets each call fail in turn: nothing else is lost, and the erasure can be done again when
// the store is opened anew. One that says that it was done has left nothing.
func TestTrialEveryCallFailsWhileErasingCopies(t *testing.T) {
	t.Parallel()
	const seq = 33
	for i, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, ForGood: true}, {Err: syscall.ENOSPC}} {
		v := variantOf(i)
		for k := 1; ; k++ {
			mem := vfs.NewMem()
			f := vfs.NewFail(mem)
			opt := v.of(trialOptions(blockstore.SyncAlways))
			s, st, before := truncatedForErasing(t, f, opt)
			fault.At = k
			f.Set(fault)
			_, err := st.Erase(bg, seq)
			failed := f.Failed()
			f.Set(vfs.Fault{})
			if err == nil && v.name == "plain" {
				must(t, nowhere(mem, seq))
			}
			_ = s.Close() // the stream may have failed
			if len(failed) == 0 {
				must(t, err)
				break
			}
			if err := eraseAgain(mem, opt, before, seq, v.name == "plain"); err != nil {
				t.Fatalf("%s, call %d (%s), %v, for good %v: erase gave %v, and then %v", v.name, k, failed[0], fault.Err, fault.ForGood, err, err)
			}
		}
	}
}

// TestErasingMovesTheStreamBeforeAside erases where a truncated stream could not be moved out of its place: nothing is left there.
func TestErasingMovesTheStreamBeforeAside(t *testing.T) {
	inPlace := 0
	for k := 1; ; k++ {
		mem := vfs.NewMem()
		f := vfs.NewFail(mem)
		s, _ := truncatable(t, f, trialOptions(blockstore.SyncAlways))
		f.Set(vfs.Fault{At: k, Err: syscall.EIO})
		st, err := s.Truncate(bg, "S", truncateTo)
		failed := f.Failed()
		f.Set(vfs.Fault{})
		if dirs, lerr := mem.List("streams"); err == nil && lerr == nil && len(dirs) > 1 {
			inPlace++
			_, err := st.Erase(bg, 33)
			must(t, errors.Join(err, nowhere(mem, 33)))
		}
		if err := s.Close(); len(failed) == 0 {
			must(t, err)
			break
		}
	}
	if inPlace == 0 {
		t.Error("the stream before was moved away each time")
	}
}

// TestStreamsAreFoundWhileACopyIsErased finds a stream, and makes one, before each change that an erasure makes to what a stream was before: a
// disk that is slow there keeps nobody else waiting.
func TestStreamsAreFoundWhileACopyIsErased(t *testing.T) {
	mem := vfs.NewMem()
	s, st, _ := truncatedForErasing(t, mem, trialOptions(blockstore.SyncAlways))
	_, err := s.Create(bg, store.Config{Name: "T"})
	must(t, err)
	found := 0
	mem.Hook = func(op string) {
		if !strings.Contains(op, "removed/") || t.Failed() {
			return
		}
		done := make(chan error, 1)
		go func() {
			_, err := s.Stream(bg, "T")
			if err == nil {
				_, err = s.Create(bg, store.Config{Name: fmt.Sprintf("N%d", found)})
			}
			done <- err
		}()
		select {
		case err := <-done:
			found++
			must(t, err)
		case <-time.After(time.Minute): // the erasure holds the lock, and waits for this
			t.Errorf("before %q: nobody can find or make a stream", op)
		}
	}
	_, err = st.Erase(bg, 33)
	must(t, err)
	mem.Hook = nil
	if found == 0 {
		t.Error("nothing was changed in what the stream was before")
	}
	must(t, s.Close())
}

// TestErasingBesideADamagedRemovedStream erases where nobody can say which name a removed stream had: its messages are looked at, and keep
// nothing from being erased; nor does one that is not the same.
func TestErasingBesideADamagedRemovedStream(t *testing.T) {
	mem := vfs.NewMem()
	opt := trialOptions(blockstore.SyncAlways)
	s, _, before := truncatedForErasing(t, mem, opt)
	must(t, s.Close())
	dirs, err := mem.List("removed")
	must(t, err)
	if len(dirs) != 1 {
		t.Fatalf("removed streams: %q, want one", dirs)
	}
	must(t, mem.Damage("removed/"+dirs[0]+"/config", bytes.Repeat([]byte{0xff}, 40), 0))
	s, err = openTrial(mem, opt)
	must(t, err)
	st, err := s.Stream(bg, "S")
	must(t, err)
	for _, seq := range []store.Seq{33, 38} {
		_, err = st.Erase(bg, seq)
		if err != nil && !errors.Is(err, store.ErrBeyond) {
			t.Errorf("erase of message %d: %v", seq, err)
		}
	}
	must(t, nowhere(mem, 33))
	_, err = s.LoadRemoved(bg, before, 36, nil)
	must(t, err)
	must(t, s.Close())
}
