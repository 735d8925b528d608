package blockstore

import (
	"sync/atomic"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// countFS counts the files that are open.
type countFS struct {
	vfs.FS
	open atomic.Int64
}

type countedFile struct {
	vfs.File
	fs     *countFS
	closed atomic.Bool
}

func (c *countFS) Create(name string) (vfs.File, error) {
	f, err := c.FS.Create(name)
	return c.count(f, err)
}

func (c *countFS) Open(name string) (vfs.File, error) {
	f, err := c.FS.Open(name)
	return c.count(f, err)
}

func (c *countFS) count(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &countedFile{File: f, fs: c}, nil
}

func (f *countedFile) Close() error {
	if !f.closed.Swap(true) {
		f.fs.open.Add(-1)
	}
	return f.File.Close()
}

// A stream that can't be opened keeps no file open.
func TestAStreamThatCannotBeOpenedKeepsNoFileOpen(t *testing.T) {
	for _, errno := range []error{syscall.EMFILE, syscall.EIO} {
		files := &countFS{FS: vfs.NewMem()}
		fail := vfs.NewFail(files)
		st, err := Open(fail, Options{Sync: SyncNever, BlockSize: minBlockSize, asked: true})
		fatal(t, err)
		s, err := st.Create(t.Context(), store.Config{Name: "S"})
		fatal(t, err)
		for range 4 {
			_, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 900)})
			fatal(t, err)
		}
		_, err = s.Purge(t.Context(), store.Purge{})
		fatal(t, err)
		fatal(t, st.Remove(t.Context(), "S"))
		for at := 1; ; at++ {
			before, failed := files.open.Load(), len(fail.Failed())
			fail.Set(vfs.Fault{At: at, ForGood: true, Err: errno, Match: of("open", "list", "read")})
			_, err := st.LoadRemoved(t.Context(), s.Incarnation(), 1, nil)
			fail.Set(vfs.Fault{})
			if n := files.open.Load() - before; n != 0 {
				t.Errorf("%v from call %d on: %d files are left open", errno, at, n)
			}
			if len(fail.Failed()) == failed {
				fatal(t, err)
				break
			}
		}
		fatal(t, st.Close())
		if n := files.open.Load(); n != 0 {
			t.Errorf("%v: %d files are open when the store is closed", errno, n)
		}
	}
}
