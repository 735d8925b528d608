package fusefs

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// waiting are the requests that take long, by their numbers.
type waiting struct {
	// mu guards m. It is a leaf.
	mu sync.Mutex
	m  map[uint64]struct{}
}

func (w *waiting) add(unique uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		w.m = map[uint64]struct{}{}
	}
	w.m[unique] = struct{}{}
}

func (w *waiting) remove(unique uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.m, unique)
}

func (w *waiting) all() []uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.m))
}

// interruptPeriod is how often those are interrupted who still wait when the connection has ended.
const interruptPeriod = 50 * time.Millisecond

// finish returns when all requests are answered. The connection has ended: nobody waits for the answers, and
// who still works on one is told so.
func (t *transport) finish() {
	done := make(chan struct{})
	go func() {
		t.running.Wait()
		close(done)
	}()
	tick := time.NewTicker(interruptPeriod)
	defer tick.Stop()
	for {
		for _, unique := range t.waiting.all() {
			t.interrupt(unique)
		}
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}
