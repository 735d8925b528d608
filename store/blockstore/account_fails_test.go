package blockstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestWhatFailsToGoIsCounted lets each call fail, once and for good, of a removal of a stream and of a truncation: what stays on disk of the
// streams counts for max_storage, whether they are served, kept or neither.
func TestWhatFailsToGoIsCounted(t *testing.T) {
	for name, change := range map[string]func(st *Store) error{
		"remove":   func(st *Store) error { return st.Remove(t.Context(), "S") },
		"truncate": func(st *Store) error { _, err := st.Truncate(t.Context(), "T", 20); return err },
	} {
		for _, good := range []bool{false, true} {
			for n := 1; ; n++ {
				f := vfs.NewFail(vfs.NewMem())
				st, err := Open(f, Options{BlockSize: minBlockSize, Limits: store.AccountLimits{MaxStorage: 10 << 20}, asked: true})
				fatal(t, err)
				for _, name := range []string{"S", "T"} {
					s, err := st.Create(t.Context(), store.Config{Name: name})
					fatal(t, err)
					for range 40 {
						_, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 500)})
						fatal(t, err)
					}
					if name == "S" {
						_, err = s.Purge(t.Context(), store.Purge{})
						fatal(t, err)
					}
				}
				what := fmt.Sprintf("%s: call %d fails, for good %v", name, n, good)
				calls := 0
				f.Set(vfs.Fault{At: n, ForGood: good, Match: func(call, _ string) bool {
					changes := slices.Contains([]string{"create", "mkdir", "rename", "remove", "syncdir", "write", "truncate", "sync"}, call)
					if changes {
						calls++
					}
					return changes
				}})
				failed := change(st)
				f.Set(vfs.Fault{})
				done := calls < n
				a := &st.account
				if have, there := a.used.Load()+a.removed.Load()+a.unread.Load(), blockBytes(t, f); have < there {
					t.Errorf("%s (%v): %d+%d+%d bytes are counted, and %d are there", what, failed, a.used.Load(), a.removed.Load(), a.unread.Load(), there)
				}
				_ = st.Close()
				if done {
					if failed != nil {
						t.Errorf("%s: nothing failed, and it says %v", what, failed)
					}
					break
				}
			}
		}
	}
}

// blockBytes is how many bytes the blocks take of streams that are in their place or kept.
func blockBytes(t *testing.T, fsys vfs.FS) (sum int64) {
	t.Helper()
	for _, in := range []string{streamsDir, removedDir} {
		dirs, _ := fsys.List(in)
		for _, dir := range dirs {
			if strings.HasPrefix(dir, tempPrefix) {
				continue
			}
			files, err := fsys.List(in + "/" + dir)
			fatal(t, err)
			for _, name := range files {
				if b, err := readFile(fsys, in+"/"+dir+"/"+name); strings.HasSuffix(name, ".blk") {
					fatal(t, err)
					sum += int64(len(b))
				}
			}
		}
	}
	return sum
}
