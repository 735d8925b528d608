package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

func TestOSMakesPrivateFiles(t *testing.T) {
	dir := t.TempDir()
	o, err := vfs.NewOS(dir)
	must(t, err)
	defer o.Close()
	must(t, o.Mkdir("d"))
	write(t, o, "d/f", "x", 0)
	l, err := o.Lock("lock")
	must(t, err)
	defer l.Close()
	for name, want := range map[string]fs.FileMode{"d": fs.ModeDir | 0o700, "d/f": 0o600, "lock": 0o600} {
		st, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if st.Mode() != want {
			t.Errorf("mode of %s: got %v, want %v", name, st.Mode(), want)
		}
	}
}

func TestOSDoesNotFollowLinksOutside(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	o, err := vfs.NewOS(dir)
	must(t, err)
	defer o.Close()
	if _, err := o.Open("link/secret"); err == nil {
		t.Error("a file outside of the root was opened")
	}
}

// What lies where a file or a directory is expected, and is a pipe, is refused: nobody may ever be at its other end.
func TestOSWaitsForNoPipe(t *testing.T) {
	dir := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, open := range []func(string) (*vfs.OS, error){vfs.NewOS, vfs.NewOSReadOnly} {
			o, err := open(dir)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := o.Open("pipe"); err == nil {
				t.Error("a pipe was opened")
			}
			if _, err := o.List("pipe"); !errors.Is(err, syscall.ENOTDIR) {
				t.Errorf("listing a pipe: got %v, want %v", err, syscall.ENOTDIR)
			}
			if _, err := o.Lock("pipe"); err == nil {
				t.Error("a pipe was locked")
			}
			o.Close()
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("it waits for the other end of a pipe")
	}
}

func TestReadOnlyOSChangesNothing(t *testing.T) {
	dir := t.TempDir()
	rw, err := vfs.NewOS(dir)
	must(t, err)
	defer rw.Close()
	write(t, rw, "a", "content", 0)
	must(t, rw.Mkdir("d"))
	ro, err := vfs.NewOSReadOnly(dir)
	must(t, err)
	defer ro.Close()

	_, err = ro.Create("b")
	wantErr(t, err, syscall.EROFS)
	wantErr(t, ro.Mkdir("e"), syscall.EROFS)
	wantErr(t, ro.Remove("a"), syscall.EROFS)
	wantErr(t, ro.Rename("a", "b"), syscall.EROFS)
	wantErr(t, ro.SyncDir("."), syscall.EROFS)
	_, err = ro.Open("d")
	wantErr(t, err, syscall.EISDIR)
	f, err := ro.Open("a")
	must(t, err)
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("a file was written")
	}
	if f.Truncate(0) == nil {
		t.Error("a file was truncated")
	}
	must(t, f.Close())
	if got := read(t, ro, "a"); got != "content" {
		t.Errorf("got %q", got)
	}
	free, err := ro.Lock("lock")
	must(t, err)
	must(t, free.Close())
	wantList(t, rw, ".", "a", "d")
}

func TestReadersShareTheLock(t *testing.T) {
	dir := t.TempDir()
	rw, err := vfs.NewOS(dir)
	must(t, err)
	defer rw.Close()
	l, err := rw.Lock("lock")
	must(t, err)
	ro, err := vfs.NewOSReadOnly(dir)
	must(t, err)
	defer ro.Close()
	_, err = ro.Lock("lock")
	wantErr(t, err, store.ErrLocked)
	must(t, l.Close())
	one, err := ro.Lock("lock")
	must(t, err)
	two, err := ro.Lock("lock")
	must(t, err)
	_, err = rw.Lock("lock")
	wantErr(t, err, store.ErrLocked)
	must(t, one.Close())
	must(t, two.Close())
	l, err = rw.Lock("lock")
	must(t, err)
	must(t, l.Close())
}
