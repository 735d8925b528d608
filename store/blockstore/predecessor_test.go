package blockstore

import (
	"errors"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// A stream that was truncated, and could not be moved from its place, does not come back when the one that replaced it goes from its own.
func TestATruncatedStreamDoesNotComeBack(t *testing.T) {
	for what, do := range map[string]func(st *Store) error{
		"removed":         func(st *Store) error { return st.Remove(t.Context(), "S") },
		"truncated again": func(st *Store) error { _, err := st.Truncate(t.Context(), "S", 0); return err },
	} {
		for _, reopen := range []bool{false, true} {
			opt := Options{Sync: SyncNever, asked: true}
			fail, st, first := failing(t, opt, store.Config{})
			for range 3 {
				_, err := first.Append(t.Context(), store.Entry{Subject: "x"})
				fatal(t, err)
			}
			dir := first.(*Stream).dir
			fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.EIO, Match: func(call, name string) bool { return call == "rename" && name == dir }})
			s, err := st.Truncate(t.Context(), "S", 1)
			fatal(t, err)
			_, err = s.Purge(t.Context(), store.Purge{})
			fatal(t, err)
			if reopen {
				fatal(t, st.Close())
				st, err = Open(fail, opt)
				fatal(t, err)
			}
			if err := do(st); !errors.Is(err, syscall.EIO) {
				t.Errorf("%s, opened again %v: while the other one can't be moved: %v, want %v", what, reopen, err, syscall.EIO)
			}
			fail.Set(vfs.Fault{})
			if err := do(st); err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s, opened again %v: %v", what, reopen, err)
			}
			fatal(t, st.Close())
			st, err = Open(fail, opt)
			fatal(t, err)
			if s, err = st.Stream(t.Context(), "S"); err == nil {
				state, serr := s.State(t.Context())
				if fatal(t, serr); what == "removed" || state.Last != 0 {
					t.Errorf("%s, opened again %v: the stream is %+v", what, reopen, state)
				}
			} else if what != "removed" {
				t.Errorf("%s, opened again %v: %v", what, reopen, err)
			}
			if removed, err := st.RemovedStreams(t.Context()); err != nil || len(removed) != 2 {
				t.Errorf("%s, opened again %v: removed streams are %+v, %v, want both", what, reopen, removed, err)
			}
			fatal(t, st.Close())
		}
	}
}
