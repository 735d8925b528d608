package vfs_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"jsfs/store/internal/vfs"
	"jsfs/store/storetest"
)

// A process that may open no more files renames, removes, lists and syncs what it has, and makes a few files.
func checkAnOSWithoutDescriptors(t *testing.T, open func(*testing.T, string) *vfs.OS) {
	dir := t.TempDir()
	o := open(t, dir)
	ro, err := vfs.NewOSReadOnly(dir)
	must(t, err)
	defer ro.Close()
	must(t, o.Mkdir("d"))
	must(t, o.Mkdir("e"))
	write(t, o, "d/f", "x", 0)
	f, err := o.Open("d/f")
	must(t, err)
	defer f.Close()
	before := leading(dir)

	lift := storetest.Exhaust(t)
	namesChange := func() {
		t.Helper()
		must(t, o.Rename("d/f", "d/g"))
		must(t, o.Rename("d/g", "e/f"))
		must(t, o.Rename("e/f", "d/f"))
		must(t, o.Mkdir("d/sub"))
		must(t, o.Remove("d/sub"))
		wantErr(t, o.Remove("e/f"), syscall.ENOENT)
		must(t, o.SyncDir("d"))
		must(t, f.Sync())
		wantList(t, o, "d", "f")
		wantList(t, ro, "d", "f")
		_, err := o.Usage()
		must(t, err)
	}
	for range 2 * mostSpares {
		wantErr(t, errOf(o.Open("d/f")), syscall.EMFILE)
		namesChange()
		write(t, o, "e/new", "x", 0)
		must(t, o.Remove("e/new"))
	}
	var made []vfs.File
	for {
		f, err := o.Create(fmt.Sprint("e/", len(made)))
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		must(t, err)
		made = append(made, f)
	}
	namesChange()
	for i, f := range made {
		must(t, f.Close())
		must(t, o.Remove(fmt.Sprint("e/", i)))
	}
	write(t, o, "e/new", "x", 0)
	if got := leading(dir); got != before {
		t.Errorf("%d descriptors lead to the directory, want %d", got, before)
	}
	lift()
	if got := read(t, o, "d/f"); got != "x" {
		t.Errorf("got %q", got)
	}
}

// mostSpares is more than there are.
const mostSpares = 10

// leading counts the descriptors that lead to dir.
func leading(dir string) (n int) {
	for fd := range 1024 {
		if to, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd)); err == nil && strings.HasPrefix(to, dir) {
			n++
		}
	}
	return n
}

// Nothing is left of a directory that is closed, also where a file of it is closed later.
func checkNoDescriptorIsLeft(t *testing.T, open func(*testing.T, string) *vfs.OS) {
	dir := t.TempDir()
	o := open(t, dir)
	lift := storetest.Exhaust(t)
	f, err := o.Create("f")
	must(t, err)
	must(t, o.Close())
	must(t, f.Close())
	lift()
	if n := leading(dir); n != 0 {
		t.Errorf("%d descriptors lead to the directory", n)
	}
}

// Who opens files all the time does not get the descriptors of who needs them.
func checkNobodyTakesSpares(t *testing.T, open func(*testing.T, string) *vfs.OS) {
	for who, take := range map[string]func(o *vfs.OS){
		"the directory's": func(o *vfs.OS) {
			if f, err := o.Open("f"); err == nil {
				f.Close()
			}
		},
		"others": func(*vfs.OS) {
			if fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
				_ = unix.Close(fd)
			}
		},
	} {
		t.Run(who, func(t *testing.T) {
			o := open(t, t.TempDir())
			write(t, o, "f", "x", 0)
			storetest.Exhaust(t)
			var stop atomic.Bool
			var takers, users sync.WaitGroup
			takers.Go(func() {
				for !stop.Load() {
					take(o)
				}
			})
			for i := range 4 {
				users.Go(func() {
					a, b := fmt.Sprintf("d%d", i), fmt.Sprintf("e%d", i)
					err := errors.Join(o.Mkdir(a), o.Mkdir(b), o.Mkdir(a+"/x"))
					for range 100 {
						_, lerr := o.List(a)
						err = errors.Join(err, lerr, o.Rename(a+"/x", b+"/x"), o.Rename(b+"/x", a+"/x"))
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			users.Go(func() {
				for range 100 {
					f, err := o.Create("made")
					if err == nil {
						err = errors.Join(f.Close(), o.Remove("made"))
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
			users.Wait()
			stop.Store(true)
			takers.Wait()
		})
	}
}
