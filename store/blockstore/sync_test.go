package blockstore

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// afterPowerLoss counts the live messages that are left of stream S if the power is lost
// now and nothing survives that was not synced.
func afterPowerLoss(t *testing.T, mem *vfs.Mem) int64 {
	t.Helper()
	st, err := Open(mem.Crash(rand.New(rand.NewPCG(1, 1)), 0), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s, err := st.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	state, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state.Live.Messages
}

func TestWhatASyncPolicyPromises(t *testing.T) {
	for _, c := range []struct {
		policy                                 Sync
		appended, removed, later, removedLater int64 // messages left: at once, and 300 ms later
	}{
		{SyncAlways, 1, 1, 1, 0},
		{SyncInterval, 0, 0, 1, 0},
		{SyncNever, 0, 0, 0, 0},
	} {
		t.Run(c.policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := vfs.NewMem()
				st, err := Open(mem, Options{Sync: c.policy})
				if err != nil {
					t.Fatal(err)
				}
				s, err := st.Create(t.Context(), store.Config{Name: "S"})
				if err != nil {
					t.Fatal(err)
				}
				want := func(when string, n int64) {
					t.Helper()
					synctest.Wait()
					if got := afterPowerLoss(t, mem); got != n {
						t.Errorf("%s: got %d messages after a loss of power, want %d", when, got, n)
					}
				}
				if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); err != nil {
					t.Fatal(err)
				}
				want("at once", c.appended)
				time.Sleep(300 * time.Millisecond)
				want("300 ms later", c.later)
				if _, err := s.Remove(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				want("removed", c.later)
				time.Sleep(300 * time.Millisecond)
				want("removed 300 ms ago", c.removedLater)
				if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); err != nil {
					t.Fatal(err)
				}
				if err := s.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
				want("synced", 1)
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// slowSync is a file system whose syncs take until all writers of a stream wait for one.
type slowSync struct {
	vfs.FS
	writers atomic.Int64            // that have something to write
	commits atomic.Pointer[commits] // theirs
	mu      sync.Mutex              // guards syncs
	syncs   int
}

type slowFile struct {
	vfs.File
	fs *slowSync
}

func (s *slowSync) Create(name string) (vfs.File, error) {
	f, err := s.FS.Create(name)
	return slowFile{f, s}, err
}

func (s *slowSync) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.syncs
}

// waiting is how many wait for this sync or the next one.
func (s *slowSync) waiting() int64 {
	c := s.commits.Load()
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.waiting) + c.crowd)
}

func (f slowFile) Sync() error {
	for f.fs.writers.Load() > f.fs.waiting() {
		time.Sleep(100 * time.Microsecond)
	}
	f.fs.mu.Lock()
	f.fs.syncs++
	f.fs.mu.Unlock()
	return f.File.Sync()
}

func TestWritersShareASync(t *testing.T) {
	const writers, each = 16, 50
	slow := &slowSync{FS: vfs.NewMem()}
	st, err := Open(slow, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	before := slow.count()
	slow.commits.Store(&s.(*Stream).commits)
	slow.writers.Store(writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			defer slow.writers.Add(-1)
			for i := range each {
				if _, err := s.Append(t.Context(), store.Entry{Subject: fmt.Sprintf("w.%d.%d", w, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := slow.count() - before; got > writers*each/6 {
		t.Errorf("got %d syncs for %d messages, want at most a sixth", got, writers*each)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOneRefusedMessageDoesNotKeepOthersOfItsBatchBack(t *testing.T) {
	st, err := Open(vfs.NewMem(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	str, err := st.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	s := str.(*Stream)
	one := func(subject string) *op { return newOp([]store.Entry{{Subject: subject}}) }
	ops := []*op{one("a"), one("bad subject"), one("b"), newOp([]store.Entry{{Subject: "c"}, {Subject: "*"}, {Subject: "d"}}), one("e")}
	s.commits.waiting = ops
	s.commitWaiting()
	for i, want := range []struct {
		n    int
		last uint64
	}{{1, 1}, {0, 0}, {1, 2}, {1, 3}, {1, 4}} {
		<-ops[i].done
		if ops[i].n != want.n || want.n > 0 && ops[i].last != want.last || (ops[i].err == nil) != (i != 1 && i != 3) {
			t.Errorf("op %d: got n %d, last %d, %v, want %+v", i, ops[i].n, ops[i].last, ops[i].err, want)
		}
	}
}
