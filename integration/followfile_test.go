package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// followFile starts a script that reads a follow, and waits until it has it open.
func (m *mnt) followFile(script, path string) *follower {
	m.t.Helper()
	f := m.follow(script)
	eventually(m.t, patience, "it has "+path+" open", func() bool {
		return strings.Contains(sh(m.t, fmt.Sprintf(`for p in $(pgrep -g %d); do readlink /proc/$p/fd/* || true; done 2>/dev/null`, f.cmd.Process.Pid)), m.path(path)+"\n")
	})
	return f
}

func TestFollowReadsFromNowOn(t *testing.T) {
	for _, path := range []string{"S/.follow", "S/.jsfs/follow", "S/.jsfs/follow.jsonl"} {
		t.Run(path, func(t *testing.T) {
			m := mount(t)
			m.sh(`mkdir S; echo old > S/a`)
			f := m.followFile("exec cat "+path, path)
			line := func(n int, text string) string {
				if !strings.HasSuffix(path, "jsonl") {
					return text + "\n"
				}
				return m.sh(fmt.Sprintf(`grep '^{"seq":%d,' S/.jsfs/log.jsonl`, n))
			}
			m.sh(`echo two > S/a`)
			f.await(line(2, "two"))
			m.sh(`printf three > S/b; rm S/2`)
			f.await(line(3, "three"))
			f.interrupt() // while it waits
			if n := len(f.printed()); n != 2 {
				t.Errorf("it printed %q", f.printed())
			}
		})
	}
}

// Whatever ends a follow, the reader ends as at the end of a file.
func TestFollowEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(m *mnt)
	}{
		{"when the stream is removed", func(m *mnt) { m.sh(`rm -r S`) }},
		{"when the mount ends", func(m *mnt) { m.stop() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t)
			m.sh(`mkdir S; echo old > S/a`)
			f := m.followFile("cat S/.follow; echo end", "S/.follow")
			m.sh(`echo new > S/a`)
			f.await("new\n")
			c.end(m)
			select {
			case <-f.done:
			case <-time.After(patience):
				t.Fatal("it goes on")
			}
			if got := f.text(); got != "new\nend\n" {
				t.Errorf("it printed %q", got)
			}
		})
	}
}

// The connection breaks under who waits, and the server ends all the same.
func TestAMountThatIsTakenAwayEndsItsFollowers(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S`)
	f := m.followFile("cat S/.follow; echo end", "S/.follow")
	sh(t, `umount -f `+quoted(m.dir)+` || true; umount -l `+quoted(m.dir)+` || true`)
	select {
	case <-f.done:
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	m.wait(patience)
}

func TestFollowIsNotListed(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; echo old > S/a`)
	if got := m.sh(`find S/.jsfs S -name 'follow*' -o -name .follow; stat -c '%s %A' S/.follow; timeout 100 grep -rc old S/.jsfs/ | grep -c follow || true`); got != "0 -r--r--r--\n0\n" {
		t.Errorf("got %q", got)
	}
	for _, script := range []string{`echo x > S/.follow`, `echo x >> S/.jsfs/follow`, `rm S/.follow`, `truncate -s 0 S/.follow`, `mv S/.follow S/b`} {
		if r := m.try(script); r.code == 0 {
			t.Errorf("%s: got %+v", script, r)
		}
	}
}

// Who reads slowly gets all, however much comes, and the server keeps none of it.
func TestASlowFollowerLosesNothing(t *testing.T) {
	needs(t, "python3")
	m := mount(t, withArgs("--sync=never"))
	m.sh(`mkdir S`)
	n := scaled(20_000, 100_000, 500_000)
	f := m.followFile(fmt.Sprintf(`exec python3 -c '
import os, time
fd = os.open("S/.follow", os.O_RDONLY)
time.sleep(1)
got = b""
while got.count(b"\n") < %d: got += os.read(fd, 65536)
os.write(1, got)'`, n), "S/.follow")
	m.sh(fmt.Sprintf(`seq -f 'line %%.0f' %d > ../want; cat ../want >> S/.log`, n))
	select {
	case <-f.done:
	case <-time.After(patience):
		t.Fatal("it does not get all")
	}
	want, err := os.ReadFile(m.path("../want"))
	if err != nil || f.text() != string(want) {
		t.Errorf("it got %d bytes, want %d, or others (%v)", len(f.text()), len(want), err)
	}
}

