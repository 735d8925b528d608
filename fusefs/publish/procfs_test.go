package publish

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestProcFSProcess(t *testing.T) {
	tid := make(chan int)
	stop := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid <- unix.Gettid()
		<-stop
	}()
	defer close(stop)
	if got, err := (ProcFS{}).Process(uint32(<-tid)); got != os.Getpid() || err != nil {
		t.Errorf("got %d, %v; want %d, nil", got, err, os.Getpid())
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tasks) < 2 {
		t.Fatalf("got %d threads, %v", len(tasks), err)
	}
	for _, task := range tasks { // the first of them is the process's first thread
		id, _ := strconv.Atoi(task.Name())
		if got, err := (ProcFS{}).Process(uint32(id)); err == nil && got != os.Getpid() {
			t.Errorf("process of thread %d: got %d, want %d", id, got, os.Getpid())
		}
	}
	if got, err := (ProcFS{}).Process(uint32(os.Getppid())); got != os.Getppid() || err != nil {
		t.Errorf("process of another one's first thread: got %d, %v, want %d", got, err, os.Getppid())
	}
	for _, none := range []uint32{0, 1 << 30} {
		if _, err := (ProcFS{}).Process(none); err == nil {
			t.Errorf("no error for process %d, which is not there", none)
		}
	}
}

// Of most threads that call the kernel says at once which process they are; the other way stays for the rest.
func BenchmarkProcFSProcess(b *testing.B) {
	for name, dir := range map[string]string{"asked": "", "read": "/proc"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := (ProcFS{Dir: dir}).Process(uint32(os.Getpid())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestProcFSWritable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	open := func(flag int) *os.File {
		f, err := os.OpenFile(name, flag|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	first := open(os.O_WRONLY)
	var st unix.Stat_t
	if err := unix.Fstat(int(first.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	check := func(p ProcFS, enough, want int) {
		t.Helper()
		n, all, err := p.Writable(uint32(os.Getpid()), st.Ino, enough)
		if n != want || all < want || err != nil {
			t.Errorf("got %d of %d, %v; want %d", n, all, err, want)
		}
	}
	check(ProcFS{}, 9, 1)
	open(os.O_RDONLY)
	check(ProcFS{}, 9, 1)
	open(os.O_RDWR)
	check(ProcFS{}, 9, 2)
	check(ProcFS{}, 0, 1)
	device := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	check(ProcFS{Device: func() string { return device }}, 9, 2)
	check(ProcFS{Device: func() string { return "" }}, 9, 2)
	check(ProcFS{Device: func() string { return "9999:9" }}, 9, 0)
	first.Close()
	check(ProcFS{}, 9, 1)
}

// Nothing is asked of the links of descriptors: for that Linux may take a lock that who waits for the answer has.
func TestProcFSWritableAsksNoLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "5", "fdinfo"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		info := fmt.Sprintf("pos:\t0\nflags:\t0100001\nmnt_id:\t1\nino:\t%d\n", 42+i%3)
		if err := os.WriteFile(filepath.Join(dir, "5", "fdinfo", strconv.Itoa(i)), []byte(info), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := ProcFS{Dir: dir}
	if n, all, err := p.Writable(5, 42, 1000); n != 100 || all != 300 || err != nil {
		t.Errorf("got %d of %d, %v; want 100 of 300", n, all, err)
	}
	asked := 0
	p.Device = func() string { asked++; return "0:1" }
	if n, _, err := p.Writable(5, 42, 1000); n != 100 || err != nil || asked != 1 {
		t.Errorf("got %d, %v, and asked for the one mount %d times", n, err, asked)
	}
	listed := 0
	if err := p.list(5, func(int) { listed++ }); listed != 300 || err != nil {
		t.Errorf("listed %d, %v; want 300", listed, err)
	}
	every := func(uint64) bool { return true }
	if l, err := p.look(5, 3, every, map[string]lead{}); l.inode != 42 || !l.writable || err != nil {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestProcFSKilled(t *testing.T) {
	tests := []struct {
		name, script string
		want         bool
	}{
		{"exit 0", "exit 0", false},
		{"exit 9", "exit 9", false},
		{"exit 137", "exit 137", false},
		{"SIGKILL", "kill -KILL $$", true},
		{"SIGTERM", "kill -TERM $$", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.Command("sh", "-c", test.script)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			// Wait for its end, but leave it in /proc.
			var info unix.Siginfo
			if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
				t.Fatal(err)
			}
			if got, err := (ProcFS{}).Killed(cmd.Process.Pid); got != test.want || err != nil {
				t.Errorf("got %v, %v; want %v, nil", got, err, test.want)
			}
		})
	}
	t.Run("running", func(t *testing.T) {
		if got, err := (ProcFS{}).Killed(os.Getpid()); got || err != nil {
			t.Errorf("got %v, %v; want false, nil", got, err)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		cmd := exec.Command("sleep", "100")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { cmd.Process.Kill(); cmd.Wait() }()
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := (ProcFS{}).Killed(cmd.Process.Pid); got || err != nil {
			t.Errorf("got %v, %v; want false, nil", got, err)
		}
	})
}

func TestProcFSStatOfAnyCommand(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "5"), 0o700); err != nil {
		t.Fatal(err)
	}
	memory := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "5", "statm"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	memory("0 0 0 0 0 0 0\n")
	for command, code := range map[string]int{"a": 9, "a) b": 9, ") R 1 2 (": 9, "x\ny": 0, "": 256} {
		stat := fmt.Sprintf("5 (%s) Z%s %d\n", command, strings.Repeat(" 1", 52-4), code)
		if err := os.WriteFile(filepath.Join(dir, "5", "stat"), []byte(stat), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := (ProcFS{Dir: dir}).Killed(5); got != (code == 9) || err != nil {
			t.Errorf("%q, %d: got %v, %v", command, code, got, err)
		}
	}
	memory("1000 100 10 1 0 1 0\n")
	if err := os.Remove(filepath.Join(dir, "5", "stat")); err != nil {
		t.Fatal(err)
	}
	if got, err := (ProcFS{Dir: dir}).Killed(5); got || err != nil {
		t.Errorf("a process that has memory: got %v, %v, want false without a look at its stat", got, err)
	}
}

func TestBudgetLoadsWait(t *testing.T) {
	b := NewBudget(10)
	if err := b.load(t.Context(), 100); err != nil {
		t.Fatal(err) // alone, a load of any size goes on
	}
	done := make(chan error)
	go func() { done <- b.load(t.Context(), 1) }()
	select {
	case <-done:
		t.Fatal("a second load did not wait")
	case <-time.After(10 * time.Millisecond):
	}
	b.unload(100)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
