package blockstore_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestRestoringInPartTellsTheCause has the sync of the second block fail while messages of both are restored. What became of the first ones
// nobody knows, so the error must be the disk's: that the stream was read-only would say that nothing was stored.
func TestRestoringInPartTellsTheCause(t *testing.T) {
	f := vfs.NewFail(vfs.NewMem())
	s, err := openTrial(f, blockstore.Asked(blockstore.Options{Sync: blockstore.SyncAlways, BlockSize: 8 << 10}))
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	_, err = st.Append(bg, store.Entry{Subject: "x"})
	must(t, err)
	var ms []store.Msg
	for seq := store.Seq(2); seq < 9; seq++ {
		ms = append(ms, store.Msg{Meta: store.Meta{Seq: seq, Time: 1}, Subject: "x", Data: []byte(strings.Repeat("x", 3000))})
	}
	f.Set(vfs.Fault{At: 1, Err: syscall.ENOSPC, Match: func(call, name string) bool { return call == "sync" && strings.HasSuffix(name, "2.blk") }})
	if n, err := st.RestoreAll(bg, ms); n != 0 || !errors.Is(err, syscall.ENOSPC) || errors.Is(err, store.ErrReadOnly) {
		t.Errorf("got %d, %v, want %v", n, err, syscall.ENOSPC)
	}
	if err := st.Restore(bg, ms[6]); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("after that: got %v, want %v", err, store.ErrReadOnly)
	}
	_ = s.Close()
}
