package watch

import (
	"sync"

	"jsfs/store"
)

// DefaultSize is how many events a subscription holds at most.
const DefaultSize = 65536

// Sub is a [store.Subscription]. It takes memory for the events that wait in it, not for
// those that could.
type Sub struct {
	hub  *Hub
	size int
	// c is poked under mu by add, and closed under mu by Close.
	c chan struct{}

	mu     sync.Mutex // a leaf; guards the rest
	queue  []store.Event
	lost   bool
	closed bool
}

var _ store.Subscription = (*Sub)(nil)

// C implements [store.Subscription].
func (s *Sub) C() <-chan struct{} { return s.c }

// Take implements [store.Subscription]. The buffer that it is given becomes the queue.
func (s *Sub) Take(buf []store.Event) ([]store.Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, lost := s.queue, s.lost
	s.queue, s.lost = buf[:0], false
	return events, lost
}

// Close implements [store.Subscription]. What waits can still be taken.
func (s *Sub) Close() {
	s.hub.remove(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.c)
	}
}

func (s *Sub) add(events []store.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if len(s.queue)+len(events) > s.size {
		s.loseLocked()
	} else {
		s.queue = append(s.queue, events...)
	}
	s.pokeLocked()
}

// lose drops what waits, as the queue does when it is full.
func (s *Sub) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.loseLocked()
	s.pokeLocked()
}

// loseLocked drops what waits: it is worth nothing to who must take everything as changed.
func (s *Sub) loseLocked() { s.queue, s.lost = s.queue[:0], true }

func (s *Sub) pokeLocked() {
	select {
	case s.c <- struct{}{}:
	default:
	}
}
