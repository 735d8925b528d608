package gather

import (
	"context"
	"errors"
	"slices"
	"testing"

	"jsfs/store"
	"jsfs/store/memstore"
)

// remove wants what Remove says.
func (b *bench) remove(want error) {
	b.Helper()
	if err := b.r.Remove(b.Context(), 1); !errors.Is(err, want) {
		b.Errorf("removing what is held: %v, want %v", err, want)
	}
}

// wantSeqs wants messages that are there, whatever they are.
func (b *bench) wantSeqs(want ...store.Seq) {
	b.Helper()
	var got []store.Seq
	for m, err := range b.Scan(b.Context(), store.Query{}) {
		if err != nil {
			b.Fatal(err)
		}
		got = append(got, m.Seq)
	}
	if !slices.Equal(got, want) {
		b.Errorf("the stream has %v, want %v", got, want)
	}
}

// wantKept wants messages that were removed and can be brought back.
func (b *bench) wantKept(want ...store.Seq) {
	b.Helper()
	var got []store.Seq
	for m, err := range b.ScanKept(b.Context(), 0, 0) {
		if err != nil {
			b.Fatal(err)
		}
		got = append(got, m.Seq)
	}
	if !slices.Equal(got, want) {
		b.Errorf("kept are %v, want %v", got, want)
	}
}

// What is held is removed as messages are.
func TestWhatIsHeldIsRemoved(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	b.remove(store.ErrNotFound)
	b.restore(1, 9, 3, 7, 4)
	b.remove(nil)
	b.want([]store.Seq{1})
	b.wantKept(3, 4, 7, 9)
	if err := b.r.Restore(t.Context(), message(5), maker()); !errors.Is(err, store.ErrExists) {
		t.Errorf("one below it, that comes later: %v", err)
	}
	b.restore(12, 10)
	b.settle()
	b.want([]store.Seq{1, 10, 12})
}

// What somebody else put in the place of one that is held was not restored, and stays.
func TestWhatOthersHavePutInItsPlaceIsNotRemoved(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	b.restore(9, 3, 7)
	var want []store.Seq
	for range 4 { // what a source brings
		seq, err := b.Append(t.Context(), store.Entry{Subject: "a", Data: []byte("a source's")})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, seq)
	}
	b.remove(nil)
	b.wantSeqs(want...)
	b.wantKept(7, 9)
	b.wantDrafts(".refused.1")
}

// appending has somebody append messages before messages are removed.
type appending struct {
	store.Stream
	entries []store.Entry
}

func (a *appending) RestoreAll(context.Context, []store.Msg) (int, error) { return 0, store.ErrNoSpace }

func (a *appending) RemoveAll(ctx context.Context, ranges []store.Range) (int64, error) {
	for _, e := range a.entries {
		if _, err := a.Append(ctx, e); err != nil {
			return 0, err
		}
	}
	return a.Stream.RemoveAll(ctx, ranges)
}

// Nobody who comes when it was given up is taken for what was held.
func TestWhatComesWhenItWasGivenUpIsNotRemoved(t *testing.T) {
	a := &appending{newStream(t), make([]store.Entry, 4)}
	b := newBench(t, a, Options{})
	b.restore(9, 3)
	for i := range a.entries {
		a.entries[i].Subject = "a"
	}
	b.remove(nil)
	b.wantDrafts()
	b.wantKept()
}

// Who restores and finds the draft in his way does not remove what he has restored.
func TestAMakerRemovesNothing(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	b.restore(9, 3)
	if err := b.r.Remove(t.Context(), maker()); !errors.Is(err, store.ErrDenied) {
		t.Errorf("got %v", err)
	}
	b.settle()
	b.want([]store.Seq{3, 9})
}

func TestWhatThereIsNoRoomForIsGivenUp(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3, 7, 5)
	f.restore, f.remove = store.ErrNoSpace, errors.New("not now")
	b.remove(f.remove)
	b.want([]store.Seq{3, 5}, Draft)
	f.remove = nil
	b.remove(nil)
	b.want([]store.Seq{3, 5}) // they were stored before
	b.restore(12, 10, 14, 8)
	b.later()
	b.remove(nil)
	b.want([]store.Seq{3, 5})
	b.wantKept(8, 10) // there was room for them
	f.restore = nil
	b.restore(18, 16)
	b.settle()
	b.want([]store.Seq{3, 5, 16, 18})
}

func TestWhatFailsOtherwiseIsNotGivenUp(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3)
	f.restore = errors.New("the disk is gone")
	b.remove(f.restore)
	b.want([]store.Seq{3}, Draft) // the half of it
	f.restore = nil
	b.later()
	b.settle()
	b.want([]store.Seq{3, 9})
}

func TestNothingHeldIsRemovedWhereThatIsDenied(t *testing.T) {
	for _, cfg := range []store.Config{{Name: "S", DenyDelete: true}, {Name: "S", DenyPurge: true}} {
		st := memstore.New(memstore.Options{})
		t.Cleanup(func() { _ = st.Close() })
		s, err := st.Create(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		f := &faulty{Stream: s, restore: store.ErrNoSpace}
		b := newBench(t, f, Options{})
		b.restore(9, 3)
		_ = b.r.Settle(t.Context())
		b.remove(store.ErrDenied)
		b.want([]store.Seq{3}, Draft)
		f.restore = nil
		b.later()
		b.remove(store.ErrDenied)
		b.settle()
		b.want([]store.Seq{3, 9})
	}
}

// A draft that could not be read at the mount is nobody's.
func TestADraftThatHoldsNothing(t *testing.T) {
	_, b := newFaulty(t, Options{})
	d, err := b.CreateDraft(t.Context(), Draft)
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	b.remove(nil)
	b.want(nil)
}