// TestManyFollowers has many processes wait at once, while others use the mount.
func TestManyFollowers(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; echo old > S/a`)
	n := scaled(100, 100, 400)
	var cmds []*exec.Cmd
	outs := make([]bytes.Buffer, n)
	defer func() {
		for _, cmd := range cmds {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}()
	for i := range n {
		cmd := exec.Command("head", "-n", "3", m.path("S/.follow"))
		cmd.Stdout = &outs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	eventually(t, patience, "all wait", func() bool {
		waiting := 0
		for _, cmd := range cmds {
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/3", cmd.Process.Pid)); err == nil && target == m.path("S/.follow") {
				waiting++
			}
		}
		return waiting == n
	})
	if kb := m.resident(); kb > 150_000 {
		t.Errorf("with %d followers the server takes %d KiB", n, kb)
	}
	m.sh(`ls S; cat S/1; seq 3 >> S/.log`)
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil || outs[i].String() != "1\n2\n3\n" {
			t.Fatalf("follower %d got %q, %v", i, outs[i].String(), err)
		}
	}
	cmds = nil
}

// resident is how much memory the server takes, in KiB.
func (m *mnt) resident() int {
	m.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.pid()))
	if err != nil {
		m.t.Fatal(err)
	}
	var kb int
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		m.t.Fatal(err)
	}
	return kb
}

// Ctrl-C ends a read(2) with EINTR, and takes nothing that comes later.
func TestAnInterruptedFollowGoesOn(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh(`mkdir S`)
	f := m.followFile(`exec python3 -uc '
import os, signal
class Stop(Exception): pass
def stop(*a): raise Stop()
signal.signal(signal.SIGUSR1, stop)
fd = os.open("S/.follow", os.O_RDONLY)
print("ready")
try: os.read(fd, 100)
except Stop: print("interrupted")
print(os.read(fd, 100).decode(), end="")
try: os.lseek(fd, 0, 0)
except OSError as e: print(e.errno)'`, "S/.follow")
	f.await("ready\n")
	eventually(t, patience, "it waits for an answer", func() bool { return threadIn(f.cmd.Process.Pid, "request_wait_answer") })
	if err := f.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	f.await("interrupted\n")
	m.sh(`echo next > S/a`)
	<-f.done
	if got, want := f.text(), "ready\ninterrupted\nnext\n29\n"; got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
}

// Programs that read a stream of bytes read a follow.
func TestProgramsFollow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, tool, script string }{
		{"Python, line by line", "python3", `exec python3 -uc 'for l in open("S/.follow"): print(l, end="")'`},
		{"Node", "node", `exec node -e 'require("fs").createReadStream("S/.follow").pipe(process.stdout)'`},
		{"grep", "grep", `exec grep --line-buffered . S/.follow`},
		{"sed", "sed", `exec sed -u '' S/.follow`},
		{"a shell", "bash", `while read -r l; do echo "$l"; done < S/.follow`},
		{"Python, of JSON lines", "python3", `exec python3 -uc '
import json
for l in open("S/.jsfs/follow.jsonl"): print(json.loads(l)["data"], end="")'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			needs(t, c.tool)
			m := mount(t, withSource("mem:"))
			m.sh(`mkdir S; echo old >> S/.log`)
			path := "S/.follow"
			if strings.Contains(c.script, "follow.jsonl") {
				path = "S/.jsfs/follow.jsonl"
			}
			f := m.followFile(c.script, path)
			m.sh(`seq 3 >> S/.log`)
			f.await("3\n")
			m.sh(`rm S/4; echo 4 >> S/.log`)
			f.await("4\n")
			if got := f.text(); got != "1\n2\n3\n4\n" {
				t.Errorf("it printed %q", got)
			}
		})
	}
}
