package blockstore

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestARemovedStreamIsReadBesidesOthers reads a removed stream while the disk takes its time: streams are found meanwhile, and the one
// that is read is not taken away, though its time is over.
func TestARemovedStreamIsReadBesidesOthers(t *testing.T) {
	var now atomic.Int64
	now.Store(1.7e18)
	fsys := &hookFS{FS: vfs.NewMem()}
	st, err := Open(fsys, Options{Sync: SyncNever, asked: true, KeepDeleted: time.Hour, Now: now.Load})
	fatal(t, err)
	defer st.Close()
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	seq, err := made.Append(t.Context(), store.Entry{Subject: "x", Data: []byte("data")})
	fatal(t, err)
	_, err = made.Remove(t.Context(), seq)
	fatal(t, err)
	fatal(t, st.Remove(t.Context(), "S"))
	_, err = st.Create(t.Context(), store.Config{Name: "OTHER"})
	fatal(t, err)

	_, err = st.RemovedStreams(t.Context()) // it looks what there is
	fatal(t, err)
	opens, goOn, slow := make(chan struct{}), make(chan struct{}), atomic.Bool{}
	slow.Store(true)
	fsys.open = func(name string) error {
		if strings.HasPrefix(name, removedDir+"/") && strings.HasSuffix(name, ".blk") && slow.CompareAndSwap(true, false) {
			close(opens)
			<-goOn
		}
		return nil
	}
	read := make(chan error, 1)
	go func() {
		m, err := st.LoadRemoved(t.Context(), made.Incarnation(), seq, nil)
		if err == nil && string(m.Data) != "data" {
			t.Errorf("got %q", m.Data)
		}
		read <- err
	}()
	<-opens
	found := make(chan error, 1)
	go func() {
		_, err := st.Stream(t.Context(), "OTHER")
		found <- err
	}()
	select {
	case err := <-found:
		fatal(t, err)
	case <-time.After(10 * time.Second):
		t.Error("another stream is not found while the disk works")
		close(goOn)
		return
	}
	before, err := fsys.List(removedDir)
	fatal(t, err)
	now.Add(int64(2 * time.Hour))
	fatal(t, st.Reclaim(t.Context()))
	if after, err := fsys.List(removedDir); err != nil || len(before) != 1 || len(after) != 1 || after[0] != before[0] {
		t.Errorf("removed streams: %q, and %q while one is read: %v", before, after, err)
	}
	now.Add(-int64(2 * time.Hour))
	close(goOn)
	fatal(t, <-read)
	now.Add(int64(2 * time.Hour))
	fatal(t, st.Reclaim(t.Context()))
	if after, err := fsys.List(removedDir); err != nil || len(after) != 0 {
		t.Errorf("when nobody reads it any more: %q, %v", after, err)
	}
}
