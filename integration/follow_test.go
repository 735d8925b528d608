package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// follower is a program that runs beside the test and reads a log.
type follower struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  string // the file that takes what it prints, and complains about
	done chan struct{}
}

// follow starts a script in the mount's root. It is killed when the test ends.
func (m *mnt) follow(script string) *follower {
	m.t.Helper()
	f := &follower{t: m.t, out: filepath.Join(scratch(m.t), "out"), done: make(chan struct{})}
	out, err := os.Create(f.out)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	ctx, cancel := context.WithCancel(context.Background())
	f.cmd = m.command().command(ctx, m.t, script)
	f.cmd.Stdout, f.cmd.Stderr = out, out
	if err := f.cmd.Start(); err != nil {
		cancel()
		m.t.Fatal(err)
	}
	go func() {
		defer close(f.done)
		_ = f.cmd.Wait() // its outcome is in cmd.ProcessState
	}()
	m.t.Cleanup(func() {
		cancel()
		<-f.done
	})
	return f
}

// text returns what was printed so far.
func (f *follower) text() string {
	f.t.Helper()
	data, err := os.ReadFile(f.out)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(data)
}

// printed returns the whole lines that were printed so far.
func (f *follower) printed() []string {
	f.t.Helper()
	lines := strings.SplitAfter(f.text(), "\n")
	return lines[:len(lines)-1]
}

// await waits until a line was printed.
func (f *follower) await(line string) {
	f.t.Helper()
	eventually(f.t, patience, "the follower prints "+strconv.Quote(line), func() bool {
		select {
		case <-f.done:
			f.t.Fatalf("the follower ended (%v): %q", f.cmd.ProcessState, f.printed())
		default:
		}
		lines := f.printed()
		return len(lines) > 0 && lines[len(lines)-1] == line
	})
}

// standsAt says whether the follower has a file open at this position.
func (f *follower) standsAt(path string, pos int) bool {
	proc := fmt.Sprintf("/proc/%d/", f.cmd.Process.Pid)
	fds, _ := os.ReadDir(proc + "fd")
	for _, fd := range fds {
		if target, err := os.Readlink(proc + "fd/" + fd.Name()); err != nil || target != path {
			continue
		}
		info, err := os.ReadFile(proc + "fdinfo/" + fd.Name())
		return err == nil && strings.HasPrefix(string(info), fmt.Sprintf("pos:\t%d\n", pos))
	}
	return false
}

// interrupt does what Ctrl-C does, and waits until all is over.
func (f *follower) interrupt() {
	f.t.Helper()
	if err := syscall.Kill(-f.cmd.Process.Pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		f.t.Fatal(err)
	}
	select {
	case <-f.done:
	case <-time.After(patience):
		f.t.Fatal("Ctrl-C does not end the follower")
	}
	if status := f.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		f.t.Errorf("after Ctrl-C the follower ended with %v", f.cmd.ProcessState)
	}
}

// TestTailFollows has writers append while messages are removed from the middle and,
// as retention does, from the front.
func TestTailPrintsEachNewLineOnce(t *testing.T) {
	for _, c := range []struct{ name, remove string }{
		{"while writers append", `true`},
		{"while rm removes from the middle", `rm -f S/$((seq - 7)) S/$((seq - 3))`},
		{"while retention removes from the front", `rm -f $(ls S | head -n 15 | sed 's|^|S/|')`},
		{"while rm removes what was read and what was not", `rm -f S/$seq S/$((seq - 1)) S/$((seq - 30))`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t, withArgs("--sync=interval"))
			m.sh(`mkdir S; seq -f 'old %g' 40 >> S/.log`)
			f := m.follow("exec tail -s 0.05 -n 5 -f S/.log")
			f.await("old 40\n")
			rounds := scaled(10, 30, 300)
			// Two writers: one holds the log open and writes a line at a time, one opens it for each.
			m.sh(fmt.Sprintf(`
				(for i in $(seq %d); do echo "a $i"; sleep 0.01; done) >> S/.log &
				for i in $(seq %d); do
					echo "b $i" >> S/.log
					seq=$(readlink S/.last); seq=$((10#$seq))
					%s
					sleep 0.01
				done
				wait`, rounds, rounds, c.remove))
			m.sh(`echo end >> S/.log`)
			f.await("end\n")
			live := m.sh("cat S/.log")
			f.interrupt()
			checkFollowed(t, f.printed(), live, rounds, c.remove == `true`)
			if got, want := m.sh("cat S/* | cksum; stat -c %s S/.log"), m.sh("cksum < S/.log; cat S/* | wc -c"); got != want {
				t.Errorf("afterwards the log and the messages differ: %q, want %q", got, want)
			}
		})
	}
}

