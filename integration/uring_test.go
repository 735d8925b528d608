package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const saysUring, saysDev = "requests come over io_uring", "requests come through /dev/fuse"

func TestRequestsComeOverIOUringWhereItIsOn(t *testing.T) {
	m := mount(t, overUring(t), withArgs("--log-level=debug"))
	if log := m.serverLog(); strings.Contains(log, saysUring) != uringSupported() {
		t.Errorf("got the log %q", log)
	}
	auto := mount(t, withArgs("--transport=auto", "--log-level=debug"))
	if log := auto.serverLog(); strings.Contains(log, saysUring) != uringSupported() {
		t.Errorf("auto: got the log %q", log)
	}
	dev := mount(t, withArgs("--transport=dev", "--log-level=debug"))
	if log := dev.serverLog(); strings.Contains(log, saysUring) {
		t.Errorf("dev: got the log %q", log)
	}
	for i, m := range []*mnt{m, auto, dev} {
		want := "dev\n"
		if i < 2 && uringSupported() {
			want = "uring\n"
		}
		if got := m.sh(`grep -oP '"transport": "\K\w+' .jsfs/config`); got != want {
			t.Errorf("mount %d: .jsfs/config says transport %q, want %q", i, got, want)
		}
		m.sh("mkdir S; seq 300 >> S/.log; echo one > S/x; cat S/.log S/* | md5sum; rm S/7; ! cat S/7 2>/dev/null")
		if got, want := m.sh("ls S | wc -l; tail -n 1 S/.log"), "300\none\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		m.remount()
		if got, want := m.sh("ls S | wc -l"), "300\n"; got != want {
			t.Errorf("after a remount: got %q, want %q", got, want)
		}
	}
}

// Where FUSE does not go over io_uring, a mount does without, unless it was asked for just that.
func TestMountsFallBackToDevFuse(t *testing.T) {
	needs(t, "unshare", "strace")
	const script = `
		mkdir -p mnt; echo %[1]s > switch
		unshare -m sh -c 'test ! -e %[2]s || mount --bind switch %[2]s || exit
			"$JSFS" mount --daemon --log-file=log --log-level=debug --transport=%[3]s mem: mnt || exit
			cd mnt && mkdir S && echo hi > S/x && cat S/1 && cd .. && "$JSFS" umount mnt'; code=$?
		cat log 2>/dev/null; exit $code`
	dir := scratch(t)
	for _, tt := range []struct{ is, transport, out, err string }{
		{"N", "auto", saysDev, ""},
		{"N", "dev", "hi", ""},
		{"N", "uring", "", "no FUSE over io_uring"},
	} {
		c := command{dir: dir}
		r := c.run(t, "rm -f log;"+fmt.Sprintf(script, tt.is, uringSwitch, tt.transport))
		if (r.code == 0) != (tt.err == "") || !strings.Contains(r.out, tt.out) || !strings.Contains(r.err, tt.err) {
			t.Errorf("switch %s, transport %s: got %+v, want %q, %q", tt.is, tt.transport, r, tt.out, tt.err)
		}
		if tt.err == "" && !strings.HasPrefix(r.out, "hi\n") {
			t.Errorf("switch %s, transport %s: got %+v, want a mount that works", tt.is, tt.transport, r)
		}
	}
	if mounts := mountsBelow(t, dir); len(mounts) > 0 {
		t.Errorf("left behind: %q", mounts)
	}
}

// io_uring may be switched on and forbidden all the same, and each step on the way may fail.
func TestMountsFallBackWhereIOUringIsForbidden(t *testing.T) {
	needs(t, "strace")
	_ = overUring(t) // for what it switches
	for _, fault := range []string{"io_uring_setup:error=EPERM", "io_uring_setup:error=ENOSYS", "io_uring_setup:error=ENOMEM:when=2+"} {
		m := mount(t, withSource("mem:"), withArgs("--transport=auto", "--log-level=debug"), func(m *mnt) {
			m.wrap = []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup", "-e", "inject=" + fault}
		})
		if got := m.sh("mkdir S && echo hi > S/x && cat S/1"); got != "hi\n" {
			t.Errorf("%s: got %q", fault, got)
		}
		if log := m.serverLog(); !strings.Contains(log, saysDev) || strings.Contains(log, saysUring) {
			t.Errorf("%s: got the log %q", fault, log)
		}
		m.umount()
	}
	if !uringSupported() {
		return
	}
	r := command{dir: scratch(t)}.run(t, `strace -f -qq -o /dev/null -e inject=io_uring_setup:error=EPERM "$JSFS" mount --transport=uring mem: mnt`)
	if r.code == 0 || !strings.Contains(r.err, "io_uring is not allowed here") {
		t.Errorf("got %+v, want an error that says what is in the way", r)
	}
}

// slowSyncs makes each disk sync of the server take that long, and tells of it in a file.
func slowSyncs(d time.Duration, file string) option {
	return func(m *mnt) {
		m.wrap = []string{"strace", "-f", "-qq", "-o", file, "-e", "trace=fsync,fdatasync",
			"-e", fmt.Sprintf("inject=fsync,fdatasync:delay_enter=%d", d.Microseconds())}
	}
}

