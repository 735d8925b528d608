package blockstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// A stream that could not be removed, as the disk was full or no file could be opened, is there as it was.
func TestAStreamThatCouldNotBeRemovedGoesOn(t *testing.T) {
	for _, fault := range []vfs.Fault{
		{Err: syscall.ENOSPC, Match: of("write", "create", "rename")},
		{Err: syscall.ENOSPC, Match: of("rename")},
		{Err: syscall.EMFILE, Match: of("open", "create", "list", "mkdir", "rename", "remove")},
	} {
		for _, fault.ForGood = range []bool{false, true} {
			kept := 0
			for fault.At = 1; ; fault.At++ {
				fail, st, s := removable(t)
				fail.Set(fault)
				err := st.Remove(t.Context(), "S")
				n := len(fail.Failed())
				fail.Set(vfs.Fault{})
				if n == 0 {
					break
				}
				what := fmt.Sprintf("%v at %d, for good %v", fault.Err, fault.At, fault.ForGood)
				if err == nil {
					wantGone(t, what, st)
					continue
				}
				if kept++; !errors.Is(err, fault.Err) {
					t.Errorf("%s: removing gives %v", what, err)
				}
				wantUnharmed(t, what, st, s.Incarnation())
			}
			if kept == 0 {
				t.Errorf("%v, for good %v: the stream could always be removed", fault.Err, fault.ForGood)
			}
		}
	}
}

// A stream that could not be brought back can be, once files can be opened.
func TestAStreamThatCouldNotBeRevivedIsKept(t *testing.T) {
	for at := 1; ; at++ {
		fail, st, s := removable(t)
		fatal(t, st.Remove(t.Context(), "S"))
		fail.Set(vfs.Fault{At: at, Err: syscall.EMFILE, Match: of("open", "create", "list")})
		_, err := st.Revive(t.Context(), s.Incarnation())
		n := len(fail.Failed())
		fail.Set(vfs.Fault{})
		if n == 0 {
			break
		}
		what := fmt.Sprintf("without a file at %d", at)
		if err != nil {
			if !errors.Is(err, syscall.EMFILE) {
				t.Errorf("%s: %v", what, err)
			}
			wantGone(t, what, st)
			if _, err := st.Revive(t.Context(), s.Incarnation()); err != nil {
				t.Errorf("%s: bringing it back again: %v", what, err)
			}
		}
		again, err := st.Stream(t.Context(), "S")
		if err != nil {
			t.Errorf("%s: the stream is not back: %v", what, err)
			continue
		}
		if state, err := again.State(t.Context()); err != nil || state.Live.Messages != 1 {
			t.Errorf("%s: %+v, %v, want the message that was removed with it", what, state, err)
		}
	}
}

// What a truncation took the place of is among the removed streams, at the latest when somebody looks.
func TestATruncatedStreamIsSetAsideLater(t *testing.T) {
	for _, fault := range []vfs.Fault{
		{Err: syscall.ENOSPC, Match: of("rename")},
		{Err: syscall.EMFILE, Match: of("open", "create", "list", "rename", "remove", "syncdir")},
	} {
		for fault.At = 1; ; fault.At++ {
			fail, st, s := removable(t)
			fatal(t, s.Undelete(t.Context(), 1))
			fail.Set(fault)
			_, err := st.Truncate(t.Context(), "S", 0)
			n := len(fail.Failed())
			fail.Set(vfs.Fault{})
			if n == 0 {
				break
			}
			if err != nil {
				continue
			}
			removed, err := st.RemovedStreams(t.Context())
			if err != nil || len(removed) != 1 || removed[0].Incarnation != s.Incarnation() || removed[0].Messages != 1 {
				t.Errorf("%v at %d: removed streams are %+v, %v, want %d", fault.Err, fault.At, removed, err, s.Incarnation())
			}
		}
	}
}

