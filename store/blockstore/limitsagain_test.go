package blockstore

import (
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// unsought makes a stream with four messages on a subject, and a limit of one, whose subjects could not be found. After
// unreadable no block can be read.
func unsought(t *testing.T) (s store.Stream, st *Store, unreadable func()) {
	t.Helper()
	fail := vfs.NewFail(vfs.NewMem())
	opt := Options{Sync: SyncNever, BlockSize: minBlockSize, asked: true}
	st, err := Open(fail, opt)
	fatal(t, err)
	s, err = st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	for range 4 {
		_, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 900)})
		fatal(t, err)
	}
	fatal(t, st.Close())
	st, err = Open(fail, opt)
	fatal(t, err)
	t.Cleanup(func() { _ = st.Close() })
	s, err = st.Stream(t.Context(), "S")
	fatal(t, err)
	unreadable = func() {
		fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.EIO, Match: func(call, name string) bool {
			return call == "read" && strings.HasSuffix(name, ".blk")
		}})
	}
	unreadable()
	fatal(t, st.Update(t.Context(), store.Config{Name: "S", MaxMsgsPerSubject: 1}))
	fail.Set(vfs.Fault{})
	return s, st, unreadable
}

// A limit whose subjects could not be found when it was set takes away what is over it with the next message.
func TestALimitThatCouldNotLookLooksAgain(t *testing.T) {
	s, _, _ := unsought(t)
	_, err := s.Append(t.Context(), store.Entry{Subject: "y"})
	fatal(t, err)
	if state, err := s.State(t.Context()); err != nil || state.Live.Messages != 2 {
		t.Errorf("got %+v, %v, want a message on each of two subjects", state, err)
	}
}

// A limit that could not look keeps no stream without messages from being removed.
func TestALimitLooksForNothingInAnEmptyStream(t *testing.T) {
	s, st, unreadable := unsought(t)
	_, err := s.Purge(t.Context(), store.Purge{})
	fatal(t, err)
	unreadable()
	if err := st.Remove(t.Context(), "S"); err != nil {
		t.Errorf("removing it: %v", err)
	}
}

// What a limit could not take away goes before the stream is closed, as whoever opens it would not look for it.
func TestWhatIsOverALimitGoesBeforeTheEnd(t *testing.T) {
	mem := vfs.NewMem()
	fail := vfs.NewFail(mem)
	st, err := Open(fail, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	s, err := st.Create(t.Context(), store.Config{Name: "S", MaxMsgsPerSubject: 1})
	fatal(t, err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	fail.Set(vfs.Fault{At: 2, ForGood: true, Err: syscall.ENOSPC, Match: func(call, name string) bool {
		return call == "write" && strings.HasSuffix(name, ".blk")
	}})
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	fail.Set(vfs.Fault{})
	fatal(t, st.Close())
	st, err = Open(mem, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	defer func() { _ = st.Close() }()
	s, err = st.Stream(t.Context(), "S")
	fatal(t, err)
	if state, err := s.State(t.Context()); err != nil || state.First != 2 || state.Live.Messages != 1 {
		t.Errorf("got %+v, %v, want message 2", state, err)
	}
}
