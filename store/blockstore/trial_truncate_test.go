package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// truncateTo is where the trials of this file truncate.
const truncateTo = 37

// truncatable is erasable with removed, erased and skipped messages, and a draft.
func truncatable(tb testing.TB, f vfs.FS, opt blockstore.Options) (store.Store, store.Stream) {
	tb.Helper()
	s, st := erasable(tb, f, opt)
	_, err := st.Skip(bg, 5)
	must(tb, err)
	_, err = st.Append(bg, erasableEntry(66))
	must(tb, err)
	for _, seq := range []store.Seq{3, 30, 37, 50} {
		_, err := st.Remove(bg, seq)
		must(tb, err)
	}
	_, err = st.Erase(bg, 20)
	must(tb, err)
	d, err := st.CreateDraft(bg, ".draft")
	must(tb, err)
	_, err = d.WriteAt([]byte("a draft"), 0)
	must(tb, err)
	must(tb, d.Sync())
	must(tb, d.Close())
	must(tb, st.Sync(bg))
	return s, st
}

// wholeTruncated demands that the stream is as it was before, or as it has to be after, and says which.
func wholeTruncated(s store.Store, before uint64) (after bool, err error) {
	names, err := s.Streams(bg)
	if err != nil || !slices.Equal(names, []string{"S"}) {
		return false, fmt.Errorf("streams are %q, %w", names, err)
	}
	st, err := s.Stream(bg, "S")
	if err != nil {
		return false, err
	}
	after = st.Incarnation() != before
	last := store.Seq(66)
	if after {
		last = truncateTo
	}
	state, err := st.State(bg)
	if err != nil || state.Last < last || after && state.Last > last || state.Lost != 0 { // a crash may cost numbers
		return after, fmt.Errorf("after it: %v, state %+v, %w", after, state, err)
	}
	for seq := store.Seq(1); seq <= last; seq++ {
		got, err := st.Load(bg, seq, nil)
		if slices.Contains([]store.Seq{3, 20, 30, 37, 50}, seq) || seq > 60 && seq < 66 {
			if !errors.Is(err, store.ErrNotFound) {
				return after, fmt.Errorf("load of %d, which is gone: %w", seq, err)
			}
			continue
		}
		want := erasableEntry(int(seq)) //nolint:gosec // small
		if err != nil || got.Subject != want.Subject || !bytes.Equal(got.Data, want.Data) || !bytes.Equal(got.Header, want.Header) {
			return after, fmt.Errorf("message %d: %.20q, %w", seq, got.Data, err)
		}
	}
	for g, err := range st.Gaps(bg, store.Query{To: last}) {
		if err != nil || (g.Cause == store.CauseSkipped) != (g.First == 61) || g.Cause == store.CauseLost {
			return after, fmt.Errorf("gap %+v, %w", g, err)
		}
	}
	damage, err := st.Damage(bg)
	if err != nil || len(damage) > 0 {
		return after, fmt.Errorf("damage: %+v, %w", damage, err)
	}
	drafts, err := st.ListDrafts(bg)
	if err != nil || len(drafts) != 1 || drafts[0].Name != ".draft" || drafts[0].Size != 7 {
		return after, fmt.Errorf("drafts: %+v, %w", drafts, err)
	}
	return after, errors.Join(st.Undelete(bg, 30), removed(st, 30))
}

func removed(st store.Stream, seq store.Seq) error {
	_, err := st.Remove(bg, seq)
	return err
}

// reopenTruncated opens f, looks, writes, and looks again when it is opened once more.
func reopenTruncated(f vfs.FS, before uint64) (after bool, err error) {
	for round := range 2 {
		if r, err := checkTrial(f, true); err != nil || len(r.Damage) > 0 || len(r.Streams) != 1 {
			return after, fmt.Errorf("check: %w, %+v", err, r)
		}
		s, err := openTrial(f, trialOptions(blockstore.SyncNever))
		if err != nil {
			return false, err
		}
		was := after
		after, err = wholeTruncated(s, before)
		if round > 0 && after != was {
			err = errors.Join(err, fmt.Errorf("it was the other stream when it was opened first"))
		}
		if err = errors.Join(err, s.Close()); err != nil {
			return after, err
		}
		dirs, err := f.List("streams")
		if err != nil || len(dirs) != 1 {
			return after, fmt.Errorf("streams has %q, %w", dirs, err)
		}
		if removed, err := f.List("removed"); err != nil || len(removed) > 0 && !after {
			return after, fmt.Errorf("removed has %q after it %v, %w", removed, after, err)
		}
	}
	return after, nil
}

