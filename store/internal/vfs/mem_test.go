package vfs_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jsfs/store/internal/vfs"
)

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func exists(f vfs.FS, name string) bool {
	_, err := f.Open(name)
	return !errors.Is(err, fs.ErrNotExist)
}

// durable makes a file whose name and bytes are durable.
func durable(t *testing.T, m *vfs.Mem, name, data string) vfs.File {
	t.Helper()
	f, err := m.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(data), 0)
	must(t, err)
	must(t, f.Sync())
	must(t, m.SyncDir("."))
	return f
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	m := vfs.NewMem()
	f := durable(t, m, "a", "synced")
	_, err := f.WriteAt([]byte("SYNCED, and more"), 0)
	must(t, err)
	lost, all := m.Crash(rng(), 0), m.Crash(rng(), 100)
	if got := read(t, lost, "a"); got != "synced" {
		t.Errorf("without what was not synced: got %q", got)
	}
	if got := read(t, all, "a"); got != "SYNCED, and more" {
		t.Errorf("with what was not synced: got %q", got)
	}
	if got := read(t, lost.Crash(rng(), 0), "a"); got != "synced" {
		t.Errorf("after a second crash: got %q", got)
	}
}

func TestCrashLosesNamesThatWereNotSynced(t *testing.T) {
	m := vfs.NewMem()
	durable(t, m, "stays", "")
	durable(t, m, "removed", "r")
	durable(t, m, "old", "o")
	write(t, m, "new", "n", 0)
	must(t, m.Remove("removed"))
	must(t, m.Rename("old", "renamed"))
	must(t, m.Mkdir("dir"))
	write(t, m, "dir/x", "x", 0)
	must(t, m.SyncDir("dir"))
	wantList(t, m.Crash(rng(), 0), ".", "old", "removed", "stays")
	wantList(t, m.Crash(rng(), 100), ".", "dir", "new", "renamed", "stays")
	must(t, m.SyncDir("."))
	after := m.Crash(rng(), 0)
	wantList(t, after, ".", "dir", "new", "renamed", "stays")
	if got := read(t, after, "new"); got != "" {
		t.Errorf("bytes that were not synced: got %q", got)
	}
}

func TestCrashMayKeepAPart(t *testing.T) {
	m := vfs.NewMem()
	f := durable(t, m, "a", strings.Repeat("o", 8192))
	_, err := f.WriteAt([]byte(strings.Repeat("n", 8192)), 0)
	must(t, err)
	for i := range 4 {
		write(t, m, string(rune('p'+i)), "", 0)
	}
	r := rng()
	torn, names := false, map[int]bool{}
	for range 50 {
		c := m.Crash(r, 50)
		got := read(t, c, "a")
		for s := 0; s < len(got); s += 512 {
			sector := got[s : s+512]
			if sector != strings.Repeat("o", 512) && sector != strings.Repeat("n", 512) {
				t.Fatalf("sector at %d is torn", s)
			}
			torn = torn || sector[0] != got[0]
		}
		list, err := c.List(".")
		must(t, err)
		names[len(list)] = true
	}
	if !torn || len(names) < 3 {
		t.Errorf("in 50 crashes: a file in parts %v, %d numbers of names", torn, len(names))
	}
}

func TestCrashMayKeepTheSizeWithoutTheBytes(t *testing.T) {
	m := vfs.NewMem()
	f := durable(t, m, "a", "")
	_, err := f.WriteAt([]byte(strings.Repeat("n", 700)), 0)
	must(t, err)
	r, seen := rng(), map[string]bool{}
	for range 100 {
		got := read(t, m.Crash(r, 50), "a")
		if len(got) != 0 && len(got) != 700 {
			t.Fatalf("got %d bytes", len(got))
		}
		seen[strings.Trim(got, "\x00")+"/"+string(rune('0'+min(len(got), 1)))] = true
	}
	if !seen["/1"] || !seen["/0"] {
		t.Errorf("zeros and nothing were not both seen: %d outcomes", len(seen))
	}
}

func TestRenameInADirectoryIsOneStep(t *testing.T) {
	m := vfs.NewMem()
	durable(t, m, "a", "A")
	must(t, m.Rename("a", "b"))
	r := rng()
	for range 30 {
		c := m.Crash(r, 50)
		if exists(c, "a") == exists(c, "b") {
			t.Fatal("both names or none")
		}
	}
}

