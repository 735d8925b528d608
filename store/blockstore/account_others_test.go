package blockstore

import (
	"slices"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// accounted opens a store with a limit, in which the streams A and B have a message of 10,000 bytes each and A a draft.
func accounted(t *testing.T, mem *vfs.Mem, opt Options) *Store {
	t.Helper()
	opt.Sync, opt.Limits.MaxStorage = SyncNever, 200_000
	st, err := Open(mem, opt)
	fatal(t, err)
	for _, name := range []string{"A", "B"} {
		s, err := st.Create(t.Context(), store.Config{Name: name})
		fatal(t, err)
		_, err = s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 10_000)})
		fatal(t, err)
		if name == "A" {
			d, err := s.CreateDraft(t.Context(), ".a")
			fatal(t, err)
			_, err = d.WriteAt(make([]byte, 70_000), 0)
			fatal(t, err)
			fatal(t, d.Close())
		}
	}
	return st
}

// counted is what counts for the limit.
func (st *Store) counted() int64 {
	a := &st.account
	return a.used.Load() + a.removed.Load() + a.unread.Load()
}

// TestDraftsCountWhenTheStoreIsOpenedAgain counts drafts anew, those too that a crash left under the name that they got to become
// messages.
func TestDraftsCountWhenTheStoreIsOpenedAgain(t *testing.T) {
	for _, opt := range []Options{{}, {Secret: testSecret}} {
		mem := vfs.NewMem()
		st := accounted(t, mem, opt)
		before := st.counted()
		if before < 90_000 || before > 120_000 {
			t.Fatalf("counted are %d bytes", before)
		}
		var marked *vfs.Mem
		mem.Hook = func(string) {
			names, err := mem.List(streamDir(1) + "/" + draftsName)
			if err == nil && marked == nil && slices.ContainsFunc(names, func(name string) bool { return name[0] == draftMarked }) {
				marked = mem.Kill()
			}
		}
		s, err := st.Stream(t.Context(), "A")
		fatal(t, err)
		_, err = s.PublishDraft(t.Context(), ".a", store.Entry{Subject: "x", Data: make([]byte, 70_000)})
		fatal(t, err)
		mem.Hook = nil
		if after := st.counted(); after < before || after > before+1000 {
			t.Errorf("a draft of 70,000 bytes is a message now: counted are %d bytes, and were %d", after, before)
		}
		fatal(t, st.Close())
		if got := st.account.used.Load(); got != 0 {
			t.Errorf("a closed store counts %d bytes", got)
		}
		opt.Limits.MaxStorage = 200_000
		st, err = Open(marked, opt)
		fatal(t, err)
		if got := st.counted(); got < before-10_000 || got > before+10_000 {
			t.Errorf("killed while a draft became a message: counted are %d bytes, and were %d", got, before)
		}
		s, err = st.Stream(t.Context(), "A")
		fatal(t, err)
		counted := st.counted()
		fatal(t, s.RemoveDraft(t.Context(), ".a"))
		if got := counted - st.counted(); got != 70_000 {
			t.Errorf("removing the draft gives back %d bytes", got)
		}
		fatal(t, st.Close())
	}
}

// TestStreamsThatCantBeServedCount makes a stream one of a later version: what it takes counts.
func TestStreamsThatCantBeServedCount(t *testing.T) {
	mem := vfs.NewMem()
	st := accounted(t, mem, Options{})
	before := st.counted()
	fatal(t, st.Close())
	config := streamDir(1) + "/config"
	fatal(t, replaceFile(mem, config, record.Envelope(record.MagicConfig, []byte(`{"name":"A","keep_for_good":true}`))))
	st, err := Open(mem, Options{Limits: store.AccountLimits{MaxStorage: 200_000}})
	fatal(t, err)
	if len(st.broken) != 1 {
		t.Fatalf("%d streams can't be served", len(st.broken))
	}
	if got := st.counted(); got < before || got > before+20_000 {
		t.Errorf("counted are %d bytes with a stream that can't be served, and %d before", got, before)
	}
	u, err := st.Usage(t.Context())
	fatal(t, err)
	if u.Used < 90_000 || u.Free > 110_000 {
		t.Errorf("usage: %+v", u)
	}
	fatal(t, st.Close())
}

// TestLookingAtRemovedStreamsTakesNoRoom demands that a removed stream is counted once while it is looked at: who stores something
// meanwhile would have it forgotten else.
func TestLookingAtRemovedStreamsTakesNoRoom(t *testing.T) {
	st := accounted(t, vfs.NewMem(), Options{})
	s, err := st.Stream(t.Context(), "B")
	fatal(t, err)
	_, err = s.Purge(t.Context(), store.Purge{})
	fatal(t, err)
	fatal(t, st.Remove(t.Context(), "B"))
	before := st.counted()
	removed, err := st.lookLocked()
	fatal(t, err)
	looked, err := st.openStream(removed[0].dir, removed[0].inc)
	fatal(t, err)
	if got := st.counted(); got != before {
		t.Errorf("while a removed stream is looked at %d bytes are counted, and %d before", got, before)
	}
	fatal(t, looked.close())
	if got := st.counted(); got != before {
		t.Errorf("after a removed stream was looked at %d bytes are counted, and %d before", got, before)
	}
	fatal(t, st.Close())
}
