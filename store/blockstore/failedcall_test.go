package blockstore

import (
	"errors"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// What was removed once the stream's state could be opened at last is removed after a kill, too.
func TestARemovalAfterAFailedOneSurvives(t *testing.T) {
	mem := vfs.NewMem()
	st := exhaustible(t, mem, 1)
	s, err := st.Stream(t.Context(), "S0")
	fatal(t, err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	fatal(t, st.Close())
	for n := 1; ; n++ {
		mem := mem.Kill()
		fail := vfs.NewFail(mem)
		st, err := Open(fail, Options{Sync: SyncNever, asked: true})
		fatal(t, err)
		s, err := st.Stream(t.Context(), "S0")
		fatal(t, err)
		fail.Set(vfs.Fault{At: n, Err: syscall.EMFILE, Match: func(call, _ string) bool { return call == "open" }})
		_, failed := s.Remove(t.Context(), 1)
		_, err = s.Remove(t.Context(), 2)
		fatal(t, err)
		st, err = Open(mem.Kill(), Options{Sync: SyncNever, asked: true})
		fatal(t, err)
		s, err = st.Stream(t.Context(), "S0")
		fatal(t, err)
		if _, err := s.Stat(t.Context(), 2); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("open %d failed (%v): message 2 gives %v, and was removed", n, failed, err)
		}
		if failed == nil {
			return
		}
	}
}
