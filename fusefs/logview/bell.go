package logview

import (
	"sync"

	"jsfs/store"
)

// Bell rings when a stream changes, for all who wait for its next message: however many they are, they share
// one subscription.
type Bell struct {
	r store.Follower

	// mu guards the rest. It is held while the subscription begins or ends.
	mu      sync.Mutex
	users   int
	sub     store.Subscription
	done    chan struct{} // closed when the goroutine has ended
	ring    chan struct{} // closed at the next change
	silence chan struct{} // closed by End
	ended   bool
}

// NewBell returns the bell of a stream. It costs nothing until somebody waits.
func NewBell(r store.Follower) *Bell {
	return &Bell{r: r, ring: make(chan struct{}), silence: make(chan struct{})}
}

// End tells all who wait, now or later, that nothing will come any more. It may be called more than once.
func (b *Bell) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.ended = true
		close(b.silence)
	}
}

// next returns a channel that is closed at the next change. What changed before is to be looked at after this call.
func (b *Bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ring
}

// acquire has the bell ring until release is called as often.
func (b *Bell) acquire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users++; b.users == 1 {
		b.sub, b.done = b.r.Watch(), make(chan struct{})
		go b.listen(b.sub, b.done)
	}
}

func (b *Bell) release() {
	b.mu.Lock()
	b.users--
	if b.users > 0 {
		b.mu.Unlock()
		return
	}
	sub, done := b.sub, b.done
	b.mu.Unlock()
	sub.Close()
	<-done
}

// listen rings for each change until the subscription is closed.
func (b *Bell) listen(sub store.Subscription, done chan<- struct{}) {
	defer close(done)
	var events []store.Event
	for range sub.C() {
		if events, _ = sub.Take(events); cap(events) > maxEvents {
			events = nil
		}
		b.mu.Lock()
		close(b.ring)
		b.ring = make(chan struct{})
		b.mu.Unlock()
	}
}
