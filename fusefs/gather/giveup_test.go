package gather

import (
	"errors"
	"testing"

	"jsfs/store"
	"jsfs/store/memstore"
)

// giveUp wants what GiveUp says.
func (b *bench) giveUp(held bool, want error) {
	b.Helper()
	if got, err := b.r.GiveUp(b.Context()); got != held || !errors.Is(err, want) {
		b.Errorf("giving up: held %v, %v; want %v, %v", got, err, held, want)
	}
}

func TestWhatThereIsNoRoomForIsGivenUp(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.giveUp(false, store.ErrNotFound)
	b.restore(9, 3, 7, 5)
	b.giveUp(true, nil)
	f.restore = store.ErrNoSpace
	b.giveUp(true, nil) // nobody has tried to store them
	_ = b.r.Settle(t.Context())
	f.remove = errors.New("not now")
	b.giveUp(false, f.remove)
	b.want([]store.Seq{3, 5}, Draft)
	f.remove = nil
	b.giveUp(false, nil)
	b.want([]store.Seq{3, 5}) // they were stored before
	f.restore = nil
	b.restore(8, 6)
	b.settle()
	b.want([]store.Seq{3, 5, 6, 8})
}

func TestWhatCanBeStoredIsNotGivenUp(t *testing.T) {
	f, b := newFaulty(t, Options{})
	b.restore(9, 3)
	f.restore = store.ErrNoSpace
	_ = b.r.Settle(t.Context())
	f.restore = errors.New("the disk is gone")
	b.later()
	b.giveUp(true, nil)
	b.want([]store.Seq{3}, Draft) // the half of it
	f.restore = store.ErrNoSpace
	b.later()
	_ = b.r.Settle(t.Context())
	f.restore = nil
	b.later()
	b.giveUp(false, store.ErrNotFound)
	b.want([]store.Seq{3, 9})
}

func TestNothingIsGivenUpWhereRemovalIsDenied(t *testing.T) {
	st := memstore.New(memstore.Options{})
	t.Cleanup(func() { _ = st.Close() })
	s, err := st.Create(t.Context(), store.Config{Name: "S", DenyDelete: true})
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{Stream: s, restore: store.ErrNoSpace}
	b := newBench(t, f, Options{})
	b.restore(9, 3)
	_ = b.r.Settle(t.Context())
	b.giveUp(false, store.ErrDenied)
	b.want([]store.Seq{3}, Draft)
	f.restore = nil
	b.later()
	b.settle()
	b.want([]store.Seq{3, 9})
}

// A draft that could not be read at the mount is nobody's.
func TestADraftThatHoldsNothing(t *testing.T) {
	_, b := newFaulty(t, Options{})
	d, err := b.CreateDraft(t.Context(), Draft)
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	b.giveUp(false, nil)
	b.want(nil)
}
