package integration

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killStep is one change in the workload of the kill-point trial.
type killStep struct {
	name string
	do   func(m *mnt) error
	// add and remove are what the change does to the stream's messages.
	add    []string
	remove string
}

// killSteps are one round of the workload: streams that come and go, messages by name and by line, a removal, a draft. The
// first round makes the stream; each has texts of its own.
func killSteps(round int) []killStep {
	write := func(name, text string) func(*mnt) error {
		return func(m *mnt) error { return os.WriteFile(m.path(name), []byte(text), 0o644) }
	}
	text := func(s string) string { return fmt.Sprint(s, " of round ", round) }
	big := fmt.Sprintf("%0100000d", 2*round) // a block of its own
	bigger := fmt.Sprintf("%0100000d", 2*round+1)
	const appended = 7 // in a round
	steps := []killStep{
		{"append one", write("S/a", text("one")), []string{text("one")}, ""},
		{"append two", write("S/b", text("two")), []string{text("two")}, ""},
		{"append lines", func(m *mnt) error { return appendLines(m, text("three"), text("four")) }, []string{text("three") + "\n", text("four") + "\n"}, ""},
		{"append a big one", write("S/c", big), []string{big}, ""},
		{"rm two", func(m *mnt) error { return os.Remove(m.path("S", fmt.Sprintf("%012d", appended*round+2))) }, nil, text("two")},
		{"append another big one", write("S/c", bigger), []string{bigger}, ""},
		{"rename a draft", func(m *mnt) error {
			return errors.Join(write("S/.draft", text("draft"))(m), os.Rename(m.path("S/.draft"), m.path("S/d")))
		}, []string{text("draft")}, ""},
		{"mkdir T", func(m *mnt) error { return os.Mkdir(m.path("T"), 0o755) }, nil, ""},
		{"rmdir T", func(m *mnt) error { return os.Remove(m.path("T")) }, nil, ""},
	}
	if round == 0 {
		steps = slices.Insert(steps, 0, killStep{"mkdir S", func(m *mnt) error { return os.Mkdir(m.path("S"), 0o755) }, nil, ""})
	}
	return steps
}

