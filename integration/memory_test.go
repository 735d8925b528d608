package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// memoryLimit lets a mount's server have no more than so many MiB, what the kernel keeps of its files
// included: above that, the kernel ends it.
func memoryLimit(t *testing.T, mib int) option {
	t.Helper()
	if raceBuilt {
		return func(*mnt) {} // the detector needs more
	}
	dir := memoryGroup(t, mib)
	return func(m *mnt) {
		m.wrap = []string{"sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, dir}
	}
}

// memoryGroup makes a group of processes that may have so many MiB together, and returns its directory: a process joins by its
// number in cgroup.procs.
func memoryGroup(t *testing.T, mib int) (dir string) {
	t.Helper()
	v1, v2 := "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
	parent, file := v2, "memory.max"
	if _, err := os.Stat(v1 + "/memory.limit_in_bytes"); err == nil {
		parent, file = v1, "memory.limit_in_bytes"
	}
	dir, err := os.MkdirTemp(parent, "jsfs-it-")
	if err != nil {
		t.Fatalf("a group with a memory limit: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Errorf("remove the group: %v", err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(mib<<20)), 0o644); err != nil {
		t.Fatalf("limit the memory: %v", err)
	}
	return dir
}

// However many files are open and half written, the server's memory is bounded.
func TestManyWriters(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"), memoryLimit(t, 256))
	m.sh("mkdir S; echo x > S/x")
	writers := scaled(200, 1000, 10000)
	data := bytes.Repeat([]byte("0123456789"), scaled(10, 40, 100)<<10)
	files := make([]*os.File, writers)
	for i := range files {
		f, err := os.Create(m.path("S", fmt.Sprintf("w.%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range files {
		if err := f.Close(); err != nil {
			t.Fatalf("close of %d: %v", i, err)
		}
	}
	names, err := os.ReadDir(m.path("S"))
	if err != nil || len(names) != writers+1 {
		t.Fatalf("got %d messages (%v), want %d", len(names), err, writers+1)
	}
	for _, e := range names[1:] {
		if text := m.read("S/" + e.Name()); text != string(data) {
			t.Fatalf("message %s has %d bytes that differ", e.Name(), len(text))
		}
	}
}

// opener opens so many messages, says so, and when it is told to go on reads some of them.
const opener = `
import os, sys
files = [os.open("S/%012d" % (i % 1000 + 1), os.O_RDONLY) for i in range(int(sys.argv[1]))]
print("open", flush=True)
sys.stdin.readline()
for i in range(0, len(files), 97):
    got = os.read(files[i], 16)
    assert got == b"%d\n" % (i % 1000 + 1), (i, got)
print("read", flush=True)`

// A hundred thousand files are open at once, and each can be read.
func TestManyOpenFiles(t *testing.T) {
	needs(t, "python3")
	const each = 10_000 // a process may have so many
	m := mount(t, withArgs("--sync=interval"))
	m.sh("mkdir S; seq 1000 >> S/.log; ls S > /dev/null")
	before := m.memory()
	processes := make([]*exec.Cmd, scaled(2, 10, 10))
	tell, hear := make([]io.WriteCloser, len(processes)), make([]*bufio.Reader, len(processes))
	for i := range processes {
		p := exec.Command("python3", "-c", opener, strconv.Itoa(each))
		p.Dir, p.Stderr = m.dir, os.Stderr
		in, err := p.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
		processes[i], tell[i], hear[i] = p, in, bufio.NewReader(out)
	}
	says := func(word string) {
		t.Helper()
		for i := range processes {
			if line, err := hear[i].ReadString('\n'); line != word+"\n" {
				t.Fatalf("process %d says %q (%v), want %q", i, line, err, word)
			}
		}
	}
	says("open")
	m.sh("ls S | wc -l")
	for _, in := range tell {
		if _, err := in.Write([]byte("go on\n")); err != nil {
			t.Fatal(err)
		}
	}
	says("read")
	if grown := m.memory() - before; grown > 48<<20 && !raceBuilt { // what it reads ahead, whoever reads; nothing for each file
		t.Errorf("the server grew by %d MiB", grown>>20)
	}
}

// A listing meets what stays exactly once, however much comes and goes meanwhile.
func TestListingWhileMessagesComeAndGo(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"))
	n := scaled(20_000, 200_000, 1_000_000)
	m.fill("S", n)
	var stop atomic.Bool
	done := make(chan error, 2)
	go func() { // every third one goes
		for seq := 3; !stop.Load() && seq <= n; seq += 3 {
			if err := os.Remove(m.path("S", fmt.Sprintf("%012d", seq))); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	go func() {
		for !stop.Load() {
			if err := os.WriteFile(m.path("S/more"), []byte("more\n"), 0o644); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for range 5 {
		d, err := os.Open(m.path("S"))
		if err != nil {
			t.Fatal(err)
		}
		names, err := d.Readdirnames(-1)
		_ = d.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Error("the listing is out of order, or has a name twice")
		}
		stay := 0
		for _, name := range names {
			if seq, err := strconv.Atoi(strings.TrimLeft(name, "0")); err == nil && seq <= n && seq%3 != 0 {
				stay++
			}
		}
		if want := n - n/3; stay != want {
			t.Errorf("the listing has %d of the %d that stay", stay, want)
		}
	}
	stop.Store(true)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