// checkFollowed looks at what tail printed: five old lines, then each new one once and in its
// writer's order; of those that were removed none needs to be there, of the others all.
func checkFollowed(t *testing.T, lines []string, live string, rounds int, all bool) {
	t.Helper()
	if got, want := strings.Join(lines[:min(5, len(lines))], ""), "old 36\nold 37\nold 38\nold 39\nold 40\n"; got != want {
		t.Fatalf("tail -n 5 begins with %q, want %q", got, want)
	}
	last := map[string]int{}
	seen := map[string]bool{}
	for _, line := range lines[5 : len(lines)-1] {
		writer, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.Atoi(number)
		if err != nil || writer != "a" && writer != "b" || n <= last[writer] || all && n != last[writer]+1 {
			t.Fatalf("after line %v of each writer comes %q", last, line)
		}
		last[writer] = n
		seen[line] = true
	}
	if all && (last["a"] != rounds || last["b"] != rounds) {
		t.Errorf("the last lines are %v, want %d of each writer", last, rounds)
	}
	for line := range strings.Lines(live) {
		if (line[0] == 'a' || line[0] == 'b') && !seen[line] {
			t.Errorf("%q is live, and tail did not print it", line)
		}
	}
}

func TestTailInItsOtherForms(t *testing.T) {
	for _, c := range []struct{ name, flags, want string }{
		{"from the beginning", "-n +1 -f", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"},
		{"by name", "-n 2 -F", "4\n5\n6\n7\n8\n9\n"},
		{"by bytes", "-c 4 -f", "4\n5\n6\n7\n8\n9\n"},
		{"only what is new", "-n 0 -f", "6\n7\n8\n9\n"},
		{"until a process ends", "-n 1 -f --pid=$$", "5\n6\n7\n8\n9\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t, withSource("mem:"))
			m.sh(`mkdir S; seq 5 >> S/.log`)
			f := m.follow("echo begin; exec tail -s 0.05 " + c.flags + " S/.log")
			if strings.Contains(c.want, "5\n") {
				f.await("5\n")
			} else {
				eventually(t, patience, "tail stands at the end", func() bool { return f.standsAt(m.path("S/.log"), 10) })
			}
			m.sh(`seq 6 7 >> S/.log`)
			f.await("7\n")
			m.sh(`rm S/1 S/3 S/7; seq 8 8 >> S/.log`)
			f.await("8\n")
			m.sh(`rm S/8 S/2; echo 9 >> S/.log`)
			f.await("9\n")
			if got := strings.Join(f.printed(), ""); got != "begin\n"+c.want {
				t.Errorf("tail %s prints %q, want %q", c.flags, got, c.want)
			}
		})
	}
}

func TestLessFollows(t *testing.T) {
	needs(t, "less", "script")
	m := mount(t)
	m.sh(`mkdir S; seq -f 'line %g' 50 >> S/.log`)
	// script gives less a terminal; without a key pressed it goes on following.
	f := m.follow(`sleep 100 | script -qfc "echo \$\$ > ../less.pid; stty rows 6; TERM=xterm exec less -dX +F S/.log" /dev/null`)
	// less has a session of its own, and the hangup that would end it may be ignored here.
	t.Cleanup(func() { m.sh(`kill "$(cat ../less.pid)" || true`) })
	shows := func(line string) {
		t.Helper()
		eventually(t, patience, "less shows "+line, func() bool { return strings.Contains(f.text(), line+"\r\n") })
	}
	shows("line 50")
	m.sh(`echo 'line six' >> S/.log`)
	shows("line six")
	m.sh(`rm S/1 S/50 S/51; echo 'line seven' >> S/.log`)
	shows("line seven")
	m.sh(`rm S/52; echo 'line eight' >> S/.log`)
	shows("line eight")
	for _, line := range []string{"line 49", "line 50", "line six", "line seven", "line eight"} {
		if n := strings.Count(f.text(), line+"\r\n"); n != 1 {
			t.Errorf("less shows %q %d times in %q", line, n, f.text())
		}
	}
}

