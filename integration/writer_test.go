package integration

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What testdata/writer, and the two programs below, write as a message.
var wholeMessage = strings.Repeat(strings.Repeat("0123456789", 10), 9) + strings.Repeat("0123456789", 10)[:96] + "end\n"

const nodeWriter = `
const fs = require("fs"), [mode, path] = process.argv.slice(1);
const wait = new Int32Array(new SharedArrayBuffer(4)), part = "0123456789".repeat(10);
fs.stat("/", () => {}); // starts the threads
const fd = fs.openSync(path, "w");
for (let i = 0; i < 10; i++) {
	fs.writeSync(fd, i < 9 ? part : part.slice(0, 96) + "end\n");
	if (mode == "slow") Atomics.wait(wait, 0, 0, 2);
}
if (mode == "exit") process.exit(0);
fs.closeSync(fd);
fs.writeSync(1, "closed\n");
setTimeout(() => {}, 3600000);`

const pythonWriter = `
import os, sys, threading, time
mode, path = sys.argv[1:]
for _ in range(3): threading.Thread(target=time.sleep, args=[3600], daemon=True).start()
fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
part = b"0123456789" * 10
for i in range(10):
    os.write(fd, part if i < 9 else part[:96] + b"end\n")
    if mode == "slow": time.sleep(0.002)
if mode == "exit": sys.exit(0)
os.close(fd)
print("closed", flush=True)
time.sleep(3600)`

// threadedWriters are programs with several threads.
func threadedWriters(t *testing.T) map[string][]string {
	t.Helper()
	needs(t, "node", "python3")
	goWriter := filepath.Join(t.TempDir(), "writer")
	if out, err := exec.Command("go", "build", "-o", goWriter, "./testdata/writer").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	python := strings.TrimSpace(sh(t, `python3 -c 'import sys; print(sys.executable)'`)) // not a wrapper that starts it
	return map[string][]string{
		"Go":     {goWriter},
		"Node":   {"node", "-e", nodeWriter, "--"},
		"Python": {python, "-c", pythonWriter},
	}
}

// inParallel calls f for 0 to n-1, a few at a time.
func inParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 4 {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// A program that exits without closing its file loses nothing.
func TestWriterExits(t *testing.T) {
	t.Parallel()
	m := mount(t)
	n := scaled(20, 500, 500)
	for name, args := range threadedWriters(t) {
		t.Run(name, func(t *testing.T) {
			m.command().ok(t, "mkdir "+name)
			inParallel(n, func(i int) {
				cmd := exec.Command(args[0], append(args[1:], "exit", m.path(name, fmt.Sprintf("by.%d", i)))...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("writer %d: %v\n%s", i, err, out)
				}
			})
			got := m.messages(name) // at once: exit waits for the last close
			if len(got) != n {
				t.Errorf("got %d messages, want %d", len(got), n)
			}
			for i, text := range got {
				if text != wholeMessage {
					t.Errorf("message %d is %q", i+1, text)
				}
			}
		})
	}
}

// A program that is killed while it writes, by SIGKILL or by SIGTERM as timeout(1) does, leaves no half message, and
// loses none that it had closed.
func TestWriterKilled(t *testing.T) {
	m := mount(t)
	n := scaled(20, 500, 500)
	for name, args := range threadedWriters(t) {
		t.Run(name, func(t *testing.T) {
			m.command().ok(t, "mkdir "+name)
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			var mu sync.Mutex
			rng := rand.New(rand.NewPCG(seed, 0))
			closed := 0 // guarded by mu, as is rng
			inParallel(n, func(i int) {
				mu.Lock()
				// Its writes take some 25 ms from the moment that the file is there.
				after := time.Duration(rng.IntN(50)) * time.Millisecond
				mu.Unlock()
				by := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[i%2]
				if killedAfter(t, args, m.path(name, fmt.Sprintf("by.%d", i)), after, by) {
					mu.Lock()
					closed++
					mu.Unlock()
				}
			})
			got := m.messages(name)
			if len(got) < closed {
				t.Errorf("got %d messages, want the %d that were closed", len(got), closed)
			}
			for i, text := range got {
				if text != wholeMessage {
					name := fmt.Sprintf("%s/%012d", name, i+1)
					t.Errorf("message %d is a part: %q; read again: %q, %s", i+1, text, m.read(name), m.sh("stat "+name))
				}
			}
			t.Logf("of %d writers that were killed %d had closed, %d messages are there", n, closed, len(got))
			if n > 20 && (len(got) == 0 || len(got) == n) {
				t.Errorf("%d of %d writers had ended when they were killed: the trial tries nothing", len(got), n)
			}
		})
	}
}

// A program that the kernel ends because its memory is used up leaves no half message either; what it wrote is kept.
func TestWriterOutOfMemory(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh("mkdir S")
	group := memoryGroup(t, 32)
	n := scaled(1, 10, 500)
	for i := range n {
		r := m.try(fmt.Sprintf(`bash -c 'echo $$ > %s/cgroup.procs && exec python3 -c "
import os
fd = os.open(\"S/x\", os.O_WRONLY | os.O_CREAT)
os.write(fd, b\"half %d\")
all = []
while True: all.append(bytearray(b\"x\" * (1 << 20)))"'`, group, i))
		if r.code != 128+9 {
			t.Fatalf("writer %d: exit code %d, %s, want a kill", i, r.code, r.err)
		}
	}
	eventually(t, patience, "all drafts are there", func() bool { return m.sh("ls -A S | wc -l") == fmt.Sprintln(n) })
	if got, want := m.sh(`cat S/.killed.* | grep -ao half | wc -l; ls S | wc -l`), fmt.Sprintf("%d\n0\n", n); got != want {
		t.Errorf("drafts and messages: got %q, want %q", got, want)
	}
}

// killedAfter runs a slow writer, kills it some time after its file is there, and says
// whether the file was closed by then.
func killedAfter(t *testing.T, args []string, path string, after time.Duration, by syscall.Signal) (closed bool) {
	cmd := exec.Command(args[0], append(args[1:], "slow", path)...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return false
	}
	eventuallyExists(t, path)
	time.Sleep(after)
	_ = cmd.Process.Signal(by)
	line, _ := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != by {
		t.Errorf("a writer ended with %v, want %v", cmd.ProcessState, by)
	}
	return line == "closed\n"
}

// eventuallyExists waits until a file is there: made, or a message already.
func eventuallyExists(t *testing.T, path string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if exists(path) {
			return
		}
	}
	t.Errorf("%s does not come", path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