func appendLines(m *mnt, lines ...string) error {
	f, err := os.OpenFile(m.path("S/.log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	return errors.Join(err, f.Close())
}

// TestKillAtASystemCall kills the server as it enters its Nth write, sync or rename, for each N until the workload is
// through, and then again from the first one: which thread makes a call, and strace counts those of each, differs. What was acknowledged must be there; of the step that failed, each message
// may be.
func TestKillAtASystemCallLosesNothingAcknowledged(t *testing.T) {
	needs(t, "strace")
	for _, calls := range []string{"pwrite64", "fsync,fdatasync", "rename,renameat,renameat2", "openat", "mkdirat,unlinkat,ftruncate"} {
		t.Run(calls, func(t *testing.T) {
			t.Parallel()
			m := mount(t, withArgs("-o", "block_size=64K"))
			m.stop()
			kills, deepest := 0, 0
			for when, sweeps := 1, 0; kills < scaled(2, 40, 400); when++ {
				sh(t, "rm -rf "+quoted(m.store))
				if killPoint(t, m, calls, when) {
					kills, deepest = kills+1, max(deepest, when)
					continue
				}
				if when = 0; kills == 0 { // no thread makes even one
					t.Fatalf("the server was never killed in %s", calls)
				}
				if sweeps++; sweeps > 400 {
					t.Fatalf("%d kills in %d sweeps", kills, sweeps)
				}
			}
			t.Logf("%d kills, up to call %d of a thread", kills, deepest)
		})
	}
}

// killPoint runs the workload once and says whether the server was killed in it.
func killPoint(t *testing.T, m *mnt, calls string, when int) bool {
	t.Helper()
	m.wrap = []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", calls, when)}
	m.launch()
	ready := m.tryReady()
	var must, may []string
	killed := !ready
	stream := false
	for _, s := range killRounds() {
		if killed {
			break
		}
		if err := s.do(m); err != nil {
			killed = true
			may = s.add
			if s.remove != "" {
				must = slices.DeleteFunc(must, func(x string) bool { return x == s.remove })
				may = []string{s.remove}
			}
			break
		}
		must = append(must, s.add...)
		must = slices.DeleteFunc(must, func(x string) bool { return x == s.remove })
		stream = true
	}
	m.kill()
	m.wrap = nil
	m.start()
	if stream {
		checkKilled(t, m, fmt.Sprintf("%s %d", calls, when), must, may)
	}
	m.sh("mkdir -p S; echo after > S/after; cat S/after")
	m.stop()
	return killed
}

// killRounds is the whole workload.
func killRounds() []killStep {
	var all []killStep
	for round := range scaled(1, 1, 6) {
		all = append(all, killSteps(round)...)
	}
	return all
}

// tryReady waits until the mount lists, and says whether it does; the server may have been killed before.
func (m *mnt) tryReady() bool {
	for end := time.Now().Add(readyWithin); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if !m.running() {
			return false
		}
		if m.mounted() && m.lists() {
			return true
		}
	}
	m.t.Fatal("neither ready nor dead")
	return false
}

// checkKilled compares what is there with what must and what may be.
func checkKilled(t *testing.T, m *mnt, where string, must, may []string) {
	t.Helper()
	got := m.messages("S")
	for _, want := range must {
		if !slices.Contains(got, want) {
			t.Errorf("%s: %.20q was acknowledged and is gone", where, want)
		}
	}
	for i, text := range got {
		if !slices.Contains(must, text) && !slices.Contains(may, text) {
			t.Errorf("%s: %.20q (%d bytes) is there and should not be", where, text, len(text))
		}
		if slices.Contains(got[:i], text) {
			t.Errorf("%s: %.20q is there twice", where, text)
		}
	}
	if err := syscall.Access(m.path("S"), 0); err != nil {
		t.Errorf("%s: the stream is gone: %v", where, err)
	}
}

// TestKillWhileADraftIsPublishedLeavesOneOfTheTwo kills the server at each system call that a rename of a draft to a subject, or to
// a number, makes: then there is the draft or the message, and after a rename that succeeded the message.
func TestKillWhileADraftIsPublishedLeavesOneOfTheTwo(t *testing.T) {
	needs(t, "strace")
	for _, sync := range []string{"always", "interval"} {
		for _, restore := range []bool{false, true} {
			t.Run(fmt.Sprint(sync, " restore ", restore), func(t *testing.T) {
				t.Parallel()
				m := mount(t, withArgs("--sync="+sync))
				m.sh("mkdir S; echo before > S/x")
				tried, kills := 0, 0
				for _, calls := range []string{"pwrite64", "fsync,fdatasync", "renameat,renameat2", "unlinkat"} {
					for when := 1; when <= scaled(1, 3, 6); when++ {
						tried++
						if killWhilePublishing(t, m, tried, restore, calls, when) {
							kills++
						}
					}
				}
				if kills < 3 {
					t.Errorf("the server was killed %d times of %d", kills, tried)
				}
			})
		}
	}
}

// awaitNoDraft waits until the server is dead, or has no file of a draft left: what a draft became is synced before its file is removed,
// with sync=interval a while after the rename.
func awaitNoDraft(t *testing.T, m *mnt) {
	t.Helper()
	for end := time.Now().Add(patience); m.running(); time.Sleep(time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(m.store, "streams", "*", "drafts", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the server lives, and has the files %q", files)
		}
	}
}

// killWhilePublishing publishes draft n while the server is to be killed at a call, mounts again, and says whether it was.
func killWhilePublishing(t *testing.T, m *mnt, n int, restore bool, calls string, when int) bool {
	t.Helper()
	text, to := fmt.Sprintf("draft %d", n), m.path("S/orders.new")
	draft := m.path("S/.draft")
	err := os.WriteFile(draft, []byte(text), 0o644)
	if restore {
		to = m.path(fmt.Sprint("S/", 1000*n))
		err = errors.Join(err, syscall.Setxattr(draft, "user.jsfs.seq", fmt.Append(nil, 1000*n), 0), syscall.Setxattr(draft, "user.jsfs.subject", []byte("x"), 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	tracer := exec.Command("strace", "-f", "-o", "/dev/null", "-p", fmt.Sprint(m.pid()), "-e", "trace="+calls, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", calls, when))
	said, err := tracer.StderrPipe()
	if err == nil {
		err = tracer.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "attached") {
		t.Fatalf("strace said %q, %v", line, err)
	}
	renamed := os.Rename(draft, to) == nil
	awaitNoDraft(t, m)
	_ = tracer.Process.Signal(syscall.SIGINT)
	_ = tracer.Wait()
	killed := !m.lists() || !m.running() // one that is being killed answers nobody
	if killed {
		m.wait(patience)
		m.start()
	}
	_, err = os.Stat(draft)
	switch there, message := err == nil, slices.Contains(m.messages("S"), text); {
	case there == message:
		t.Errorf("%s, %d: the draft is there: %v, and the message that it became: %v", calls, when, there, message)
	case renamed && there:
		t.Errorf("%s, %d: the rename succeeded, and the draft is there", calls, when)
	case there:
		_ = os.Remove(draft)
	}
	return killed
}