// One of which nobody knows whether it is on disk, as a sync found no room, is not served on.
func TestAStreamThatMayBeLostDoesNotGoOn(t *testing.T) {
	fail, st, _ := removable(t)
	fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.ENOSPC, Match: func(call, name string) bool {
		return call == "sync" && strings.HasSuffix(name, ".blk")
	}})
	if err := st.Remove(t.Context(), "S"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("removing gives %v", err)
	}
	fail.Set(vfs.Fault{})
	if _, err := st.Stream(t.Context(), "S"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the stream is served on: %v", err)
	}
}

// of lets the calls of those names fail.
func of(calls ...string) func(call, name string) bool {
	return func(call, _ string) bool { return slices.Contains(calls, call) }
}

// removable makes a store with a stream that has no message any more, and a consumer that has taken one.
func removable(t *testing.T) (*vfs.Fail, *Store, store.Stream) {
	t.Helper()
	fail, st, s := failing(t, Options{Sync: SyncNever}, store.Config{})
	_, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"})
	fatal(t, err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	c, err := s.Consumer(t.Context(), "c")
	fatal(t, err)
	_, err = c.Next(t.Context(), nil)
	fatal(t, err)
	_, err = s.Remove(t.Context(), 1)
	fatal(t, err)
	return fail, st, s
}

func wantGone(t *testing.T, what string, st *Store) {
	t.Helper()
	if _, err := st.Stream(t.Context(), "S"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s: the stream was removed, and gives %v", what, err)
	}
	if removed, err := st.RemovedStreams(t.Context()); err != nil || len(removed) != 1 {
		t.Errorf("%s: removed streams are %+v, %v", what, removed, err)
	}
}

// wantUnharmed demands that the stream is there, and that it can be removed.
func wantUnharmed(t *testing.T, what string, st *Store, inc uint64) {
	t.Helper()
	s, err := st.Stream(t.Context(), "S")
	if err != nil || s.Incarnation() != inc {
		t.Errorf("%s: the stream is gone: %v", what, err)
		return
	}
	if seq, err := s.Append(t.Context(), store.Entry{Subject: "x"}); err != nil || seq != 2 {
		t.Errorf("%s: the next message: %d, %v", what, seq, err)
	}
	if err := s.Undelete(t.Context(), 1); err != nil {
		t.Errorf("%s: what was removed does not come back: %v", what, err)
	}
	c, err := s.Consumer(t.Context(), "c")
	fatal(t, err)
	if info, err := c.Info(t.Context()); err != nil || info.Delivered.Consumer != 1 {
		t.Errorf("%s: the consumer has forgotten what it delivered: %+v, %v", what, info, err)
	}
	if n, err := s.Purge(t.Context(), store.Purge{}); err != nil || n != 2 {
		t.Errorf("%s: purging: %d, %v", what, n, err)
	}
	if err := st.Remove(t.Context(), "S"); err != nil {
		t.Errorf("%s: removing it again: %v", what, err)
	}
	wantGone(t, what, st)
	if err := st.Close(); err != nil {
		t.Errorf("%s: closing: %v", what, err)
	}
}

// A stream that could not be removed, and not be opened again at first, is among those over which origins lead.
func TestOriginsLeadOverAStreamThatStays(t *testing.T) {
	fail, st, _ := failing(t, Options{Sync: SyncNever}, store.Config{Sources: []store.Source{{Name: "T"}}})
	fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.EMFILE, Match: func(call, name string) bool {
		return call == "create" && strings.HasPrefix(name, nextName) || call == "open" && strings.HasPrefix(name, streamDir(1)+"/config")
	}})
	if err := st.Remove(t.Context(), "S"); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("removing gives %v", err)
	}
	if _, err := st.Create(t.Context(), store.Config{Name: "T", Sources: []store.Source{{Name: "S"}}}); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("while it can't be told where origins lead: %v, want %v", err, syscall.EMFILE)
	}
	fail.Set(vfs.Fault{})
	if _, err := st.Create(t.Context(), store.Config{Name: "T", Sources: []store.Source{{Name: "S"}}}); err == nil || !strings.Contains(err.Error(), "cycle") {
		t.Errorf("where they lead back: %v, want a refusal", err)
	}
}
