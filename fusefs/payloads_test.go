package fusefs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// loads counts how often messages are loaded, and how much is being read at a time.
type loads struct {
	payloads
	t     *testing.T
	size  int64
	count atomic.Int64
}

// readers has n readers read a message each in pieces, one piece each pause.
func (l *loads) readers(n, pieces int, pause time.Duration) {
	data := make([]byte, l.size)
	var wg sync.WaitGroup
	for node := range uint64(n) {
		wg.Go(func() {
			l.open(node)
			defer l.close(node)
			for range pieces {
				l.piece(node, data)
				time.Sleep(pause)
			}
		})
	}
	wg.Wait()
}

func (l *loads) piece(node uint64, data []byte) {
	b := make([]byte, 10)
	n, err := l.read(l.t.Context(), node, l.size, func() ([]byte, error) {
		l.count.Add(1)
		return data, nil
	}, b, 5)
	if n != len(b) || err != nil {
		l.t.Errorf("read %d bytes, %v", n, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes > maxPayloads && len(l.m) > 1 {
		l.t.Errorf("%d bytes are kept of %d messages", l.bytes, len(l.m))
	}
}

// However many read large messages at a time, each is loaded once, and few are in memory.
func TestLargeMessagesWaitForEachOther(t *testing.T) {
	for _, size := range []int64{maxPayloads / 4, maxPayloads/2 + 1, maxPayloads + 1} {
		synctest.Test(t, func(t *testing.T) {
			l := &loads{t: t, size: size}
			l.readers(20, 30, time.Millisecond)
			if got := l.count.Load(); got != 20 {
				t.Errorf("of %d bytes: 20 messages were loaded %d times", size, got)
			}
			if l.bytes != 0 || l.lru.Len() != 0 {
				t.Errorf("at the end %d bytes of %d messages are kept", l.bytes, l.lru.Len())
			}
		})
	}
}

// Readers that take long get their turns, and don't keep others from theirs.
func TestWhoReadsALargeMessageSlowlyGivesItsRoomAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loads{t: t, size: maxPayloads}
		data := make([]byte, l.size)
		for node := range uint64(2) {
			l.open(node)
			defer l.close(node)
		}
		begun := time.Now()
		l.piece(0, data)
		l.piece(1, data) // the first one is idle
		if took := time.Since(begun); took != payloadIdle {
			t.Errorf("the second one waited %v, want %v", took, payloadIdle)
		}
		l.readers(3, 500, payloadIdle/2)
		if got := l.count.Load(); got > 2+3*500/20 {
			t.Errorf("they were loaded %d times", got)
		}
	})
}

// A disk that hangs holds up who reads from it, and others for a second.
func TestALoadThatHangsDoesNotHoldUpOthersForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loads{t: t, size: maxPayloads}
		l.open(1)
		l.open(2)
		hang := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = l.read(t.Context(), 1, l.size, func() ([]byte, error) {
				<-hang
				return nil, errStale
			}, nil, 0)
		})
		synctest.Wait()
		begun := time.Now()
		if n, err := l.read(t.Context(), 2, l.size, func() ([]byte, error) { return []byte("data"), nil }, make([]byte, 4), 0); n != 4 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		if took := time.Since(begun); took > payloadWait+payloadIdle {
			t.Errorf("it took %v", took)
		}
		close(hang)
		wg.Wait()
		l.close(1)
		l.close(2)
		if l.bytes != 0 {
			t.Errorf("%d bytes are kept", l.bytes)
		}
	})
}

// Who is interrupted while he loads a message has EINTR for himself: who waits for the same message loads it.
func TestAnInterruptedLoadIsTheReadersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loads{t: t, size: 4}
		l.open(1)
		ctx, interrupt := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := l.read(ctx, 1, l.size, func() ([]byte, error) {
				<-ctx.Done()
				return nil, fmt.Errorf("read the block: %w", ctx.Err())
			}, make([]byte, 4), 0)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("who is interrupted has %v", err)
			}
		})
		synctest.Wait()
		const others = 3
		for range others {
			wg.Go(func() { l.whole(1, "data") })
		}
		synctest.Wait()
		interrupt()
		wg.Wait()
		if got := l.count.Load(); got != 1 {
			t.Errorf("%d others loaded it %d times", others, got)
		}
		l.closed(1)
	})
}

// Who waits for a message that another one loads can be interrupted, and harms nobody.
func TestWhoWaitsForALoadCanBeInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loads{t: t, size: 4}
		l.open(1)
		hang := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			n, err := l.read(t.Context(), 1, l.size, func() ([]byte, error) {
				<-hang
				return []byte("data"), nil
			}, make([]byte, 4), 0)
			if n != 4 || err != nil {
				t.Errorf("who loads it reads %d bytes, %v", n, err)
			}
		})
		synctest.Wait()
		ctx, interrupt := context.WithCancel(t.Context())
		interrupt()
		if _, err := l.read(ctx, 1, l.size, nil, nil, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("who waits has %v", err)
		}
		close(hang)
		wg.Wait()
		l.whole(1, "data")
		if got := l.count.Load(); got != 0 {
			t.Errorf("it was loaded again %d times", got)
		}
		l.closed(1)
	})
}

// A panic while a message is loaded is no empty message: who waits for it loads it.
func TestAPanicWhileAMessageIsLoadedLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &loads{t: t, size: 4}
		l.open(1)
		hang := make(chan struct{})
		bug := func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is lost")
				}
			}()
			_, _ = l.read(t.Context(), 1, l.size, func() ([]byte, error) {
				<-hang
				panic("a bug")
			}, make([]byte, 4), 0)
		}
		var wg sync.WaitGroup
		wg.Go(bug)
		synctest.Wait()
		wg.Go(func() { l.whole(1, "data") })
		synctest.Wait()
		close(hang)
		wg.Wait()
		l.drop(1)
		bug()
		if l.bytes != 0 || len(l.m) != 0 {
			t.Errorf("%d bytes of %d messages are kept", l.bytes, len(l.m))
		}
		l.whole(1, "data")
		l.closed(1)
	})
}

// whole reads a message from its beginning to its end.
func (l *loads) whole(node uint64, want string) {
	b := make([]byte, 10)
	n, err := l.read(l.t.Context(), node, l.size, func() ([]byte, error) {
		l.count.Add(1)
		return []byte(want), nil
	}, b, 0)
	if got := string(b[:n]); got != want || err != nil {
		l.t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// closed closes a message, and looks whether something is kept.
func (l *loads) closed(node uint64) {
	l.close(node)
	if l.bytes != 0 || l.lru.Len() != 0 {
		l.t.Errorf("%d bytes of %d messages are kept", l.bytes, l.lru.Len())
	}
}
