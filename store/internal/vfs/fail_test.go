package vfs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"jsfs/store/internal/vfs"
)

// calls makes every call once, each so that it succeeds on a new file system.
func calls(f vfs.FS) (errs []error) {
	add := func(err error) { errs = append(errs, err) }
	add(f.Mkdir("d"))
	file, err := f.Create("d/a")
	add(err)
	if err == nil {
		defer file.Close()
		_, err = file.WriteAt([]byte("abcdef"), 0)
		add(err)
		_, err = file.ReadAt(make([]byte, 6), 0)
		add(err)
		add(file.Truncate(4))
		add(file.Sync())
		_, err = file.Size()
		add(err)
		_, err = file.ModTime()
		add(err)
	}
	again, err := f.Open("d/a")
	add(err)
	if err == nil {
		_ = again.Close()
	}
	add(f.Rename("d/a", "d/b"))
	add(f.SyncDir("d"))
	_, err = f.List("d")
	add(err)
	add(f.Remove("d/b"))
	l, err := f.Lock("lock")
	add(err)
	if err == nil {
		_ = l.Close()
	}
	_, err = f.Usage()
	add(err)
	_, err = f.BootID()
	add(err)
	return errs
}

func TestEveryCallCanFail(t *testing.T) {
	f := vfs.NewFail(vfs.NewMem())
	for i, err := range calls(f) {
		if err != nil {
			t.Fatalf("call %d failed without a fault: %v", i, err)
		}
	}
	total := f.Calls()
	if total != 16 {
		t.Fatalf("got %d calls, want 16", total)
	}
	for k := 1; k <= total; k++ {
		for _, forGood := range []bool{false, true} {
			f := vfs.NewFail(vfs.NewMem())
			f.Set(vfs.Fault{At: k, ForGood: forGood})
			failed := 0
			for _, err := range calls(f) {
				if err != nil {
					failed++
				}
			}
			if failed == 0 || len(f.Failed()) == 0 || !forGood && len(f.Failed()) != 1 {
				t.Errorf("call %d, for good %v: %d errors came back, %q failed", k, forGood, failed, f.Failed())
			}
		}
	}
}

func TestFaultsCanBeAimed(t *testing.T) {
	f := vfs.NewFail(vfs.NewMem())
	f.Set(vfs.Fault{
		At: 2, Err: syscall.EINTR, Short: true,
		Match: func(call, name string) bool { return call == "write" && name == "a" },
	})
	write(t, f, "a", "first", 0)
	write(t, f, "b", "other", 0)
	file, err := f.Open("a")
	must(t, err)
	n, err := file.WriteAt([]byte("SECOND"), 0)
	wantErr(t, err, syscall.EINTR)
	if got := read(t, f, "a"); n != 3 || got != "SECst" {
		t.Errorf("a short write stored %d bytes: %q", n, got)
	}
	f.Set(vfs.Fault{At: 1, Short: true, Match: func(call, _ string) bool { return call == "read" }})
	buf := make([]byte, 4)
	n, err = file.ReadAt(buf, 0)
	wantErr(t, err, syscall.EIO)
	if n != 2 || string(buf[:2]) != "SE" {
		t.Errorf("a short read gave %d bytes: %q", n, buf)
	}
	f.Set(vfs.Fault{At: 1, ForGood: true, Growing: true, Match: func(call, _ string) bool { return call == "write" }})
	write(t, f, "a", "third", 0)
	if _, err := file.WriteAt([]byte("longer"), 3); err == nil {
		t.Error("a write that makes the file longer did not fail")
	}
	f.Set(vfs.Fault{})
	write(t, f, "a", "fourth", 0)
}

func TestRoomRunsOut(t *testing.T) {
	f := vfs.NewFail(vfs.NewMem())
	f.SetRoom(8)
	write(t, f, "a", "12345", 0)
	file, err := f.Open("a")
	must(t, err)
	n, err := file.WriteAt([]byte("67890"), 5)
	wantErr(t, err, syscall.ENOSPC)
	if n != 3 || read(t, f, "a") != "12345678" {
		t.Errorf("got %d, %q", n, read(t, f, "a"))
	}
	n, err = file.WriteAt([]byte("x"), 8)
	wantErr(t, err, syscall.ENOSPC)
	if n != 0 {
		t.Errorf("got %d, want 0", n)
	}
	write(t, f, "a", "over the", 0)
	f.SetRoom(-1)
	write(t, f, "a", "90", 8)
}

func TestSyncsCanBeTakenOut(t *testing.T) {
	run := func(skip int, lying bool) (syncs []string, name, data bool) {
		m := vfs.NewMem()
		f := vfs.NewFail(m)
		f.SkipSync(skip)
		f.SetLying(lying)
		file, err := f.Create("a")
		must(t, err)
		_, err = file.WriteAt([]byte("x"), 0)
		must(t, err)
		must(t, file.Sync())
		must(t, f.SyncDir("."))
		c := m.Crash(nil, 0)
		name = exists(c, "a")
		return f.Syncs(), name, name && read(t, c, "a") == "x"
	}
	for _, r := range []struct {
		skip       int
		lying      bool
		name, data bool
	}{{0, false, true, true}, {1, false, true, false}, {2, false, false, false}, {3, false, true, true}, {0, true, false, false}} {
		syncs, name, data := run(r.skip, r.lying)
		what := fmt.Sprintf("skip %d, lying %v", r.skip, r.lying)
		if name != r.name || data != r.data {
			t.Errorf("%s: name there %v, data there %v, want %v, %v", what, name, data, r.name, r.data)
		}
		if !slices.Equal(syncs, []string{"sync a", "syncdir ."}) {
			t.Errorf("%s: got syncs %q", what, syncs)
		}
	}
}

// A file whose sync failed has lost what was to be synced, and says so once.
func TestAFailedSyncLoses(t *testing.T) {
	mem := vfs.NewMem()
	f := vfs.NewFail(mem)
	file, err := f.Create("a")
	if err == nil {
		err = f.SyncDir(".")
	}
	if err == nil {
		_, err = file.WriteAt([]byte("data"), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Set(vfs.Fault{At: 1, Lost: true})
	if err := file.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("the sync that fails: %v", err)
	}
	f.Set(vfs.Fault{})
	if err := file.Sync(); err != nil {
		t.Errorf("the next one: %v", err)
	}
	size := func() int64 {
		c, err := mem.Crash(rand.New(rand.NewPCG(0, 0)), 0).Open("a")
		if err != nil {
			t.Fatal(err)
		}
		n, err := c.Size()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := size(); n != 0 {
		t.Errorf("%d bytes are there after a loss of power, want none", n)
	}
	again, err := f.Open("a")
	if err == nil {
		err = again.Sync()
	}
	if n := size(); err != nil || n != 4 {
		t.Errorf("%d bytes, %v, after it was opened again and synced, want 4", n, err)
	}
}
