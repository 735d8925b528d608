package blockstore

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// hookFS calls a function before files are made or opened, which may wait, or refuse it, and one in the place of syncs.
type hookFS struct {
	vfs.FS
	create, open func(name string) error
	sync         func(name string, do func() error) error
}

func (h *hookFS) Create(name string) (vfs.File, error) {
	if h.create != nil {
		if err := h.create(name); err != nil {
			return nil, err
		}
	}
	return h.file(name, h.FS.Create)
}

func (h *hookFS) Open(name string) (vfs.File, error) {
	if h.open != nil {
		if err := h.open(name); err != nil {
			return nil, err
		}
	}
	return h.file(name, h.FS.Open)
}

func (h *hookFS) file(name string, open func(name string) (vfs.File, error)) (vfs.File, error) {
	f, err := open(name)
	if err != nil || h.sync == nil {
		return f, err
	}
	return hookFile{f, h, name}, nil
}

// hookFile is a file of a hookFS whose syncs are another's.
type hookFile struct {
	vfs.File
	fs   *hookFS
	name string
}

func (f hookFile) Sync() error { return f.fs.sync(f.name, f.File.Sync) }

// TestWhatComesWhileATruncationFailsIsNotForgotten lets the time come to sync a stream, and to remove its oldest message, while it takes no
// change because it is to be truncated. That fails, and then both happen.
func TestWhatComesWhileATruncationFailsIsNotForgotten(t *testing.T) {
	fsys := &hookFS{FS: vfs.NewMem()}
	st, err := Open(fsys, Options{Sync: SyncInterval, Interval: 200 * time.Millisecond, asked: true})
	fatal(t, err)
	defer st.Close()
	made, err := st.Create(t.Context(), store.Config{Name: "S", MaxAge: 300 * time.Millisecond})
	fatal(t, err)
	s := made.(*Stream)
	d, err := s.CreateDraft(t.Context(), "draft")
	fatal(t, err)
	fatal(t, d.Close())
	for range 2 {
		_, err = s.Append(t.Context(), store.Entry{Subject: "x", Data: []byte("data")})
		fatal(t, err)
	}
	fsys.create = func(name string) error {
		if !strings.Contains(name, "/"+draftsName+"/") {
			return nil
		}
		waitFor(t, "both are due", func() bool {
			s.wmu.Lock()
			defer s.wmu.Unlock()
			return s.w.failed != nil && s.w.timer == nil && s.lim.timer == nil
		})
		return syscall.EIO
	}
	if _, err := st.Truncate(t.Context(), "S", 1); !errors.Is(err, syscall.EIO) {
		t.Fatalf("truncation: got %v, want EIO", err)
	}
	fsys.create = nil
	waitFor(t, "all is synced, and too old", func() bool {
		s.wmu.Lock()
		defer s.wmu.Unlock()
		return s.w.synced == s.w.end && s.cur.Load().live.Messages == 0
	})
}

// TestNothingIsPlannedForAClosedStream closes a stream that has something to do at its end.
func TestNothingIsPlannedForAClosedStream(t *testing.T) {
	st, err := Open(vfs.NewMem(), Options{Sync: SyncInterval, Interval: time.Second, asked: true})
	fatal(t, err)
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	s := made.(*Stream)
	seq, err := s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	s.lim.unwanted = append(s.lim.unwanted, seq) // as if there had been no room to remove it
	fatal(t, st.Close())
	if s.w.timer != nil {
		t.Error("a sync is planned")
	}
}
