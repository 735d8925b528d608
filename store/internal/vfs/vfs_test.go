package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

func newOS(t *testing.T) *vfs.OS {
	t.Helper()
	o, err := vfs.NewOS(t.TempDir())
	must(t, err)
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// implementations are what the conformance test runs over.
var implementations = map[string]func(t *testing.T) vfs.FS{
	"OS":        func(t *testing.T) vfs.FS { return newOS(t) },
	"Mem":       func(*testing.T) vfs.FS { return vfs.NewMem() },
	"Crash":     func(*testing.T) vfs.FS { return vfs.NewMem().Crash(nil, 0) },
	"Fail(Mem)": func(*testing.T) vfs.FS { return vfs.NewFail(vfs.NewMem()) },
	"Fail(OS)":  func(t *testing.T) vfs.FS { return vfs.NewFail(newOS(t)) },
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func wantErr(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got error %v, want %v", err, target)
	}
}

// write makes a file, or writes to it.
func write(t *testing.T, f vfs.FS, name, data string, off int64) {
	t.Helper()
	file, err := f.Create(name)
	if errors.Is(err, fs.ErrExist) {
		file, err = f.Open(name)
	}
	must(t, err)
	n, err := file.WriteAt([]byte(data), off)
	must(t, err)
	if n != len(data) {
		t.Errorf("wrote %d bytes, want %d", n, len(data))
	}
	must(t, file.Close())
}

func read(t *testing.T, f vfs.FS, name string) string {
	t.Helper()
	file, err := f.Open(name)
	must(t, err)
	size, err := file.Size()
	must(t, err)
	b := make([]byte, size)
	if n, err := file.ReadAt(b, 0); n != len(b) {
		t.Errorf("read %d bytes of %d: %v", n, len(b), err)
	}
	must(t, file.Close())
	return string(b)
}

func wantList(t *testing.T, f vfs.FS, dir string, want ...string) {
	t.Helper()
	got, err := f.List(dir)
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("list of %s: got %q, want %q", dir, got, want)
	}
}

func TestConformance(t *testing.T) {
	cases := []struct {
		name string
		run  func(t *testing.T, f vfs.FS)
	}{
		{"what is written is read", writtenIsRead},
		{"files of many pages", manyPages},
		{"names", names},
		{"renames", renames},
		{"an open file outlives its name", outlives},
		{"the lock has one holder", lock},
		{"usage and boot id", usage},
		{"parallel use", parallel},
	}
	for name, open := range implementations {
		for _, c := range cases {
			t.Run(name+"/"+strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { c.run(t, open(t)) })
		}
	}
}

func writtenIsRead(t *testing.T, f vfs.FS) {
	file, err := f.Create("a")
	must(t, err)
	for _, w := range []struct {
		data string
		off  int64
		want string
	}{
		{"hello", 0, "hello"}, {"J", 0, "Jello"}, {"!", 7, "Jello\x00\x00!"}, {"", 20, "Jello\x00\x00!"},
	} {
		n, err := file.WriteAt([]byte(w.data), w.off)
		must(t, err)
		if n != len(w.data) || read(t, f, "a") != w.want {
			t.Errorf("wrote %q at %d: got %d, %q, want %q", w.data, w.off, n, read(t, f, "a"), w.want)
		}
	}
	buf := make([]byte, 3)
	n, err := file.ReadAt(buf, 7)
	if n != 1 || buf[0] != '!' || err != io.EOF {
		t.Errorf("read over the end: got %d %v", n, err)
	}
	n, err = file.ReadAt(buf, 100)
	if n != 0 || err != io.EOF {
		t.Errorf("read beyond the end: got %d %v", n, err)
	}
	must(t, file.Truncate(2))
	must(t, file.Truncate(4))
	if got := read(t, f, "a"); got != "Je\x00\x00" {
		t.Errorf("after truncating: got %q", got)
	}
	must(t, file.Sync())
	if mod, err := file.ModTime(); err != nil || mod == 0 {
		t.Errorf("got time %d, %v", mod, err)
	}
	must(t, file.Close())
	_, err = file.ReadAt(buf, 0)
	wantErr(t, err, fs.ErrClosed)
	_, err = file.WriteAt(buf, 0)
	wantErr(t, err, fs.ErrClosed)
	wantErr(t, file.Sync(), fs.ErrClosed)
	wantErr(t, file.Truncate(0), fs.ErrClosed)
	wantErr(t, file.Close(), fs.ErrClosed)
	_, err = file.Size()
	wantErr(t, err, fs.ErrClosed)
	_, err = file.ModTime()
	wantErr(t, err, fs.ErrClosed)
}

func manyPages(t *testing.T, f vfs.FS) {
	file, err := f.Create("a")
	must(t, err)
	var model []byte
	for i, w := range []struct{ off, n int }{{0, 10_000}, {4095, 2}, {8192, 4096}, {30_000, 5}, {12_288, 1}, {29_999, 3}} {
		p := bytes.Repeat([]byte{byte('a' + i)}, w.n)
		if grow := w.off + w.n - len(model); grow > 0 {
			model = append(model, make([]byte, grow)...)
		}
		copy(model[w.off:], p)
		_, err := file.WriteAt(p, int64(w.off))
		must(t, err)
	}
	for _, size := range []int{30_004, 8192, 20_000, 5000, 4096, 4095, 9000, 0, 1} {
		must(t, file.Truncate(int64(size)))
		model = append(model[:min(size, len(model))], make([]byte, max(0, size-len(model)))...)
		if got := read(t, f, "a"); got != string(model) {
			t.Errorf("truncated to %d: contents differ", size)
		}
	}
	must(t, file.Close())
}

