package integration

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A thread of the server that tells the kernel of a removed name waits for the lock of the directory, where not even SIGKILL
// ends it. Who has the lock is a client that waits for an answer, which a killed server does not give.
func TestAServerThatIsKilledWhileItTellsTheKernelHangsNobody(t *testing.T) {
	needs(t, "strace")
	m := mount(t, withArgs("--sync=interval"))
	m.sh("mkdir S; echo one > S/a")
	for range scaled(1, 3, 30) {
		m.sh("echo two > S/a; echo three > S/.draft; ls S")
		killWhileTelling(t, m)
		m.startSoon()
		m.sh(`test "$(cat S/[0-9]*)" = two; test "$(cat S/.draft S/.other 2>/dev/null || true)" = three; rm -f S/.draft S/.other`)
	}
}

// killWhileTelling kills the server while it waits for the lock of a directory in which a client renames a draft.
func killWhileTelling(t *testing.T, m *mnt) {
	t.Helper()
	ctl, err := os.OpenFile(m.path("S/.jsfs/ctl"), os.O_WRONLY, 0) // while the directory is locked it can't be looked up
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ctl.Close() }()
	drafts := filepath.Join(m.store, "streams/0000000000000001/drafts")
	tracer := exec.Command("strace", "-f", "-o", "/dev/null", "-p", fmt.Sprint(m.pid()), "-P", drafts, "-e", "trace=renameat,renameat2", "-e", "inject=renameat,renameat2:delay_enter=60s")
	said, err := tracer.StderrPipe()
	if err == nil {
		err = tracer.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = tracer.Process.Kill(), tracer.Wait() }()
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "attached") {
		t.Fatalf("strace said %q, %v", line, err)
	}
	renamed := make(chan error, 1)
	go func() { renamed <- os.Rename(m.path("S/.draft"), m.path("S/.other")) }()
	eventually(t, patience, "the rename is being done", func() bool { return threadIn(os.Getpid(), "request_wait_answer") })
	if _, err := ctl.WriteString("purge keep=1\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "the server waits for the directory's lock", func() bool { return threadIn(m.pid(), "fuse_reverse_inval_entry") })
	_ = m.proc.Process.Kill()
	select {
	case err := <-renamed:
		if !errors.Is(err, syscall.ENOTCONN) && !errors.Is(err, syscall.ECONNABORTED) && !errors.Is(err, syscall.ECANCELED) {
			t.Errorf("the rename: got %v, want ENOTCONN", err)
		}
	case <-time.After(patience):
		t.Error("the rename hangs")
		_ = syscall.Unmount(m.dir, syscall.MNT_FORCE) // ends that
	}
	_, _ = tracer.Process.Kill(), tracer.Wait() // it holds threads of the dead server
	m.wait(patience)
}

// threadIn says whether a thread of a process waits in that function of the kernel.
func threadIn(pid int, function string) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", pid))
	for _, name := range threads {
		if b, _ := os.ReadFile(name); string(b) == function {
			return true
		}
	}
	return false
}

// guardOf returns the process that guards the mount of a server.
func guardOf(pid int) (guard int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		if b, _ := os.ReadFile(name); string(b) == fmt.Sprintf("jsfs\x00guard\x00%d\x00", pid) {
			_, _ = fmt.Sscanf(name, "/proc/%d/", &guard)
		}
	}
	return guard
}

// ignores says whether a process ignores a signal.
func ignores(pid int, s syscall.Signal) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(b), "SigIgn:")
	var ignored uint64
	_, err := fmt.Sscanf(after, "%x", &ignored)
	return err == nil && ignored>>(s-1)&1 != 0
}

// The guard ends the mount when its server has ended, and not because somebody tells all processes that a terminal has hung up.
func TestTheGuardDoesNothingAsLongAsTheServerLives(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S")
	var guard int
	eventually(t, patience, "a guard is ready", func() bool { guard = guardOf(m.pid()); return guard != 0 && ignores(guard, syscall.SIGHUP) })
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if err := syscall.Kill(guard, s); err != nil {
			t.Fatal(err)
		}
		m.sh("for i in $(seq 50); do echo $i > S/a; done")
	}
	if got := guardOf(m.pid()); got != guard {
		t.Errorf("the guard is process %d, want %d", got, guard)
	}
}

// startSoon is start in the place of a dead mount, which takes 2 s at most.
func (m *mnt) startSoon() {
	m.t.Helper()
	begun := time.Now()
	m.start()
	quick(m.t, "mounting over a dead mount", time.Since(begun), 2*time.Second, func() { mount(m.t) })
}
