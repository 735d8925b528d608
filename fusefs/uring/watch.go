package uring

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// watch looks after requests that take long. The kernel says on /dev/fuse that a caller was
// interrupted, but only if the request had reached its worker when the signal came: a
// signal in the few microseconds before that is lost. So who waits for long is looked at.
type watch struct {
	interrupt func(unique uint64)

	resting atomic.Bool   // nobody looks, since nothing happens
	poked   chan struct{} // a request came meanwhile
	closing chan struct{} // the connection has ended: all requests are interrupted
	done    chan struct{} // no worker is left
	over    chan struct{} // nobody looks any more

	// mu guards tasks. It is a leaf.
	mu    sync.Mutex
	tasks map[*task]struct{}
}

const (
	// A request is looked at when it was there at the look before, too.
	lookEvery = 500 * time.Millisecond
	// When the connection has ended, who still waits is told so often.
	lookClosing = 50 * time.Millisecond
	// After so many looks at which nothing was under way nobody looks any more.
	lookIdle = 4
)

// task is what a worker does: the number of a request, 0 for nothing, and the thread that asked.
type task struct {
	unique atomic.Uint64
	pid    atomic.Uint32
	seen   uint64 // the request that was there at the last look; the watch's alone
}

func newWatch(interrupt func(uint64)) *watch {
	return &watch{
		interrupt: interrupt,
		poked:     make(chan struct{}, 1),
		closing:   make(chan struct{}),
		done:      make(chan struct{}),
		over:      make(chan struct{}),
		tasks:     map[*task]struct{}{},
	}
}

func (w *watch) add(t *task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks[t] = struct{}{}
}

func (w *watch) remove(t *task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tasks, t)
}

func (w *watch) all() []*task {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.tasks))
}

// begin notes that a worker has begun with a request, and end that it is done.
func (w *watch) begin(t *task, unique uint64, pid uint32) {
	t.pid.Store(pid)
	t.unique.Store(unique)
	if w.resting.Load() && w.resting.CompareAndSwap(true, false) {
		w.poked <- struct{}{}
	}
}

func (t *task) end() { t.unique.Store(0) }

// run looks until no worker is left.
func (w *watch) run() {
	defer close(w.over)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	closing, idle := w.closing, 0
	for {
		select {
		case <-w.done:
			return
		case <-closing:
			closing = nil
			tick.Reset(lookClosing)
			w.look(true)
			continue
		case <-tick.C:
		}
		if w.look(closing == nil) {
			idle = 0
			continue
		}
		if idle++; idle < lookIdle || closing == nil {
			continue
		}
		idle = 0
		w.rest(tick)
	}
}

// rest waits for a request.
func (w *watch) rest(tick *time.Ticker) {
	tick.Stop()
	defer tick.Reset(lookEvery)
	w.resting.Store(true)
	if w.look(false) && w.resting.CompareAndSwap(true, false) {
		return // it came before we rested
	}
	select {
	case <-w.poked:
	case <-w.closing:
	case <-w.done:
	}
}

// look interrupts the requests whose callers have a signal waiting, or all of them, and says whether any is
// under way.
func (w *watch) look(all bool) (busy bool) {
	for _, t := range w.all() {
		unique, pid := t.unique.Load(), t.pid.Load()
		old := t.seen == unique
		t.seen = unique
		if unique == 0 {
			continue
		}
		busy = true
		if all || old && signalled(pid) {
			w.interrupt(unique)
		}
	}
	return busy
}

// close has all requests interrupted, and keep has them until finish is called.
func (w *watch) close() { close(w.closing) }

// finish returns when nobody looks any more.
func (w *watch) finish() {
	close(w.done)
	<-w.over
}
