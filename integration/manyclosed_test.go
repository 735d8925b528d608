package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// closer has so many files open for writing and closes them. Of some it has copies, at other numbers or in the place of other files, and
// closes them later, in the middle of their message. With threads it has others besides, that wait.
const closer = `
import os, resource, sys, threading
files, threads = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
for i in range(threads):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
fds = [os.open("%s/w.%d" % (sys.argv[3], i), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) for i in range(files)]
for i, fd in enumerate(fds):
    os.write(fd, b"%d begins\n" % i)
copies = []
def end(i, fd):
    os.write(fd, b"%d ends\n" % i)
    if i % 101 == 0:                                # another one, at the lowest number that is free
        copies.append((i, os.dup(fd)))
    elif i % 103 == 0:                              # far behind
        os.dup2(fd, files + 100 + i % 50)
        copies.append((i, files + 100 + i % 50))
    os.close(fd)
def copied():
    for i, fd in copies:
        os.write(fd, b"%d was copied\n" % i)
        os.close(fd)
    copies.clear()
i = 0
while i < files:
    if i % 107 == 0 and i + 1 < files:              # in the place of the next one, which is closed by that
        os.write(fds[i+1], b"%d ends\n" % (i + 1))
        os.dup2(fds[i], fds[i+1])
        os.close(fds[i])
        os.write(fds[i+1], b"%d ends\n" % i)
        os.close(fds[i+1])
        i += 2
    else:
        end(i, fds[i])
        i += 1
    if len(copies) == 5:
        copied()
copied()
os._exit(0)`

// What a program that closes thousands of files costs the server grows as their number does, and each of them is one whole
// message, in spite of copies of descriptors. The work is counted: the server reads /proc, and the kernel counts its reads.
func TestClosingManyFilesOfOneProcess(t *testing.T) {
	needs(t, "python3")
	files := scaled(2000, 2000, 10_000)
	m := mount(t, withArgs("--sync=interval"), memoryLimit(t, 256))
	least, most := 0, 300*files // in full at each close it would be more than 1,000 a file
	for try := range 3 {        // another program with room for as many descriptors has each looked at for a second
		stream := fmt.Sprint("S", try)
		m.sh("mkdir " + stream)
		before := m.reads()
		cmd := exec.Command("python3", "-c", closer, strconv.Itoa(files), "0", stream)
		cmd.Dir = m.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		reads := m.reads() - before
		t.Logf("%d reads for %d files", reads, files)
		checkClosed(t, m, stream, files)
		if try == 0 || reads < least {
			least = reads
		}
		if least <= most {
			break
		}
	}
	if least > most {
		t.Errorf("the server made %d reads for %d files, want %d at most", least, files, most)
	}
}

// A program that has hundreds of files open which the exec of another one closes is not waited for by the server, while it waits for
// the answer itself: the kernel holds a lock meanwhile that looking at a process may take.
func TestExecClosesManyFiles(t *testing.T) {
	needs(t, "python3")
	for _, files := range []int{100, 2000} {
		m := mount(t, withArgs("--sync=interval"))
		m.sh("mkdir S")
		cmd := exec.Command("python3", "-c", `
import os, resource, sys
files = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
fds = [os.open("S/w.%d" % i, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) for i in range(files)]
for i, fd in enumerate(fds):
    os.write(fd, b"%d\n" % i)
for fd in fds[:5]:
    os.close(fd)
os.execvp("echo", ["echo", "executed"])`, strconv.Itoa(files))
		cmd.Dir = m.dir
		done := make(chan error, 1)
		var out []byte
		go func() {
			var err error
			out, err = cmd.CombinedOutput()
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil || string(out) != "executed\n" {
				t.Errorf("%d files: %v, %q", files, err, out)
			}
		case <-time.After(patience):
			_ = m.proc.Process.Kill() // else nobody can end the program
			<-done
			t.Fatalf("%d files: the exec did not end", files)
		}
		if got := m.messages("S"); len(got) != files {
			t.Errorf("got %d messages, want %d", len(got), files)
		}
		m.stop()
	}
}

// checkClosed checks that each file of a closer is one message.
func checkClosed(t *testing.T, m *mnt, stream string, files int) {
	t.Helper()
	want := make([]string, 0, files)
	for i := 0; i < files; i++ {
		text := fmt.Sprintf("%d begins\n%d ends\n", i, i)
		switch {
		case i%107 == 0 || i%107 == 1:
		case i%101 == 0 || i%103 == 0:
			text += fmt.Sprintf("%d was copied\n", i)
		}
		want = append(want, text)
	}
	got := m.messages(stream)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf("got the message %q, want %q", got[i], want[i])
				break
			}
		}
		t.Errorf("got %d messages, want %d, each once", len(got), len(want))
	}
}

// reads is how many calls the server made to read something.
func (m *mnt) reads() int {
	m.t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.pid()), "io"))
	if err != nil {
		m.t.Fatal(err)
	}
	found := regexp.MustCompile(`syscr: (\d+)`).FindSubmatch(b)
	if found == nil {
		m.t.Fatalf("no syscr in %s", bytes.TrimSpace(b))
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}
