package blockstore

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// wanted makes a stream in mem, with a message that consumer c alone wants, and one that d wants.
func wanted(t *testing.T, fsys vfs.FS) (*Store, store.Stream) {
	t.Helper()
	st, err := Open(fsys, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	s, err := st.Create(t.Context(), store.Config{Name: "S", Retention: store.RetentionInterest})
	fatal(t, err)
	for name, subject := range map[string]string{"c": "x", "d": "y"} {
		_, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: name, FilterSubject: subject})
		fatal(t, err)
		_, err = s.Append(t.Context(), store.Entry{Subject: subject})
		fatal(t, err)
	}
	return st, s
}

// wantSwept opens the store, and demands that nothing is left but what d wants.
func wantSwept(t *testing.T, fsys vfs.FS) {
	t.Helper()
	st, err := Open(fsys, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	defer func() { _ = st.Close() }()
	s, err := st.Stream(t.Context(), "S")
	fatal(t, err)
	if state, err := s.State(t.Context()); err != nil || state.Live.Messages != 1 {
		t.Errorf("got %+v, %v, want one message", state, err)
	}
}

// ofBlocks lets calls of that name fail for blocks.
func ofBlocks(what string) func(call, name string) bool {
	return func(call, name string) bool { return call == what && strings.HasSuffix(name, ".blk") }
}

// A stop that leaves messages to be removed by who opens the stream has the others on disk.
func TestAStopThatLeavesSomethingSyncs(t *testing.T) {
	mem := vfs.NewMem()
	fail := vfs.NewFail(mem)
	st, s := wanted(t, fail)
	fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.ENOSPC, Match: ofBlocks("write")})
	if err := s.RemoveConsumer(t.Context(), "c"); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("on a full disk: %v, want %v", err, store.ErrNoSpace)
	}
	if err := st.Close(); err == nil {
		t.Error("closing does not tell that messages could not be removed")
	}
	if n := afterPowerLoss(t, mem); n != 2 {
		t.Errorf("got %d messages after a loss of power, want 2", n)
	}
	wantSwept(t, mem)
}

// What no consumer wants goes with the next open, also where nothing else was to be written.
func TestAStopWithoutAWriteLeavesItToTheNextOpen(t *testing.T) {
	fail := vfs.NewFail(vfs.NewMem())
	st, _ := wanted(t, fail)
	fatal(t, st.Close())
	st, err := Open(fail, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	s, err := st.Stream(t.Context(), "S")
	fatal(t, err)
	fail.Set(vfs.Fault{At: 1, ForGood: true, Match: ofBlocks("read")})
	if err := s.RemoveConsumer(t.Context(), "c"); !errors.Is(err, syscall.EIO) {
		t.Errorf("where no block can be read: %v, want EIO", err)
	}
	if err := st.Close(); err == nil {
		t.Error("closing does not tell that messages could not be removed")
	}
	fail.Set(vfs.Fault{})
	wantSwept(t, fail)
}

// A consumer that is removed while the store is closed takes with it what it alone wanted, at the latest with the next open.
func TestAConsumerThatIsRemovedInTheEndTakesItsMessages(t *testing.T) {
	mem := vfs.NewMem()
	var st *Store
	var s *Stream
	var removes atomic.Bool
	closed := make(chan error, 1)
	mem.Hook = func(op string) {
		if !strings.Contains(op, "/"+consumerPrefix) || strings.HasSuffix(op, newSuffix) || !removes.CompareAndSwap(true, false) {
			return
		}
		go func() { closed <- st.Close() }()
		waitFor(t, "nobody comes in any more", func() bool { return s.gate.n.Load() > closedBias })
	}
	opened, made := wanted(t, mem)
	st, s = opened, made.(*Stream)
	fatal(t, s.Sync(t.Context())) // nothing is left to be written for the consumers
	removes.Store(true)
	if err := s.RemoveConsumer(t.Context(), "c"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("removing the consumer: %v, want %v", err, store.ErrClosed)
	}
	if err := <-closed; err == nil {
		t.Error("closing does not tell that messages could not be removed")
	}
	wantSwept(t, mem)
}
