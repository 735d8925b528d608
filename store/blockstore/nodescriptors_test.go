package blockstore

import (
	"fmt"
	"slices"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
	"jsfs/store/storetest"
)

// A process that may open no more files changes what a stream is configured as, and removes one, durably: streams that were written, and streams that
// were not since the store was opened.
func TestStreamsAreChangedWithoutDescriptors(t *testing.T) {
	for _, written := range []bool{true, false} {
		t.Run(fmt.Sprintf("written %v", written), func(t *testing.T) {
			fsys, err := vfs.NewOS(t.TempDir())
			fatal(t, err)
			defer fsys.Close()
			fail := vfs.NewFail(fsys)
			opt := Options{Sync: SyncAlways, BlockSize: minBlockSize, asked: true}
			st := changeable(t, fail, opt)
			if !written {
				fatal(t, st.Close())
				st, err = Open(fail, opt)
				fatal(t, err)
			}
			defer func() { _ = st.Close() }()
			s, err := st.Stream(t.Context(), "S")
			fatal(t, err)
			began := len(fail.Syncs())
			lift := storetest.Exhaust(t)
			fatal(t, st.Update(t.Context(), store.Config{Name: "S", Description: "new"}))
			fatal(t, s.UpdateConsumer(t.Context(), store.ConsumerConfig{Name: "c", Description: "new"}))
			fatal(t, st.Remove(t.Context(), "T"))
			last := store.Seq(1)
			for range 5 {
				if written { // the file that messages go to is open
					last, err = s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 900)})
					fatal(t, err)
				}
			}
			lift()
			for _, dir := range []string{removedDir, streamsDir, s.(*Stream).dir, "."} {
				if !slices.Contains(fail.Syncs()[began:], "syncdir "+dir) {
					t.Errorf("%s is not synced", dir)
				}
			}
			fatal(t, st.Close())
			st, err = Open(fail, opt)
			fatal(t, err)
			s, err = st.Stream(t.Context(), "S")
			fatal(t, err)
			if got := s.Config().Description; got != "new" {
				t.Errorf("description: got %q", got)
			}
			if state, err := s.State(t.Context()); err != nil || state.Last != last {
				t.Errorf("got %+v, %v, want %d messages", state, err, last)
			}
			if removed, err := st.RemovedStreams(t.Context()); err != nil || len(removed) != 1 || removed[0].Name != "T" {
				t.Errorf("removed streams: %+v, %v, want T", removed, err)
			}
		})
	}
}

// changeable makes a store with a stream S that has a message and a consumer, and a stream T that has none any more.
func changeable(t *testing.T, fsys vfs.FS, opt Options) *Store {
	t.Helper()
	st, err := Open(fsys, opt)
	fatal(t, err)
	for _, name := range []string{"S", "T"} {
		s, err := st.Create(t.Context(), store.Config{Name: name})
		fatal(t, err)
		_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
		fatal(t, err)
		_, err = s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"})
		fatal(t, err)
	}
	s, err := st.Stream(t.Context(), "T")
	fatal(t, err)
	_, err = s.Remove(t.Context(), 1)
	fatal(t, err)
	return st
}
