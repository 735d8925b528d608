package blockstore

import (
	"syscall"
	"testing"

	"jsfs/store/internal/vfs"
)

// What a stream was before it was truncated is not moved away once it is brought back, although it was not known then whether it had been moved.
func TestAStreamThatWasOutdatedIsServed(t *testing.T) {
	fail, st, s := removable(t)
	fatal(t, s.Undelete(t.Context(), 1))
	inc := s.Incarnation()
	fail.Set(vfs.Fault{At: 1, Err: syscall.EMFILE, Match: func(call, name string) bool { return call == "syncdir" && name == removedDir }})
	_, err := st.Truncate(t.Context(), "S", 0)
	fatal(t, err)
	if len(fail.Failed()) == 0 {
		t.Error("it was moved for good")
	}
	fatal(t, st.Remove(t.Context(), "S"))
	s, err = st.Revive(t.Context(), inc)
	fatal(t, err)
	d, err := s.CreateDraft(t.Context(), "draft")
	fatal(t, err)
	fatal(t, d.Close())
	removed, err := st.RemovedStreams(t.Context())
	if err != nil || len(removed) != 1 || removed[0].Incarnation == inc {
		t.Errorf("the removed streams are %+v, %v, want the one that is not %d", removed, err, inc)
	}
	if list, err := s.ListDrafts(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("the drafts are %+v, %v, want one", list, err)
	}
	fatal(t, st.Close())
	st, err = Open(fail, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	defer func() { _ = st.Close() }()
	s, err = st.Stream(t.Context(), "S")
	fatal(t, err)
	if state, err := s.State(t.Context()); err != nil || s.Incarnation() != inc || state.Live.Messages != 1 {
		t.Errorf("the stream is %d, with %+v, %v, want %d with a message", s.Incarnation(), state, err, inc)
	}
}
