package blockstore

import (
	"errors"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// losing is a disk that loses what the first sync of a block is to make durable, once it is armed: that waits until end is closed, and gives
// an error, and the syncs after it say that all is well.
type losing struct {
	hookFS
	armed      atomic.Bool
	syncs      atomic.Int64  // of blocks since then
	begun, end chan struct{} // closed when the first one begins, and to let it end
}

func newLosing() *losing {
	l := &losing{begun: make(chan struct{}), end: make(chan struct{})}
	l.hookFS = hookFS{FS: vfs.NewMem(), sync: func(name string, do func() error) error {
		if !l.armed.Load() || path.Ext(name) != ".blk" || strings.Contains(name, "/"+tempPrefix) {
			return do()
		}
		if l.syncs.Add(1) > 1 {
			return nil
		}
		close(l.begun)
		<-l.end
		return syscall.EIO
	}}
	return l
}

// Nobody is told that a message is on disk because somebody else was told that it is not.
func TestASyncThatFailedForOneFailedForAll(t *testing.T) {
	disk := newLosing()
	st, err := Open(&disk.hookFS, Options{asked: true})
	fatal(t, err)
	defer func() { _ = st.Close() }()
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	_, err = s.Remove(t.Context(), 1) // which nobody waits for
	fatal(t, err)
	disk.armed.Store(true)
	synced, stored := make(chan error, 1), make(chan error, 1)
	go func() { synced <- s.Sync(t.Context()) }()
	<-disk.begun
	go func() {
		_, err := s.Append(t.Context(), store.Entry{Subject: "x"})
		stored <- err
	}()
	for end := time.Now().Add(100 * time.Millisecond); disk.syncs.Load() < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	close(disk.end)
	if err := <-synced; !errors.Is(err, syscall.EIO) {
		t.Errorf("the sync gives %v, want EIO", err)
	}
	if err := <-stored; !errors.Is(err, syscall.EIO) {
		t.Errorf("a message that the sync was to make durable, too: %v, want EIO", err)
	}
}

// A sync that fails while a stream is to be truncated is not forgotten when that fails, too.
func TestASyncThatFailsWithATruncationIsKnown(t *testing.T) {
	disk := newLosing()
	st, err := Open(&disk.hookFS, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	defer func() { _ = st.Close() }()
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	d, err := s.CreateDraft(t.Context(), "draft")
	fatal(t, err)
	fatal(t, d.Close())
	for range 2 {
		_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
		fatal(t, err)
	}
	disk.armed.Store(true)
	synced := make(chan error, 1)
	go func() { synced <- s.Sync(t.Context()) }()
	<-disk.begun
	disk.create = func(name string) error {
		if !strings.Contains(name, "/"+draftsName+"/") {
			return nil
		}
		close(disk.end)
		if err := <-synced; !errors.Is(err, syscall.EIO) {
			t.Errorf("the sync gives %v, want EIO", err)
		}
		return syscall.EACCES
	}
	if _, err := st.Truncate(t.Context(), "S", 1); !errors.Is(err, syscall.EACCES) {
		t.Fatalf("truncation: got %v, want EACCES", err)
	}
	disk.create = nil
	if err := s.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Errorf("another sync gives %v, want EIO", err)
	}
}