// TestTrialCrashWhileTruncating cuts the power before every change that a truncation makes: there is one stream of the name, whole,
// as it was before or as it has to be after.
func TestTrialCrashWhileTruncating(t *testing.T) {
	t.Parallel()
	points := 0
	for round := range rounds(6, 120) {
		mem, rng := vfs.NewMem(), seeded(round)
		s, st := truncatable(t, mem, variantOf(round).of(trialOptions(policies[round%3])))
		before, done := st.Incarnation(), false
		look := func(op string) {
			for i, f := range []*vfs.Mem{mem.Crash(rng, 0), mem.Crash(rng, 50), mem.Crash(rng, 100), mem.Kill()} {
				points++
				after, err := reopenTruncated(f, before)
				if err == nil && done && !after {
					err = errors.New("it is as it was before")
				}
				if err != nil {
					t.Errorf("round %d, image %d, before %q: %v", round, i, op, err)
				}
			}
		}
		mem.Hook = func(op string) {
			if !t.Failed() {
				look(op)
			}
		}
		_, err := s.Truncate(bg, "S", truncateTo)
		must(t, err)
		mem.Hook = nil
		done = true
		look("the next call")
		after, err := wholeTruncated(s, before)
		kept, lerr := mem.List("removed")
		if err = errors.Join(err, lerr); err != nil || !after || len(kept) != 1 {
			t.Errorf("round %d: after it %v, kept %q, %v", round, after, kept, err)
		}
		must(t, s.Close())
		if t.Failed() {
			return
		}
	}
	t.Logf("%d stops", points)
}

// TestTrialEveryCallFailsWhileTruncating lets each call fail in turn: an error leaves the stream as it was, and it goes on unless a
// disk that fails for good keeps it from that.
func TestTrialEveryCallFailsWhileTruncating(t *testing.T) {
	t.Parallel()
	for i, fault := range []vfs.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, ForGood: true}, {Err: syscall.ENOSPC}} {
		v := variantOf(i)
		for k := 1; ; k += stride(2) {
			mem := vfs.NewMem()
			f := vfs.NewFail(mem)
			s, st := truncatable(t, f, v.of(trialOptions(blockstore.SyncAlways)))
			before := st.Incarnation()
			fault.At = k
			f.Set(fault)
			_, err := s.Truncate(bg, "S", truncateTo)
			failed := f.Failed()
			f.Set(vfs.Fault{})
			if len(failed) == 0 {
				must(t, errors.Join(err, s.Close()))
				break
			}
			what := fmt.Sprintf("%s, call %d (%s), %v, for good %v", v.name, k, failed[0], fault.Err, fault.ForGood)
			unsure := strings.Contains(failed[0], "sync streams") || err != nil && failed[0] == "syncdir streams"
			if !fault.ForGood && !unsure {
				if after, lerr := wholeTruncated(s, before); lerr != nil || after != (err == nil) {
					t.Errorf("%s: truncate gave %v; after it %v, %v", what, err, after, lerr)
				}
			}
			if err != nil && !fault.ForGood && failed[0] == "syncdir streams" { // who knows what is on disk
				_, aerr := st.Append(bg, erasableEntry(67))
				_, derr := st.CreateDraft(bg, ".late")
				if _, lerr := st.Load(bg, 66, nil); lerr != nil || !errors.Is(aerr, store.ErrReadOnly) || derr == nil {
					t.Errorf("%s: load gives %v, append %v, a draft %v; want a stream that is only read", what, lerr, aerr, derr)
				}
			}
			_ = s.Close()
			if after, lerr := reopenTruncated(mem.Kill(), before); lerr != nil || err == nil && !after {
				t.Errorf("%s: truncate gave %v; opened again: after it %v, %v", what, err, after, lerr)
			}
			if t.Failed() {
				return
			}
		}
	}
}
