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
	"strings"
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
	m.closeMany(files, checkClosed, "python3", "-c", closer, strconv.Itoa(files), "0")
}

// Threads that wait don't change that, nor does a child that has copies of all descriptors and waits.
func TestClosingManyFilesBesideOthersThatWait(t *testing.T) {
	needs(t, "python3")
	files := scaled(2000, 2000, 10_000)
	m := mount(t, withArgs("--sync=interval"), memoryLimit(t, 256))
	m.closeMany(files, checkClosed, "python3", "-c", closer, strconv.Itoa(files), "5")
	m.closeMany(files, checkClosed, "python3", "-c", strings.Replace(closer, "import os", `
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
os.dup2(0, int(sys.argv[1]) + 200)    # so that the child has room for as many
r, w = os.pipe()
if os.fork() == 0:
    os.close(w)
    os.read(r, 1)
    os._exit(0)
import os`, 1), strconv.Itoa(files), "0")
}

// closers has so many threads close files, of which it has so many, at the same time. Each of some is copied to the place of another one, while others do the same.
const closers = `
import os, resource, sys, threading
files, threads = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
fds = [os.open("%s/w.%d" % (sys.argv[3], i), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) for i in range(files)]
for i, fd in enumerate(fds):
    os.write(fd, b"%d begins\n" % i)
def close(mine):
    while len(mine) > 1:
        i, j = mine.pop(), mine.pop()
        if i % 3 == 0:                       # in the place of the other one, which is closed by that
            os.write(fds[j], b"%d ends\n" % j)
            os.dup2(fds[i], fds[j])
            os.close(fds[i])
            os.write(fds[j], b"%d ends\n" % i)
            os.close(fds[j])
        else:
            for k in i, j:
                os.write(fds[k], b"%d ends\n" % k)
                os.close(fds[k])
all = [threading.Thread(target=close, args=(list(range(t * files // threads, (t + 1) * files // threads)),)) for t in range(threads)]
for t in all: t.start()
for t in all: t.join()
os._exit(0)`

// Several threads that close at once are looked at as little, and each file is one whole message.
func TestClosingManyFilesByThreads(t *testing.T) {
	needs(t, "python3")
	files := scaled(2000, 2000, 10_000)
	m := mount(t, withArgs("--sync=interval"), memoryLimit(t, 256))
	m.closeMany(files, checkEnded, "python3", "-c", closers, strconv.Itoa(files), "4")
}

// A program in Go closes files on whichever of its threads is free.
func TestClosingManyFilesOfAGoProgram(t *testing.T) {
	files := scaled(2000, 2000, 10_000)
	m := mount(t, withArgs("--sync=interval"), memoryLimit(t, 256))
	program := filepath.Join(scratch(t), "closer")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/closer").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, at := range []string{"1", "4"} {
		m.closeMany(files, checkEnded, program, strconv.Itoa(files), at)
	}
}

// closeMany runs a program that closes files in a stream, whose name is its last argument, and checks what becomes of them and how much the server reads for it.
func (m *mnt) closeMany(files int, check func(t *testing.T, m *mnt, stream string, files int), program ...string) {
	t := m.t.(*testing.T)
	t.Helper()
	least, most := 0, 300*files // in full at each close it would be more than 1,000 a file
	for try := range 3 {        // another program that has room for as many descriptors, and runs, has each looked at
		stream := fmt.Sprint("S", try)
		m.sh("rm -rf " + stream + "; mkdir " + stream)
		before, begun := m.reads(), time.Now()
		cmd := exec.Command(program[0], append(slices.Clone(program[1:]), stream)...)
		cmd.Dir = m.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		reads := m.reads() - before
		t.Logf("%d reads for %d files, in %v", reads, files, time.Since(begun))
		check(t, m, stream, files)
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

// checkEnded checks that each file is one message that begins and ends.
func checkEnded(t *testing.T, m *mnt, stream string, files int) {
	t.Helper()
	var want []string
	for i := range files {
		want = append(want, fmt.Sprintf("%d begins\n%d ends\n", i, i))
	}
	checkMessages(t, m, stream, want)
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
	checkMessages(t, m, stream, want)
}

// checkMessages checks which messages a stream has, in any order.
func checkMessages(t *testing.T, m *mnt, stream string, want []string) {
	t.Helper()
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