func TestToolsReadTheLog(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	m := mount(t)
	m.sh(`mkdir S; seq -f 'line %05g' 20000 >> S/.log; printf 'no newline' > S/x; : > S/empty`)
	eventually(t, patience, "the empty message is there", func() bool { return m.sh("tail -c 12 S/.log") == "no newline\n\n" })
	m.sh(`printf 'bin\0ary' > S/x; rm S/20003; rm S/1 S/777; cp S/.log ../copy`)
	for _, c := range []struct{ name, script, want string }{
		{"wc", `wc -lc < S/.log; wc -c S/.log`, " 20000 219990\n219990 S/.log\n"},
		{"the size is what is read", `stat -c %s S/.log; cat S/.log | wc -c`, "219990\n219990\n"},
		{"grep takes it for text", `grep -c ^line S/.log; grep -n 'line 00778' S/.log; grep -v ^line S/.log`, "19998\n776:line 00778\nno newline\n\n"},
		{"grep -r of the views", `grep -rl 'line 2' S/.jsfs/ | sort`, "S/.jsfs/last-by-subject/s\nS/.jsfs/log\nS/.jsfs/log.jsonl\nS/.jsfs/subjects/s/000000020000\n"},
		{"head", `head -n 2 S/.log; head -c 5 S/.log`, "line 00002\nline 00003\nline "},
		{"tail", `tail -n 3 S/.log; tail -c 12 S/.log; tail -n +19998 S/.log`, "line 20000\nno newline\n\nno newline\n\nline 20000\nno newline\n\n"},
		{"tail of more than a block", `tail -n 5000 S/.log | head -n 1; tail -n 5000 S/.log | wc -l`, "line 15003\n5000\n"},
		{"tac", `tac S/.log | sed -n '3p;$p'`, "line 20000\nline 00002\n"},
		{"cp", `cp S/.log ../copy2; cmp ../copy ../copy2 && cmp ../copy S/.log && cmp S/.log S/.jsfs/log && echo same`, "same\n"},
		{"dd at an offset", `dd if=S/.log bs=11 skip=100 count=1 status=none; dd if=S/.log bs=4 skip=11 count=3 iflag=skip_bytes status=none`, "line 00102\nline 00003\nl"},
		{"split puts together", `split -b 1000 S/.log ../part. && cat ../part.* | cmp - S/.log && echo same`, "same\n"},
		{"less", `less S/.log | tail -n 2`, "no newline\n\n"},
		{"python, line by line", `python3 -c 'print(sum(1 for l in open("S/.log")))'`, "20000\n"},
		{"python, at once", `python3 -c 'print(len(open("S/.log","rb").read()))'`, "219990\n"},
		{"python, seek and tell", `python3 -c '
f = open("S/.log")
for i in range(1000): f.readline()
at = f.tell(); a = f.readline(); b = f.readline()
f.seek(at); print(f.readline() == a, f.readline() == b, a.strip())
f.seek(0); print(f.readline().strip()); f.seek(0, 2); print(f.tell(), repr(f.read()))'`, "True True line 01003\nline 00002\n219990 ''\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := m.sh(c.script); got != c.want {
				t.Errorf("%s\ngot  %q\nwant %q", c.script, got, c.want)
			}
		})
	}
}

