package blockstore

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestABlockThatCouldNotBeReplacedIsCachedAgain has no more files to be opened when two blocks are to become one: they are read as before
// then, with what is kept of them in memory, and no file of theirs stays open.
func TestABlockThatCouldNotBeReplacedIsCachedAgain(t *testing.T) {
	var opens atomic.Int64
	var armed atomic.Bool
	fsys := &hookFS{FS: vfs.NewMem()}
	fsys.open = func(name string) error {
		if armed.Load() && strings.HasSuffix(name, ".blk") && opens.Add(1) == 2 { // the first is held by then
			return syscall.EMFILE
		}
		return nil
	}
	st, err := Open(fsys, Options{Sync: SyncNever, BlockSize: 8 << 10, asked: true, KeepDeleted: -1})
	fatal(t, err)
	defer st.Close()
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	s := made.(*Stream)
	for range 30 {
		_, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 500)})
		fatal(t, err)
	}
	for seq := store.Seq(1); seq <= 30; seq++ {
		if seq%3 != 0 {
			_, err := s.Remove(t.Context(), seq)
			fatal(t, err)
		}
	}
	load := func() {
		for seq := store.Seq(3); seq <= 30; seq += 3 {
			_, err := s.Load(t.Context(), seq, nil)
			fatal(t, err)
		}
	}
	load() // which opens the files
	old := s.cur.Load().blocks
	armed.Store(true)
	err = st.Reclaim(t.Context())
	armed.Store(false)
	if !errors.Is(err, syscall.EMFILE) || s.cur.Load().blocks[0] != old[0] {
		t.Fatalf("reclaim: got %v, want EMFILE, and the old blocks", err)
	}
	if n := st.held.Load(); n != 0 {
		t.Errorf("%d files are held", n)
	}
	s.cache.drop(old[:2])
	load()
	if old[0].index.Load() == nil || old[1].index.Load() == nil {
		t.Error("nothing is kept of the blocks in memory")
	}
	fatal(t, st.Reclaim(t.Context()))
	if s.cur.Load().blocks[0] == old[0] {
		t.Error("the blocks are not written anew later")
	}
}
