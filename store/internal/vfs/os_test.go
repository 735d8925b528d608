package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
	case <-time.After(time.Minute):
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

// With openat2(2) and without it all is the same.
func TestOS(t *testing.T) {
	for how, slowly := range map[string]bool{"openat2": false, "step by step": true} {
		open := func(t *testing.T, dir string) *vfs.OS {
			o, err := vfs.NewOS(dir)
			must(t, err)
			t.Cleanup(func() { o.Close() })
			if slowly {
				o.Slowly()
			}
			return o
		}
		t.Run(how, func(t *testing.T) {
			t.Run("links inside", func(t *testing.T) { checkOSFollowsLinksInside(t, open) })
			t.Run("outside", func(t *testing.T) { checkOSChangesNothingOutside(t, open) })
			t.Run("closed", func(t *testing.T) { checkAClosedOSDoesNothing(t, open) })
			t.Run("errors", func(t *testing.T) { checkErrorsOfTheOSAreTheSystems(t, open) })
			t.Run("no descriptors", func(t *testing.T) { checkAnOSWithoutDescriptors(t, open) })
			t.Run("none left", func(t *testing.T) { checkNoDescriptorIsLeft(t, open) })
			t.Run("none taken", func(t *testing.T) { checkNobodyTakesSpares(t, open) })
		})
	}
}

// Links inside of the directory are followed.
func checkOSFollowsLinksInside(t *testing.T, open func(*testing.T, string) *vfs.OS) {
	dir := t.TempDir()
	o := open(t, dir)
	must(t, o.Mkdir("d"))
	must(t, os.Symlink("d", filepath.Join(dir, "link")))
	write(t, o, "link/f", "x", 0)
	wantList(t, o, "d", "f")
	must(t, o.Rename("link/f", "link/g"))
	must(t, o.Rename("link/g", "h"))
	must(t, o.Rename("h", "link/i"))
	must(t, o.Mkdir("link/e"))
	wantList(t, o, "d", "e", "i")
	must(t, o.Remove("link/e"))
	must(t, o.Remove("link/i"))
	wantList(t, o, "d")
	must(t, o.Remove("link")) // the link itself
	wantList(t, o, ".", "d")
}

func checkOSChangesNothingOutside(t *testing.T, open func(*testing.T, string) *vfs.OS) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "f"), []byte("x"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	must(t, os.WriteFile(filepath.Join(dir, "mine"), []byte("x"), 0o600))
	o := open(t, dir)
	_, err := o.Create("link/new")
	for what, err := range map[string]error{
		"create": err, "mkdir": o.Mkdir("link/d"), "remove": o.Remove("link/f"), "remove by ..": o.Remove("../" + filepath.Base(outside) + "/f"),
		"rename out": o.Rename("mine", "link/mine"), "rename in": o.Rename("link/f", "f"),
		"rename there": o.Rename("link/f", "link/g"), "sync": o.SyncDir("link"),
	} {
		if err == nil {
			t.Errorf("%s: it was done outside of the root", what)
		}
	}
	_, err = o.Open("link/f")
	_, listErr := o.List("link")
	for what, err := range map[string]error{"open": err, "list": listErr, "create": errOf(o.Create("link/new"))} {
		if err == nil || errors.As(err, new(syscall.Errno)) {
			t.Errorf("%s: got %v, want that it leads outside, which is no error of the system", what, err)
		}
	}
	left, err := os.ReadDir(outside)
	must(t, err)
	if len(left) != 1 || left[0].Name() != "f" {
		t.Errorf("outside are %v, want f alone", left)
	}
}

func errOf(_ vfs.File, err error) error { return err }

// A directory that is closed is not mistaken for what has its descriptor by then.
func checkAClosedOSDoesNothing(t *testing.T, open func(*testing.T, string) *vfs.OS) {
	dir := t.TempDir()
	o := open(t, dir)
	write(t, o, "f", "x", 0)
	must(t, o.Close())
	for range 20 { // some of these get the descriptors
		d, err := os.Open(dir)
		must(t, err)
		defer d.Close()
	}
	_, err := o.Open("f")
	wantErr(t, err, fs.ErrClosed)
	wantErr(t, o.Remove("f"), fs.ErrClosed)
	wantErr(t, o.Rename("f", "g"), fs.ErrClosed)
	wantErr(t, o.Mkdir("d"), fs.ErrClosed)
}

// What a caller learns of an error is what the system says.
func checkErrorsOfTheOSAreTheSystems(t *testing.T, open func(*testing.T, string) *vfs.OS) {
	o := open(t, t.TempDir())
	must(t, o.Mkdir("d"))
	write(t, o, "d/f", "x", 0)
	_, err := o.Open("no")
	wantErr(t, err, fs.ErrNotExist)
	_, err = o.Create("d/f")
	wantErr(t, err, fs.ErrExist)
	_, err = o.Open("d/f/g")
	wantErr(t, err, syscall.ENOTDIR)
	wantErr(t, o.Mkdir("d"), fs.ErrExist)
	wantErr(t, o.Mkdir("no/d"), fs.ErrNotExist)
	wantErr(t, o.Remove("d"), syscall.ENOTEMPTY)
	wantErr(t, o.Remove("no"), fs.ErrNotExist)
	wantErr(t, o.Remove("d/f/g"), syscall.ENOTDIR)
	wantErr(t, o.Rename("no", "yes"), fs.ErrNotExist)
	wantErr(t, o.Rename("d/f", "no/f"), fs.ErrNotExist)
}

// TestReadsAreNotNoted looks at the flags of files that are opened and made.
func TestReadsAreNotNoted(t *testing.T) {
	o, err := vfs.NewOS(t.TempDir())
	must(t, err)
	defer o.Close()
	flags := func(f vfs.File, err error) {
		t.Helper()
		must(t, err)
		defer f.Close()
		got, err := unix.FcntlInt(f.(interface{ Fd() uintptr }).Fd(), unix.F_GETFL, 0)
		if err != nil || got&unix.O_NOATIME == 0 {
			t.Errorf("flags are %#x, %v, without O_NOATIME", got, err)
		}
	}
	flags(o.Create("f"))
	flags(o.Open("f"))
}
