package transfer_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/transfer"
)

// TestDraftsThatCantBeReadKeepNothingBack rescues a store in which the drafts of one stream can't be listed, and one draft of another can't
// be opened.
func TestDraftsThatCantBeReadKeepNothingBack(t *testing.T) {
	dir := t.TempDir()
	s, err := blockstore.OpenDir(dir, blockstore.Options{Sync: blockstore.SyncNever})
	must(t, err)
	for _, name := range []string{"A", "B", "C"} {
		fill(t, s, name, 100)
		st, err := s.Stream(t.Context(), name)
		must(t, err)
		for _, draft := range []string{".one", ".two"} {
			d, err := st.CreateDraft(t.Context(), draft)
			must(t, err)
			_, err = d.WriteAt([]byte("draft"), 0)
			must(t, err)
			must(t, d.Close())
		}
	}
	must(t, s.Close())
	dirs, err := filepath.Glob(dir + "/streams/*/drafts")
	must(t, err)
	if len(dirs) != 3 {
		t.Fatalf("got %q, want three directories of drafts", dirs)
	}
	must(t, os.RemoveAll(dirs[0]))
	must(t, os.WriteFile(dirs[0], []byte("no directory"), 0o600))
	drafts, err := filepath.Glob(dirs[1] + "/d*")
	must(t, err)
	must(t, os.Remove(drafts[0]))
	must(t, os.Mkdir(drafts[0], 0o700))

	from, err := blockstore.Salvage(dir, nil)
	must(t, err)
	defer func() { must(t, from.Close()) }()
	to := newMem()
	r, err := transfer.Rescue(t.Context(), from, to, func(string) transfer.Options { return transfer.Options{} })
	must(t, err)
	if len(r.Streams) != 3 || len(r.Unreadable) != 0 || r.DamagedDrafts() != 2 {
		t.Errorf("got %+v, want three streams and two damaged drafts", r)
	}
	for i, want := range []int{0, 1, 2} {
		if r.Streams[i].Drafts != want {
			t.Errorf("stream %s: got %d drafts, want %d; %+v", r.Streams[i].Stream, r.Streams[i].Drafts, want, r.Streams[i])
		}
	}
	for _, name := range []string{"A", "B", "C"} {
		st, err := to.Stream(t.Context(), name)
		must(t, err)
		if state, err := st.State(t.Context()); err != nil || state.Last < store.Seq(100) {
			t.Errorf("stream %s: got %+v, %v", name, state, err)
		}
	}
}

// halting is a store in which the scan of one stream fails.
type halting struct {
	store.Store
	name string
	err  error
}

type haltingStream struct {
	store.Stream
	err error
}

func (s halting) Stream(ctx context.Context, name string) (store.Stream, error) {
	st, err := s.Store.Stream(ctx, name)
	if name == s.name {
		st = haltingStream{st, s.err}
	}
	return st, err
}

func (s haltingStream) Scan(context.Context, store.Query) iter.Seq2[store.Meta, error] {
	return func(yield func(store.Meta, error) bool) { yield(store.Meta{}, s.err) }
}

// TestAStreamThatCantBeCopiedKeepsNoOtherBack demands that a rescue names it, and goes on.
func TestAStreamThatCantBeCopiedKeepsNoOtherBack(t *testing.T) {
	from := newMem()
	for _, name := range []string{"A", "B", "C"} {
		fill(t, from, name, 100)
	}
	options := func(string) transfer.Options { return transfer.Options{} }
	to := newMem()
	r, err := transfer.Rescue(t.Context(), halting{from, "B", errors.New("worn out")}, to, options)
	must(t, err)
	if len(r.Streams) != 2 || len(r.Unreadable) != 1 || r.Unreadable[0].Stream != "B" || !strings.Contains(r.Unreadable[0].Cause, "worn out") {
		t.Errorf("got %+v", r)
	}
	for _, name := range []string{"A", "C"} {
		sameStream(t, imageOf(t, to, name), imageOf(t, from, name))
	}
	if _, err := transfer.Rescue(t.Context(), halting{from, "B", store.ErrNoSpace}, to, options); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("on a full disk: got %v, want ErrNoSpace", err)
	}
}
