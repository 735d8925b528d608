package blockstore

import (
	"context"
	"fmt"
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
	readers := map[string]func(ctx context.Context, st *Store, inc uint64) error{
		"a message": func(ctx context.Context, st *Store, inc uint64) error {
			m, err := st.LoadRemoved(ctx, inc, 1, nil)
			if err == nil && string(m.Data) != "data" {
				err = fmt.Errorf("got %q", m.Data)
			}
			return err
		},
		"what is told of it": func(ctx context.Context, st *Store, inc uint64) error {
			list, err := st.RemovedStreams(ctx)
			if err == nil && (len(list) != 1 || list[0].Incarnation != inc || list[0].Messages != 1 || list[0].Bytes != 4) {
				err = fmt.Errorf("got %+v", list)
			}
			return err
		},
	}
	for what, read := range readers {
		t.Run(what, func(t *testing.T) { readBesidesOthers(t, read) })
	}
}

func readBesidesOthers(t *testing.T, read func(ctx context.Context, st *Store, inc uint64) error) {
	t.Helper()
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
	_, err = st.Usage(t.Context()) // it looks how large the removed one is
	fatal(t, err)

	opens, goOn := make(chan struct{}), make(chan struct{})
	var slow atomic.Bool
	slow.Store(true)
	fsys.open = func(name string) error {
		if strings.HasPrefix(name, removedDir+"/") && strings.HasSuffix(name, ".blk") && slow.CompareAndSwap(true, false) {
			close(opens)
			<-goOn
		}
		return nil
	}
	done, found := make(chan error, 1), make(chan error, 1)
	go func() { done <- read(context.Background(), st, made.Incarnation()) }()
	<-opens
	go func() {
		_, err := st.Stream(context.Background(), "OTHER")
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
	fatal(t, <-done)
	now.Add(int64(2 * time.Hour))
	fatal(t, st.Reclaim(t.Context()))
	if after, err := fsys.List(removedDir); err != nil || len(after) != 0 {
		t.Errorf("when nobody reads it any more: %q, %v", after, err)
	}
}
