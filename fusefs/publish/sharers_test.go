package publish

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// started returns the number of a program that has one thread and waits. Its table has room for so many descriptors, or for few if
// that is 0.
func started(t *testing.T, room int) uint32 {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if room > 0 {
		cmd = exec.Command("bash", "-c", `ulimit -n 20000; exec `+strconv.Itoa(room-1)+`</dev/null; echo; exec cat`)
	}
	_, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if room > 0 {
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	return uint32(cmd.Process.Pid)
}

// rest returns what still says of a thread.
func (p ProcFS) rest(t *testing.T, tid uint32, past *sharers, waits func(uint32) bool, do func()) bool {
	t.Helper()
	done := false
	still, met, err := p.still(tid, past, waits, func() { done = true; do() })
	if err != nil {
		t.Errorf("thread %d: %v", tid, err)
	}
	if still && (!done || !met) {
		t.Errorf("still, and done %v, met %v", done, met)
	}
	return still
}

func nobody(uint32) bool { return false }

func nothing() {}

// soon calls f until it is true: a program that was just started takes a while to rest.
func soon(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func TestProcFSStill(t *testing.T) {
	var p ProcFS
	tid := started(t, 16384)
	var past sharers
	for range 3 { // with others that came meanwhile
		if !p.rest(t, tid, &past, nobody, nothing) || past.last == 0 || len(past.tasks) > 0 {
			t.Errorf("a program of one thread is not alone: %v may have its table", past.tasks)
		}
		started(t, 0)
	}
	past.at = past.at.Add(-past.turn)
	if !p.rest(t, tid, &past, nobody, nothing) {
		t.Error("after a long time it is not alone")
	}
	past.last = 1 << 30
	if !p.rest(t, tid, &past, nobody, nothing) {
		t.Error("after the numbers went round it is not alone")
	}
	other := started(t, 16384)
	soon(t, "beside one that sleeps, with a table as large, it never rests", func() bool { return p.rest(t, tid, &past, nobody, nothing) })
	if !slices.Equal(past.tasks, []int{int(other)}) {
		t.Errorf("%v may have the table, want %d", past.tasks, other)
	}
	var anew sharers
	if !p.rest(t, tid, &anew, nobody, nothing) || !slices.Equal(anew.tasks, past.tasks) {
		t.Errorf("asked for the first time, %v may have the table", anew.tasks)
	}
	wakes := func() { // it stops, and goes on
		for _, s := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT} {
			if err := unix.Kill(int(other), s); err != nil {
				t.Fatal(err)
			}
			soon(t, "a signal does nothing", func() bool {
				b, err := os.ReadFile(p.path(int(other), "status"))
				return err == nil && bytes.Contains(b, []byte("State:\tT")) == (s == unix.SIGSTOP)
			})
		}
	}
	if p.rest(t, tid, &past, nobody, wakes) {
		t.Error("beside one that ran meanwhile it rests")
	}
	soon(t, "beside one that sleeps again it never rests", func() bool { return p.rest(t, tid, &past, nobody, nothing) })
	if err := unix.Kill(int(other), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	soon(t, "beside one that is stopped, who knows where, it rests", func() bool { return !p.rest(t, tid, &past, nobody, nothing) })
	if _, met, err := p.still(tid, &past, nobody, nothing); !met || err != nil {
		t.Errorf("one that has rested before it was stopped: got %v, %v", met, err)
	}
	past.seen = nil
	if _, met, err := p.still(tid, &past, nobody, nothing); met || err != nil {
		t.Errorf("one that was stopped all the time: got %v, %v", met, err)
	}
	_ = unix.Kill(int(other), unix.SIGKILL)
	soon(t, "after the other one ended it never rests", func() bool {
		return p.rest(t, tid, &past, nobody, nothing)
	})
	for _, p := range []ProcFS{{Dir: t.TempDir()}, {}} {
		if still, _, err := p.still(1<<30, &sharers{}, nobody, nothing); still || err == nil {
			t.Errorf("a thread that is not there: got %v, %v", still, err)
		}
	}
}

// A program with a thread that computes is never still, one with threads that sleep is.
func TestProcFSStillWithThreads(t *testing.T) {
	var p ProcFS
	for _, test := range []struct {
		threads string
		rest    bool
	}{
		{"for i in range(5): threading.Thread(target=threading.Event().wait, daemon=True).start()", true},
		{"r, w = os.pipe(); threading.Thread(target=os.read, args=(r, 1), daemon=True).start()", true},
		{"threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()", true},
		{"threading.Thread(target=lambda: [0 for i in iter(int, 1)], daemon=True).start()", false},
	} {
		cmd := exec.Command("python3", "-c", "import os, resource, threading, time\nresource.setrlimit(resource.RLIMIT_NOFILE, (9001, 9001)); os.dup2(0, 9000)\n"+test.threads+"\nos.write(1, b'x'); time.sleep(1000)")
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		tid := uint32(cmd.Process.Pid)
		var past sharers
		if test.rest {
			soon(t, "never rests: "+test.threads, func() bool { return p.rest(t, tid, &past, nobody, nothing) })
			continue
		}
		for range 200 {
			if p.rest(t, tid, &past, nobody, nothing) {
				t.Fatalf("rests: %s", test.threads)
			}
		}
	}
}

// Threads have one table, programs each their own.
func TestProcFSSharing(t *testing.T) {
	var p ProcFS
	shares := func(tid, other int) bool {
		found, err := p.sharing(tid, []int{other})
		if err != nil {
			t.Error(err)
		}
		return len(found) > 0
	}
	thread := make(chan int)
	stop := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		<-stop
	}()
	defer close(stop)
	other := <-thread
	first := os.Getpid()
	if other == first {
		tasks, err := taskNumbers("/proc/self/task")
		if err != nil || len(tasks) < 2 {
			t.Fatalf("got the threads %v, %v", tasks, err)
		}
		first = tasks[len(tasks)-1]
	}
	if !shares(first, other) {
		t.Error("two threads share no table")
	}
	if all, err := p.allTasks(); err != nil || !slices.Contains(all, first) || !slices.Contains(all, other) {
		t.Errorf("not all of this program's threads are found: %v", err)
	}
	// A program that has this one's table, as clone(2) makes one; it waits to be killed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_FILES|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	for errno == 0 && pid == 0 {
		unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
	if errno != 0 {
		t.Fatal(errno)
	}
	defer func() {
		_ = unix.Kill(int(pid), unix.SIGKILL)
		_, _ = unix.Wait4(int(pid), nil, 0, nil)
	}()
	if !shares(first, int(pid)) || !shares(int(pid), first) {
		t.Error("two programs with one table share none")
	}
	if mine := int(started(t, 16384)); shares(mine, first) || shares(mine, mine) || shares(mine, 1<<30) {
		t.Error("a program shares its table with another one, with itself, or with none")
	}
	if room, err := p.tableRoom(first); room < 64 || err != nil {
		t.Errorf("got room for %d descriptors, %v", room, err)
	}
}

// A thread that is held is known from another one of its number.
func TestProcFSHold(t *testing.T) {
	var p ProcFS
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	there, letGo, err := p.hold(uint32(cmd.Process.Pid))
	if err != nil || !there() {
		t.Fatalf("a thread that is there: got %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if there() {
		t.Error("a thread that ended is there")
	}
	letGo()
	if _, _, err := p.hold(1 << 30); err == nil {
		t.Error("a thread that was never there is held")
	}
}

// A thread's descriptors are counted, listed and looked at as they are.
func TestProcFSDescriptors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		t.Fatal(err)
	}
	device := strconv.Itoa(int(unix.Major(st.Dev))) + ":" + strconv.Itoa(int(unix.Minor(st.Dev)))
	ours := ProcFS{Device: func() string { return device }}
	cmd := exec.Command("sh", "-c", `exec 5>>"$0" 6<"$0" 7>&5 8>&-; echo; read x`, name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	tid := uint32(cmd.Process.Pid)
	listed := map[int]bool{}
	if err := ours.list(tid, func(fd int) { listed[fd] = true }); err != nil {
		t.Fatal(err)
	}
	if n := ours.count(tid); n != len(listed) || n < 6 {
		t.Errorf("counted %d descriptors, listed %v", n, listed)
	}
	unknown := ProcFS{Device: func() string { return "" }}
	elsewhere := ProcFS{Device: func() string { return "9999:9" }}
	wanted := func(inode uint64) bool { return inode == st.Ino }
	for _, test := range []struct {
		p    ProcFS
		fd   int
		want lead
	}{
		{ours, 6, lead{open: true, inode: st.Ino}},
		{ours, 5, lead{open: true, writable: true, certain: true, inode: st.Ino}},
		{ours, 6, lead{open: true, inode: st.Ino}},
		{ours, 7, lead{open: true, writable: true, certain: true, inode: st.Ino}},
		{ours, 8, lead{}},
		{unknown, 5, lead{open: true, writable: true, inode: st.Ino}},
		{ProcFS{}, 5, lead{open: true, writable: true, inode: st.Ino}},
		{elsewhere, 5, lead{open: true, inode: st.Ino}},
	} {
		mounts := map[string]lead{}
		for range 2 { // the second one finds the mount known
			if got, err := test.p.look(tid, test.fd, wanted, mounts); got != test.want || err != nil {
				t.Errorf("descriptor %d: got %+v, %v; want %+v", test.fd, got, err, test.want)
			}
		}
	}
	none := func(uint64) bool { return false }
	if got, err := ours.look(tid, 5, none, nil); got != (lead{open: true, inode: st.Ino}) || err != nil {
		t.Errorf("a file that is not wanted: got %+v, %v", got, err)
	}
}