func names(t *testing.T, f vfs.FS) {
	wantList(t, f, ".")
	write(t, f, "b", "", 0)
	write(t, f, "a", "", 0)
	must(t, f.Mkdir("d"))
	write(t, f, "d/x", "in d", 0)
	wantList(t, f, ".", "a", "b", "d")
	wantList(t, f, "d", "x")
	must(t, f.SyncDir("d"))
	must(t, f.SyncDir("."))
	_, err := f.Create("a")
	wantErr(t, err, fs.ErrExist)
	_, err = f.Create("d")
	wantErr(t, err, fs.ErrExist)
	wantErr(t, f.Mkdir("a"), fs.ErrExist)
	_, err = f.Open("none")
	wantErr(t, err, fs.ErrNotExist)
	_, err = f.Open("none/x")
	wantErr(t, err, fs.ErrNotExist)
	_, err = f.Create("none/x")
	wantErr(t, err, fs.ErrNotExist)
	_, err = f.Create("a/x")
	wantErr(t, err, syscall.ENOTDIR)
	_, err = f.Open("d")
	wantErr(t, err, syscall.EISDIR)
	_, err = f.List("none")
	wantErr(t, err, fs.ErrNotExist)
	if _, err = f.List("a"); err == nil {
		t.Error("a file was listed")
	}
	wantErr(t, f.SyncDir("none"), fs.ErrNotExist)
	wantErr(t, f.Remove("none"), fs.ErrNotExist)
	wantErr(t, f.Remove("d"), syscall.ENOTEMPTY)
	must(t, f.Remove("d/x"))
	must(t, f.Remove("d"))
	must(t, f.Remove("a"))
	wantList(t, f, ".", "b")
	for _, outside := range []string{"../x", "/etc/passwd", "b/../../x"} {
		if _, err := f.Create(outside); err == nil {
			t.Errorf("%q was created", outside)
		}
		if _, err := f.Open(outside); err == nil {
			t.Errorf("%q was opened", outside)
		}
	}
}

func renames(t *testing.T, f vfs.FS) {
	write(t, f, "a", "A", 0)
	write(t, f, "b", "B", 0)
	must(t, f.Mkdir("d"))
	must(t, f.Mkdir("e"))
	must(t, f.Mkdir("d/sub"))
	must(t, f.Rename("a", "c"))
	must(t, f.Rename("c", "b"))
	wantList(t, f, ".", "b", "d", "e")
	if got := read(t, f, "b"); got != "A" {
		t.Errorf("got %q, want A", got)
	}
	must(t, f.Rename("b", "d/b"))
	must(t, f.Rename("d/b", "d/b"))
	if got := read(t, f, "d/b"); got != "A" {
		t.Errorf("got %q, want A", got)
	}
	must(t, f.Rename("d/sub", "sub"))
	must(t, f.Rename("d", "sub/d"))
	wantList(t, f, ".", "e", "sub")
	wantList(t, f, "sub/d", "b")
	wantErr(t, f.Rename("none", "x"), fs.ErrNotExist)
	wantErr(t, f.Rename("e", "none/x"), fs.ErrNotExist)
	for _, r := range [][2]string{{"sub", "sub/d/x"}, {"sub/d/b", "e"}, {"e", "sub"}, {"e", "sub/d/b"}} {
		if f.Rename(r[0], r[1]) == nil {
			t.Errorf("%s was renamed to %s", r[0], r[1])
		}
	}
	wantList(t, f, "sub/d", "b")
}

func outlives(t *testing.T, f vfs.FS) {
	file, err := f.Create("a")
	must(t, err)
	_, err = file.WriteAt([]byte("old"), 0)
	must(t, err)
	must(t, f.Remove("a"))
	write(t, f, "a", "new", 0)
	_, err = file.WriteAt([]byte("er"), 3)
	must(t, err)
	must(t, file.Sync())
	b := make([]byte, 5)
	_, err = file.ReadAt(b, 0)
	if string(b) != "older" || (err != nil && err != io.EOF) {
		t.Errorf("got %q, %v", b, err)
	}
	must(t, file.Close())
	if got := read(t, f, "a"); got != "new" {
		t.Errorf("got %q, want new", got)
	}
}

func lock(t *testing.T, f vfs.FS) {
	l, err := f.Lock("lock")
	must(t, err)
	_, err = f.Lock("lock")
	wantErr(t, err, store.ErrLocked)
	if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("%q does not name the holder", err)
	}
	must(t, l.Close())
	l, err = f.Lock("lock")
	must(t, err)
	must(t, l.Close())
	wantList(t, f, ".", "lock")
}

func usage(t *testing.T, f vfs.FS) {
	u, err := f.Usage()
	must(t, err)
	if u.Total == 0 || u.Free > u.Total || u.BlockSize == 0 {
		t.Errorf("got %+v", u)
	}
	one, err := f.BootID()
	must(t, err)
	two, err := f.BootID()
	must(t, err)
	if one == "" || one != two {
		t.Errorf("got boot ids %q and %q", one, two)
	}
}

func parallel(t *testing.T, f vfs.FS) {
	shared, err := f.Create("shared")
	must(t, err)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			buf := make([]byte, 100)
			for i := range 50 {
				name := fmt.Sprintf("f%d-%d", w, i)
				own, err := f.Create(name)
				if err != nil {
					t.Error(err)
					return
				}
				_, e1 := own.WriteAt(buf, 0)
				_, e2 := shared.WriteAt(buf, int64(1000*w))
				_, e3 := shared.ReadAt(buf[:1], 0)
				_, e4 := f.List(".")
				if err := errors.Join(e1, e2, e3, e4, shared.Sync(), own.Close(), f.Rename(name, name+"x"), f.Remove(name+"x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, shared.Close())
	wantList(t, f, ".", "shared")
}
