package integration

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// crashWriter appends numbered messages to a stream, each with one open, write and close, and
// remembers which of them were acknowledged and which was under way.
type crashWriter struct {
	id    int
	next  int
	acked map[string]bool
	tried map[string]bool
	deaf  atomic.Bool // what is acknowledged from now on does not count
}

// run writes until a call fails, which the kill of the server sees to.
func (w *crashWriter) run(dir string, pad int) {
	for {
		text := fmt.Sprintf("writer %d message %d %s\n", w.id, w.next, strings.Repeat("x", (w.next*37)%pad))
		w.next++
		w.tried[text] = true
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("w.%d", w.id)), []byte(text), 0o644); err != nil {
			return
		}
		if !w.deaf.Load() {
			w.acked[text] = true
		}
	}
}

// check reads every message in dir: each acknowledged one must be there once, in each writer's
// order, and each one that is there must be one that was written, whole.
func checkCrash(t *testing.T, m *mnt, ws []*crashWriter, round int) {
	t.Helper()
	seen := make(map[string]int)
	last := make([]int, len(ws))
	for _, text := range m.messages("S") {
		seen[text]++
		var id, n int
		if _, err := fmt.Sscanf(text, "writer %d message %d", &id, &n); err != nil || id >= len(ws) || !ws[id].tried[text] {
			t.Fatalf("round %d: a message that nobody wrote: %q", round, lastBytes(text, 200))
		}
		if n < last[id] {
			t.Fatalf("round %d: writer %d: message %d comes after %d", round, id, n, last[id])
		}
		last[id] = n
	}
	for _, w := range ws {
		for text := range w.acked {
			if seen[text] == 0 {
				t.Fatalf("round %d: acknowledged and lost: %q", round, lastBytes(text, 200))
			}
		}
	}
	for text, n := range seen {
		if n != 1 {
			t.Fatalf("round %d: there %d times: %q", round, n, lastBytes(text, 200))
		}
	}
}

// TestKillWhileWritingLosesNothingAcknowledged is P1 through a mount.
func TestKillWhileWritingLosesNothingAcknowledged(t *testing.T) {
	for _, sync := range []string{"always", "interval", "never"} {
		t.Run(sync, func(t *testing.T) {
			t.Parallel()
			killWhileWriting(t, sync, scaled(3, 100, 700))
		})
	}
}

func killWhileWriting(t *testing.T, policy string, rounds int) {
	m := mount(t, withArgs("--sync="+policy, "-o", "block_size=256K"))
	rng := rand.New(rand.NewPCG(uint64(rounds), uint64(len(policy))))
	m.sh("mkdir S")
	ws := make([]*crashWriter, 4)
	for i := range ws {
		ws[i] = &crashWriter{id: i, acked: map[string]bool{}, tried: map[string]bool{}}
	}
	for round := range rounds {
		var wg sync.WaitGroup
		for i, w := range ws {
			wg.Go(func() { w.run(m.path("S"), []int{10, 300, 3000, 30000}[i]) })
		}
		time.Sleep(time.Duration(1+rng.IntN(60)) * time.Millisecond)
		m.kill()
		wg.Wait()
		m.start()
		checkCrash(t, m, ws, round)
		if round%10 == 9 { // keep the rounds short: start with a new stream
			m.sh("rm -r S; mkdir S")
			for _, w := range ws {
				w.acked, w.tried = map[string]bool{}, map[string]bool{}
			}
		}
	}
	m.stop()
	if r := jsfs(t, "check", m.store); r.code != 0 {
		t.Errorf("check after %d kills: %+v", rounds, r)
	}
}

// TestKillWhileAppendingLines is the same for a writer of lines: what write(2) has taken is there.
func TestKillWhileAppendingLinesKeepsEveryLineThatWasTaken(t *testing.T) {
	t.Parallel()
	m := mount(t, withArgs("--sync=interval"))
	m.sh("mkdir S")
	var want int64
	for round := range scaled(2, 30, 100) {
		var taken atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			f, err := os.OpenFile(m.path("S/.log"), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return
			}
			defer func() { _ = f.Close() }()
			for n := want; ; n++ {
				if _, err := fmt.Fprintf(f, "line %d\n", n); err != nil {
					return
				}
				taken.Add(1)
			}
		}()
		time.Sleep(time.Duration(20+round) * time.Millisecond)
		m.kill()
		<-done
		m.start()
		f, err := os.Open(m.path("S/.log"))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		var n int64
		for ; lines.Scan(); n++ {
			if got, want := lines.Text(), fmt.Sprintf("line %d", n); got != want {
				t.Fatalf("round %d: line %d is %q, want %q", round, n, got, want)
			}
		}
		_ = f.Close()
		if least := want + taken.Load(); n < least || n > least+1 {
			t.Fatalf("round %d: there are %d lines, want %d or one more", round, n, least)
		}
		want = n
	}
}

// TestRemovalsSurviveAKill removes messages, kills the server and looks for them.
func TestRemovalsSurviveAKill(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh("mkdir S; seq 200 >> S/.log")
	for round := range scaled(2, 20, 100) {
		seq := 200 - 3*round
		if seq < 1 {
			break
		}
		m.sh(fmt.Sprintf("rm S/%d", seq))
		m.crash()
		if r := m.try(fmt.Sprintf("cat S/%d", seq)); r.code == 0 {
			t.Fatalf("message %d came back after a kill: %q", seq, r.out)
		}
		if got, want := len(m.messages("S")), 200-round-1; got != want {
			t.Fatalf("round %d: there are %d messages, want %d", round, got, want)
		}
	}
}

// TestOpenFilesOfADeadServer is P15: every call on them ends, with ENOTCONN, and the next mount works.
func TestOpenFilesOfADeadServerFailAndDoNotHang(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo hi > S/x")
	for range scaled(2, 50, 50) {
		r, err := os.Open(m.path("S/.log"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := os.OpenFile(m.path("S/y"), os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString("half a message"); err != nil {
			t.Fatal(err)
		}
		m.kill()
		calls := map[string]func() error{
			"read":  func() error { _, err := r.ReadAt(make([]byte, 10), 0); return err },
			"write": func() error { _, err := w.WriteString("the rest"); return err },
			"fsync": func() error { return w.Sync() },
			"fstat": func() error { return syscall.Fstatfs(int(r.Fd()), new(syscall.Statfs_t)) },
			"list":  func() error { _, err := os.ReadDir(m.dir); return err },
			"make":  func() error { return os.Mkdir(m.path("T"), 0o755) },
			"close": func() error { return w.Close() },
		}
		for _, name := range []string{"read", "write", "fsync", "fstat", "list", "make", "close"} {
			err := within(t, name, calls[name])
			ending := errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ECANCELED) // the latter over io_uring
			if !errors.Is(err, syscall.ENOTCONN) && !ending {
				t.Errorf("%s on a dead server's file: got %v, want ENOTCONN", name, err)
			}
		}
		_ = r.Close()
		m.startSoon()
	}
	if got, want := m.sh("cat S/*"), "hi\n"; got != want {
		t.Errorf("after all of it: got %q, want %q", got, want)
	}
}

// within runs a call and fails the test if it hangs.
func within(t *testing.T, name string, call func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatalf("%s hangs", name)
		return nil
	}
}
