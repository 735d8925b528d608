package integration

import (
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

func pointerTo(v *uint32) uintptr { return uintptr(unsafe.Pointer(v)) }

// TestPowerLossLosesNothingAcknowledged is P2 through a mount: the disk loses what was not synced. What
// counts was acknowledged before the cut began: of plain files, too, ext4 loses some whose fsync(2) was under way
// then, and returned 0 (7 of 200 on Linux 6.18).
func TestPowerLossLosesNothingAcknowledged(t *testing.T) {
	d := newDisk(t, "96M")
	m := mount(t, withSource(d.dir+"/store"), withArgs("--sync=always", "-o", "block_size=256K"))
	m.sh("mkdir S; sync S")
	rng := rand.New(rand.NewPCG(2, 2))
	ws := make([]*crashWriter, 4)
	for i := range ws {
		ws[i] = &crashWriter{id: i, acked: map[string]bool{}, tried: map[string]bool{}}
	}
	for round := range scaled(3, 50, 1000) {
		var wg sync.WaitGroup
		for i, w := range ws {
			wg.Go(func() { w.run(m.path("S"), []int{10, 300, 3000, 30000}[i]) })
		}
		time.Sleep(time.Duration(1+rng.IntN(80)) * time.Millisecond)
		for _, w := range ws {
			w.deaf.Store(true) // see above
		}
		d.cutPower()
		m.kill()
		wg.Wait()
		d.cycle()
		m.start()
		checkCrash(t, m, ws, round)
		for _, w := range ws {
			w.deaf.Store(false)
		}
		if round%10 == 9 {
			m.sh("rm -r S; mkdir S")
			for _, w := range ws {
				w.acked, w.tried = map[string]bool{}, map[string]bool{}
			}
		}
	}
	m.stop()
	if r := jsfs(t, "check", m.store); r.code != 0 {
		t.Errorf("check: %+v", r)
	}
}

// TestADiskThatTurnsReadOnly is P12: the writer is told, everybody reads on, and the end is clean.
func TestADiskThatTurnsReadOnly(t *testing.T) {
	for range scaled(2, 20, 20) {
		d := newDisk(t, "32M")
		m := mount(t, withSource(d.dir+"/store"), withArgs("--sync=always"))
		m.sh("mkdir S; for i in 1 2 3; do echo $i > S/x; done")
		sh(t, "echo 1 > /sys/fs/ext4/"+d.device()+"/trigger_fs_error")
		r := m.try("cp ../server.log S/y") // cp tells what close says
		if r.code == 0 {
			t.Error("a message was taken on a disk that is read-only")
		}
		if r := m.try("cp ../server.log S/y"); !strings.Contains(r.err, "Read-only file system") {
			t.Errorf("the next writer: got %+v, want EROFS", r)
		}
		if got, want := m.sh("cat S/0*; wc -l < S/.log"), "1\n2\n3\n3\n"; got != want {
			t.Errorf("readers: got %q, want %q", got, want)
		}
		if err := os.Remove(m.path("S/000000000001")); err == nil {
			t.Error("a message was removed on a disk that is read-only")
		}
		_ = m.proc.Process.Signal(os.Interrupt)
		m.wait(patience)
		if m.mounted() {
			t.Error("it is still mounted")
		}
		d.cycle()
		m.start()
		if got, want := m.sh("cat S/0*"), "1\n2\n3\n"; got != want {
			t.Errorf("after a repair: got %q, want %q", got, want)
		}
		m.sh("echo 4 > S/x; test $(cat S/x) = 4")
		m.stop()
		d.unmount()
	}
}

// A disk that answers no write for ten seconds holds up who writes, and nobody else; then all goes on.
func TestAStuckDiskHoldsUpWritersOnly(t *testing.T) {
	d := newDisk(t, "32M")
	m := mount(t, withSource(d.dir+"/store"), withArgs("--sync=always"))
	m.sh("mkdir S T; for i in $(seq 100); do echo $i > S/x; done; cat S/* > /dev/null")
	thaw := d.freeze()
	stuck := time.Now()
	written := make(chan error, 8)
	for i := range cap(written) {
		go func() { written <- os.WriteFile(m.path("S", "w."+string(rune('a'+i))), []byte("late\n"), 0o644) }()
	}
	time.Sleep(200 * time.Millisecond)
	hold := 10 * time.Second
	if *trials == "quick" {
		hold = 2 * time.Second
	}
	fastest := time.Hour // a machine with other work is slow, but not each time
	for n := 0; time.Since(stuck) < hold || n < 20 && fastest > 2*time.Second; n++ {
		began := time.Now()
		if got, want := m.sh(`ls S | wc -l; cat S/000000000050; cat S/77; tail -n 1 S/.log; ls T; stat -c %s S/000000000003; find S -name '*9' | wc -l`), "100\n50\n77\n100\n2\n10\n"; got != want {
			t.Fatalf("readers of a stuck disk: got %q, want %q", got, want)
		}
		fastest = min(fastest, time.Since(began))
	}
	if fastest > 2*time.Second {
		t.Errorf("reading took %v at least while the disk is stuck", fastest)
	}
	select {
	case err := <-written:
		t.Fatalf("a writer was answered (%v) while the disk is stuck", err)
	default:
	}
	thaw()
	for range cap(written) {
		select {
		case err := <-written:
			if err != nil {
				t.Errorf("a writer that was held up: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("a writer hangs though the disk goes on")
		}
	}
	if got, want := m.sh("ls S | wc -l; cat S/w.a"), "108\nlate\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	m.stop()
}

// SIGTERM while many write ends the mount, and what was acknowledged is there.
func TestSIGTERMUnderLoad(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"))
	m.sh("mkdir S")
	for round := range scaled(2, 10, 100) {
		ws := make([]*crashWriter, 8)
		var wg sync.WaitGroup
		for i := range ws {
			ws[i] = &crashWriter{id: i, acked: map[string]bool{}, tried: map[string]bool{}}
			wg.Go(func() { ws[i].run(m.path("S"), 300) })
		}
		time.Sleep(time.Duration(20+10*round%100) * time.Millisecond)
		m.signal(os.Interrupt)
		_ = m.proc.Process.Signal(os.Interrupt) // files are open: the second one forces
		m.wait(patience)
		wg.Wait() // the mount is gone: the writers' calls fail
		if code := m.proc.ProcessState.ExitCode(); code != 0 {
			t.Errorf("round %d: exit code %d, want 0", round, code)
		}
		if m.mounted() {
			t.Fatal("it is still mounted")
		}
		sh(t, "rm -rf "+quoted(m.dir+"/S")) // what a writer made below the mount point
		m.start()
		checkCrash(t, m, ws, round)
		m.sh("rm -r S; mkdir S")
	}
}
