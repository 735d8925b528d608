package integration

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// inOrder reads messages by names that nobody has listed before, in order.
const inOrder = `cd S && seq -f %012.0f 20000 | xargs cat > /dev/null`

// listedFirst lists all messages before it reads the first.
const listedFirst = `cd S && printf '%s\0' * | xargs -0 cat > /dev/null`

// Who goes through a directory in order looks up few names: the next ones are there before.
func TestNamesAreKnownBeforeTheyAreLookedUp(t *testing.T) {
	const n = 20_000
	for _, args := range [][]string{{"--debug-fuse"}, {"--debug-fuse", "-o", "ro"}} {
		m := mount(t)
		m.fill("S", n)
		m.stop()
		m.args = args
		m.start()
		for _, script := range []string{inOrder, listedFirst} {
			var got map[string]int
			for range 5 { // on a busy machine who looks up may be faster for a while
				if got = m.requests(script); got["LOOKUP"] < n/10 {
					break
				}
			}
			if got["LOOKUP"] >= n/10 || got["READ"] >= n/5 {
				t.Errorf("%q: %d messages by %s took %v", args, n, script, got)
			}
		}
		want := sh(t, "seq 20000 | sha256sum")
		if got := m.sh("cd S && seq -f %012.0f 20000 | xargs cat | sha256sum"); got != want {
			t.Errorf("%q: what is read differs", args)
		}
		if got := m.requests(`cd S && seq -f %012.0f 20000 | shuf -n 2000 --random-source=/etc/passwd | xargs cat > /dev/null`); got["READDIRPLUS"] > 3 {
			t.Errorf("%q: in no order, the directory was read: %v", args, got)
		}
	}
}

// Names that are read ahead make no mount busy.
func TestNamesThatAreReadAheadKeepNoMountBusy(t *testing.T) {
	m := mount(t)
	m.fill("S", 20_000)
	for i := range scaled(5, 20, 100) {
		m.requestsNothing()
		sh(t, "cd "+quoted(m.dir)+" && (cd S && seq -f %012.0f 600 | xargs cat > /dev/null)")
		if err := syscall.Unmount(m.dir, 0); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		m.wait(patience)
		m.start()
	}
}

// background runs a script in the mount, and returns what is closed when it has ended, whatever came of it.
func (m *mnt) background(script string) <-chan struct{} {
	m.t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = m.dir
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	return ended
}

// whileRunning asks each millisecond until ended is closed, and says whether the answer was true once.
func whileRunning(ended <-chan struct{}, met func() bool) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-ended:
			return false
		case <-tick.C:
		}
	}
	return true
}

// requestsNothing has the kernel forget what it knows of the mount.
func (m *mnt) requestsNothing() { sh(m.t, "echo 2 > /proc/sys/vm/drop_caches") }

// A server that is killed while names are read ahead leaves nobody waiting, whoever reads them neither.
func TestAServerThatIsKilledWhileNamesAreReadAheadEnds(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"))
	m.fill("S", 20_000)
	for range scaled(1, 3, 30) {
		var guard int
		eventually(t, patience, "there is a guard", func() bool { guard = guardOf(m.pid()); return guard != 0 })
		met := false
		for end := time.Now().Add(patience); !met; {
			if time.Now().After(end) {
				t.Fatal("the guard reads no names")
			}
			m.requestsNothing()
			ended := m.background(inOrder)
			met = whileRunning(ended, func() bool { return threadIn(guard, "request_wait_answer") })
			if met {
				_ = m.proc.Process.Kill()
				m.wait(patience)
			}
			<-ended // it has read all, or failed
		}
		eventually(t, patience, "the guard ends", func() bool { return syscall.Kill(guard, 0) != nil })
		m.startSoon()
	}
	if got := m.sh("ls S | wc -l"); got != "20000\n" {
		t.Errorf("got %q messages", got)
	}
}

// A server does not wait for who reads names when its mount ends.
func TestAMountEndsWhileItsGuardIsStopped(t *testing.T) {
	m := mount(t)
	m.fill("S", 1000)
	var guard int
	eventually(t, patience, "there is a guard", func() bool { guard = guardOf(m.pid()); return guard != 0 })
	if err := syscall.Kill(guard, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	m.requestsNothing()
	m.sh("cd S && seq -f %012.0f 100 | xargs cat > /dev/null")
	if err := syscall.Unmount(m.dir, 0); err != nil {
		t.Fatal(err)
	}
	m.wait(patience)
}
