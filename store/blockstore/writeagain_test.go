package blockstore

import (
	"errors"
	"path"
	"sync"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// forgetfulFS is a system that takes for written what a sync of a block could not write: no later one tries again.
type forgetfulFS struct {
	vfs.FS
	mu          sync.Mutex // guards the rest
	fails       bool       // the next sync of a block
	dirty, lost map[place]bool
}

// place is a byte of a file.
type place struct {
	name string
	off  int64
}

type forgetfulFile struct {
	vfs.File
	fs   *forgetfulFS
	name string
}

func (f *forgetfulFS) Create(name string) (vfs.File, error) { return f.file(name, f.FS.Create) }
func (f *forgetfulFS) Open(name string) (vfs.File, error)   { return f.file(name, f.FS.Open) }

func (f *forgetfulFS) file(name string, open func(string) (vfs.File, error)) (vfs.File, error) {
	file, err := open(name)
	if err != nil || path.Ext(name) != ".blk" {
		return file, err
	}
	return forgetfulFile{file, f, name}, nil
}

func (f forgetfulFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	for i := range b {
		at := place{f.name, off + int64(i)}
		f.fs.dirty[at] = true
		delete(f.fs.lost, at)
	}
	return f.File.WriteAt(b, off)
}

func (f forgetfulFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	failed := f.fs.fails
	f.fs.fails = false
	for at := range f.fs.dirty {
		if at.name == f.name {
			delete(f.fs.dirty, at)
			if failed {
				f.fs.lost[at] = true
			}
		}
	}
	if failed {
		return syscall.EIO
	}
	return f.File.Sync()
}

// TestWhatASyncLostIsWrittenAgain opens a stream again that failed as a sync of its newest block did, and syncs it.
func TestWhatASyncLostIsWrittenAgain(t *testing.T) {
	big := store.Entry{Subject: "x", Data: make([]byte, 900)}
	for what, fails := range map[string]func(s store.Stream) error{
		"a sync": func(s store.Stream) error { return s.Sync(t.Context()) },
		"a seal": func(s store.Stream) error {
			_, err := s.Append(t.Context(), big)
			return err
		},
	} {
		disk := &forgetfulFS{FS: vfs.NewMem(), dirty: map[place]bool{}, lost: map[place]bool{}}
		opt := Options{Sync: SyncNever, BlockSize: minBlockSize, asked: true}
		st, err := Open(disk, opt)
		fatal(t, err)
		s, err := st.Create(t.Context(), store.Config{Name: "S"})
		fatal(t, err)
		_, err = s.Append(t.Context(), big)
		fatal(t, err)
		disk.mu.Lock()
		disk.fails = true
		disk.mu.Unlock()
		if err := fails(s); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s gives %v, want EIO", what, err)
		}
		_ = st.Close()
		if len(disk.lost) == 0 {
			t.Errorf("%s loses nothing", what)
		}
		st, err = Open(disk, opt)
		fatal(t, err)
		s, err = st.Stream(t.Context(), "S")
		fatal(t, err)
		fatal(t, s.Sync(t.Context()))
		if n := len(disk.lost); n > 0 {
			t.Errorf("%s failed, and another one when the stream was opened again left %d bytes that are not on disk", what, n)
		}
		fatal(t, st.Close())
	}
}