// TestAPythonReaderFollows is the recipe that everybody copies: read a line, and if
// there is none go back to where one was expected.
func TestAPythonReaderFollows(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh(`mkdir S; seq 5 >> S/.log`)
	f := m.follow(`exec python3 -uc '
import time
f = open("S/.log")
while True:
    at = f.tell()
    line = f.readline()
    if line:
        print(line, end="")
    else:
        time.sleep(0.02)
        f.seek(at)'`)
	f.await("5\n")
	m.sh(`rm S/1 S/5; seq 6 9 >> S/.log`)
	f.await("9\n")
	m.sh(`rm S/7 S/9; echo 10 >> S/.log`)
	f.await("10\n")
	if got, want := strings.Join(f.printed(), ""), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"; got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
}

// readWhileRemoving reads a log slowly while messages go, and prints what it got.
const readWhileRemoving = `
import os, sys
fd = os.open("S/.log", os.O_RDONLY)
size = os.fstat(fd).st_size
text = os.read(fd, 4099) # ends inside of message 373
for i in (5, 373, 374, 400, 401, 402, 1999, 2000): os.unlink("S/%d" % i)
if os.fstat(fd).st_size != size: sys.exit("the size changed")
while True:
    more = os.read(fd, 1000)
    if not more: break
    text += more
os.write(1, text)
`

func TestAReaderPassesOverWhatIsRemovedBeforeIt(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh(`mkdir S; seq -f 'line %05g' 2000 >> S/.log; cp S/.log ../before`)
	m.sh(`python3 -c ` + quoted(readWhileRemoving) + ` > ../got`)
	// 5 and 373 had been reached already, 373 only its first bytes; the others not.
	got := m.sh(`diff ../before ../got || true`)
	if want := "374d373\n< line 00374\n400,402d398\n< line 00400\n< line 00401\n< line 00402\n1999,2000d1994\n< line 01999\n< line 02000\n"; got != want {
		t.Errorf("what it did not get: %q, want %q", got, want)
	}
}

func TestASeekIntoWhatWasRemovedReadsNewlines(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh(`mkdir S; seq -f 'line %05g' 20 >> S/.log`)
	got := m.sh(`python3 -c '
import os
fd = os.open("S/.log", os.O_RDONLY)
os.unlink("S/10"); os.unlink("S/11")
print(os.pread(fd, 22, 9 * 11 + 3))      # inside of what was removed
print(os.pread(fd, 22, 9 * 11))          # at its beginning
print(os.pread(fd, 9, 9 * 11 + 3))       # this handle was there just now
print(os.pread(fd, 12, 8 * 11 + 9))      # before it
print(os.fstat(fd).st_blocks * 512 >= 220)
try: os.lseek(fd, 0, os.SEEK_HOLE)
except OSError as e: print(e.errno)
else: print(os.lseek(fd, 0, os.SEEK_HOLE))'`)
	want := `b'\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\nlin'
b'line 00012\nline 00013\n'
b'e 00012\nl'
b'9\nline 00012'
True
220
`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestTheFileListsOfDpkg appends every line of Debian's package file lists, and
// reads them back as one file, as messages, and after a crash.
func TestTheFileListsOfDpkgComeBackLineByLine(t *testing.T) {
	lists, err := filepath.Glob("/var/lib/dpkg/info/*.list")
	if err != nil || len(lists) < 10 {
		t.Fatalf("%d package file lists in /var/lib/dpkg/info, %v; this test wants a Debian system", len(lists), err)
	}
	m := mount(t)
	every := scaled(20, 1, 1)
	lines := m.sh(fmt.Sprintf(`cat /var/lib/dpkg/info/*.list | awk 'NR %% %d == 0' > ../want; wc -l < ../want; mkdir S; cat ../want >> S/.log`, every))
	compare := func(when string) {
		t.Helper()
		if got := m.sh(`cmp ../want S/.log && ls S | wc -l`); got != lines {
			t.Errorf("%s: %s messages, want %s", when, got, lines)
		}
		m.sh(`printf '%s\0' S/* | xargs -0 cat | cmp ../want -`)
	}
	compare("after writing")
	m.crash()
	compare("after kill -9")
}
