package publish

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// started returns the number of a program that has one thread and waits. Its table has room for so many descriptors, or for few if
// that is 0.
func started(t *testing.T, room int) uint32 {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if room > 0 {
		cmd = exec.Command("bash", "-c", `ulimit -n 20000; exec `+strconv.Itoa(room-1)+`</dev/null; echo; exec sleep 1000`)
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

func TestProcFSAlone(t *testing.T) {
	var p ProcFS
	tid := started(t, 16384)
	var past loner
	for range 3 { // with others that came meanwhile
		if !p.alone(tid, &past) || past.last == 0 {
			t.Error("a program of one thread is not alone")
		}
		started(t, 0)
	}
	past.at = past.at.Add(-past.turn)
	if !p.alone(tid, &past) {
		t.Error("after a long time it is not alone")
	}
	past.last = 1 << 30
	if !p.alone(tid, &past) {
		t.Error("after the numbers went round it is not alone")
	}
	started(t, 16384)
	if p.alone(tid, &past) || past.last != 0 {
		t.Error("beside one with a table as large it is alone")
	}
	if p.alone(tid, &loner{}) {
		t.Error("beside one with a table as large, and asked for the first time, it is alone")
	}
	if p.alone(uint32(os.Getpid()), &loner{}) {
		t.Error("a program of many threads is alone")
	}
	if p.alone(1<<30, &loner{}) {
		t.Error("a program that is not there is alone")
	}
	if (ProcFS{Dir: t.TempDir()}).alone(tid, &loner{}) {
		t.Error("where /proc can't be read it is alone")
	}
}

// Threads have one table, programs each their own.
func TestProcFSShares(t *testing.T) {
	var p ProcFS
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
	if !p.shares(uint32(first), other) {
		t.Error("two threads share no table")
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
	if !p.shares(uint32(first), int(pid)) || !p.shares(uint32(pid), first) || p.alone(uint32(pid), &loner{}) {
		t.Error("two programs with one table share none")
	}
	if mine := started(t, 16384); p.shares(mine, first) || p.shares(mine, int(mine)) || p.shares(mine, 1<<30) {
		t.Error("a program shares its table with another one, with itself, or with none")
	}
	if room, err := p.tableRoom(first); room < 64 || err != nil {
		t.Errorf("got room for %d descriptors, %v", room, err)
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
