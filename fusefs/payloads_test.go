package fusefs

import (
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
	n, err := l.read(node, l.size, func() ([]byte, error) {
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
			_, _ = l.read(1, l.size, func() ([]byte, error) {
				<-hang
				return nil, errStale
			}, nil, 0)
		})
		synctest.Wait()
		begun := time.Now()
		if n, err := l.read(2, l.size, func() ([]byte, error) { return []byte("data"), nil }, make([]byte, 4), 0); n != 4 || err != nil {
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