// umount unmounts, which ends a server whose wrapper would get the signal.
func (m *mnt) umount() {
	m.t.Helper()
	if r := jsfs(m.t, "umount", m.dir); r.code != 0 {
		m.t.Errorf("umount: %+v", r)
	}
	m.wait(patience)
}

// Who waits for the disk holds up nobody: other writers share the next sync, and readers go on.
func TestOverIOUringNobodyWaitsForAnothersSync(t *testing.T) {
	needs(t, "strace")
	const slow, writers = 500 * time.Millisecond, 24
	told := filepath.Join(scratch(t), "syncs")
	syncs := func() int { // how many there were: the time that passes depends on what else the machine does
		b, err := os.ReadFile(told)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("sync(")) // of fsync and fdatasync; the end of one that was interrupted has no parenthesis
	}
	m := mount(t, overUring(t), slowSyncs(slow, told))
	m.sh("mkdir S; seq 50 >> S/.log")
	before := syncs()
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { m.write(fmt.Sprintf("S/w.%d", i), "text") })
	}
	if got, want := m.sh("cat S/0000000000[0-4]* | wc -l; ls -l S > /dev/null; grep -c . S/000000000009"), "49\n1\n"; got != want {
		t.Errorf("readers beside writers that wait: got %q, want %q", got, want)
	}
	read := syncs() - before
	wg.Wait()
	all := syncs() - before
	if all > writers/2 {
		t.Errorf("%d writers that could share disk syncs needed %d", writers, all)
	}
	if read > writers/4 {
		t.Errorf("readers waited for %d disk syncs of writers", read)
	}
	if got, want := len(m.messages("S")), 50+writers; got != want {
		t.Errorf("got %d messages, want %d", got, want)
	}
	m.umount()
}

// There are threads for as many requests as there were at a time, and not more and more of them.
func TestOverIOUringThreadsDoNotGrowWithTheWork(t *testing.T) {
	m := mount(t, overUring(t), withArgs("--sync=never"))
	m.sh("mkdir S")
	threads := func() int {
		m.sh(`for p in $(seq 8); do (for i in $(seq 100); do echo $p $i > S/x.$p; cat S/x.$p > /dev/null; done) & done; wait; cat S/* > /dev/null`)
		return m.threads()
	}
	const enough = 200 // the kernel sends 32 requests for which nobody waits at a time, for each of the queues
	before := threads()
	for range scaled(1, 3, 20) {
		threads()
	}
	if after := threads(); after > enough {
		t.Errorf("%d threads, and then %d, after 8 programs that waited for little", before, after)
	}
}

// threads is how many the server has.
func (m *mnt) threads() int {
	m.t.Helper()
	tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(m.pid()), "task"))
	if err != nil {
		m.t.Fatal(err)
	}
	return len(tasks)
}

// Who reads one file after the other closes one while he opens the next: two threads are enough for that.
func TestOverIOUringOneReaderNeedsFewThreads(t *testing.T) {
	m := mount(t, overUring(t))
	m.fill("S", 20_000)
	const read = "sync; echo 3 > /proc/sys/vm/drop_caches; grep -r nothing S || true"
	m.sh(read)
	before := m.threads()
	for range 4 {
		m.sh(read)
	}
	if after := m.threads(); after > before+20+16*runtime.NumCPU() { // each queue may fill up its reserve once
		t.Errorf("%d threads, and then %d, after the same reader came 4 times more", before, after)
	}
}

// However the connection ends, the server ends, and nobody hangs.
func TestOverIOUringAnAbortedConnectionEndsTheServer(t *testing.T) {
	m := mount(t, overUring(t))
	m.sh("mkdir S; seq 100 >> S/.log; cat S/* > /dev/null")
	busy := exec.Command("sh", "-c", "while cat "+quoted(m.path("S/.log"))+" > /dev/null; do :; done")
	busy.Stderr = os.Stderr
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	m.abort()
	_ = busy.Wait() // it fails
	m.wait(patience)
	m.start()
	if got, want := m.sh("ls S | wc -l"), "100\n"; got != want {
		t.Errorf("after an abort: got %q, want %q", got, want)
	}
}

// Killed at any moment under load, the server leaves a mount that says so, and the next one takes over.
func TestOverIOUringTheServerIsKilledUnderLoad(t *testing.T) {
	m := mount(t, overUring(t), withArgs("--sync=never"))
	m.sh("mkdir S; seq 500 >> S/.log")
	for range scaled(3, 10, 50) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				c := command{env: []string{"M=" + m.dir}} // it must begin even where the mount is dead already
				c.run(t, `while cat "$M"/S/0* > /dev/null && echo x > "$M"/S/x && ls -l "$M"/S > /dev/null; do :; done 2>/dev/null`)
			})
		}
		time.Sleep(50 * time.Millisecond) // some load, at any point of it
		m.kill()
		wg.Wait() // the mount is dead, so all ended
		m.start()
	}
	if got := m.sh("head -n 500 S/.log | tail -n 1"); got != "500\n" {
		t.Errorf("got %q", got)
	}
}
