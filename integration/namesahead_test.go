package integration

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// inOrder reads messages by names that nobody has listed before, in order.
const inOrder = `cd S && seq -f %012.0f 20000 | xargs cat > /dev/null`

// Who goes through a directory in order looks up few names: the next ones are there before.
func TestNamesAreKnownBeforeTheyAreLookedUp(t *testing.T) {
	const n = 20_000
	for _, args := range [][]string{{"--debug-fuse"}, {"--debug-fuse", "-o", "ro"}} {
		m := mount(t)
		m.fill("S", n)
		m.stop()
		m.args = args
		m.start()
		var got map[string]int
		for range 5 { // on a busy machine who looks up may be faster for a while
			if got = m.requests(inOrder); got["LOOKUP"] < n/10 {
				break
			}
		}
		if got["LOOKUP"] >= n/10 || got["READ"] >= n/5 {
			t.Errorf("%q: %d messages in order took %v", args, n, got)
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

// requestsNothing has the kernel forget what it knows of the mount.
func (m *mnt) requestsNothing() { sh(m.t, "echo 2 > /proc/sys/vm/drop_caches") }

// A server that is killed while names are read ahead, with whoever reads them, leaves nobody waiting.
func TestAServerThatIsKilledWhileNamesAreReadAheadEnds(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"))
	m.fill("S", 20_000)
	for range scaled(3, 10, 50) {
		m.requestsNothing()
		reader := exec.Command("sh", "-c", inOrder)
		reader.Dir = m.dir
		if err := reader.Start(); err != nil {
			t.Fatal(err)
		}
		guard := guardOf(m.pid())
		eventually(t, patience, "the guard reads names", func() bool { return threadIn(guard, "request_wait_answer") })
		if p, err := os.FindProcess(guard); err == nil {
			_ = p.Kill()
		}
		_ = m.proc.Process.Kill()
		m.wait(patience)
		_ = reader.Wait() // it fails, or had read all
		m.startSoon()
	}
	if got := m.sh("ls S | wc -l"); got != "20000\n" {
		t.Errorf("got %q messages", got)
	}
}