func TestCrashAndOriginalGoOnIndependently(t *testing.T) {
	m := vfs.NewMem()
	f := durable(t, m, "a", "one")
	for _, c := range []*vfs.Mem{m.Crash(rng(), 0), m.Crash(rng(), 100), m.Kill()} {
		write(t, c, "a", "two", 0)
		if got := read(t, m, "a"); got != "one" {
			t.Errorf("a write to the copy reached the original: %q", got)
		}
		_, err := f.WriteAt([]byte("six"), 0)
		must(t, err)
		if got := read(t, c, "a"); got != "two" {
			t.Errorf("a write to the original reached the copy: %q", got)
		}
		_, err = f.WriteAt([]byte("one"), 0)
		must(t, err)
	}
}

func TestKillKeepsEverythingButDurability(t *testing.T) {
	m := vfs.NewMem()
	l, err := m.Lock("lock")
	must(t, err)
	f := durable(t, m, "a", "synced")
	_, err = f.WriteAt([]byte("killed"), 0)
	must(t, err)
	write(t, m, "new", "n", 0)
	k := m.Kill()
	if got := read(t, k, "a"); got != "killed" || !exists(k, "new") {
		t.Errorf("got %q, want killed", got)
	}
	free, err := k.Lock("lock")
	must(t, err)
	must(t, free.Close())
	c := k.Crash(rng(), 0)
	if got := read(t, c, "a"); got != "synced" || exists(c, "new") {
		t.Errorf("after a kill and a crash: got %q, want synced", got)
	}
	must(t, l.Close())
	boots := map[string]bool{}
	for _, f := range []*vfs.Mem{m, k, c} {
		id, err := f.BootID()
		must(t, err)
		boots[id] = true
	}
	if len(boots) != 2 {
		t.Errorf("got %d boot ids of original, killed and crashed, want 2", len(boots))
	}
}

func TestHookIsCalledBeforeEachChange(t *testing.T) {
	m := vfs.NewMem()
	var ops []string
	m.Hook = func(op string) {
		ops = append(ops, op)
		m.Crash(rng(), 50)
		if strings.HasPrefix(op, "create") && exists(m, "a") {
			t.Error("the hook came behind the change")
		}
	}
	f, err := m.Create("a")
	must(t, err)
	_, err = f.WriteAt([]byte("abc"), 5)
	must(t, err)
	must(t, f.Truncate(2))
	must(t, f.Sync())
	must(t, m.Mkdir("d"))
	must(t, m.Rename("a", "b"))
	must(t, m.SyncDir("."))
	must(t, m.Remove("b"))
	want := []string{"create a", "write a 5+3", "truncate a 2", "sync a", "mkdir d", "rename a b", "syncdir .", "remove b"}
	if !slices.Equal(ops, want) {
		t.Errorf("got %q, want %q", ops, want)
	}
}

func TestMemLimit(t *testing.T) {
	m := vfs.NewMem()
	m.SetLimit(3 * 4096)
	f := durable(t, m, "a", strings.Repeat("x", 4096))
	n, err := f.WriteAt(make([]byte, 20_000), 4000)
	wantErr(t, err, syscall.ENOSPC)
	if n != 3*4096-4000 {
		t.Errorf("a short write stored %d bytes, want %d", n, 3*4096-4000)
	}
	_, err = f.WriteAt([]byte("in place"), 0)
	must(t, err)
	wantErr(t, m.Mkdir("d"), syscall.ENOSPC)
	u, err := m.Usage()
	must(t, err)
	if u.Total != 3*4096 || u.Free != 0 {
		t.Errorf("got %+v", u)
	}
	must(t, f.Truncate(4096))
	must(t, m.Mkdir("d"))
	write(t, m, "d/b", "x", 0)
	must(t, m.Remove("d/b"))
	write(t, m, "d/c", "x", 0)
	must(t, m.Remove("a"))
	if _, err := f.WriteAt(make([]byte, 4096), 4096); err == nil {
		t.Error("a removed file that is open takes no space")
	}
	must(t, f.Close())
	write(t, m, "e", "x", 0)
	if u, _ := m.Kill().Usage(); u.Free != 0 {
		t.Errorf("the copy has %d bytes free, want 0", u.Free)
	}
}
