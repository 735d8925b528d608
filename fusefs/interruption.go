package fusefs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// interruptGrace is how long a request goes on whose caller was interrupted. A program has signals all the time, for a timer, a
// child that ended or a window that changed, and does not expect that stat, mkdir or rename end with EINTR: they don't on
// a local disk. So what is done in this time is done whole. Who interrupts what takes longer does not wait for its end.
const interruptGrace = time.Second

// interruption makes a request a context.Context, which ends when the caller was interrupted: at once if the
// request waits for something to happen, else interruptGrace later. It must not be copied.
type interruption struct {
	cancel <-chan struct{} // closed when INTERRUPT comes
	waits  bool            // set before it is used as a context

	noticed atomic.Int64 // when it was seen first that cancel is closed, in nanoseconds since the Unix epoch

	// late, made by Done, is closed when the grace is over, and ended when the request is answered.
	make        sync.Once
	late, ended chan struct{}
}

// Deadline says that there is none.
func (i *interruption) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value holds nothing.
func (i *interruption) Value(any) any { return nil }

// Done is closed when the request is to be given up.
func (i *interruption) Done() <-chan struct{} {
	if i.waits || i.cancel == nil {
		return i.cancel
	}
	i.make.Do(func() {
		i.late, i.ended = make(chan struct{}), make(chan struct{})
		go i.watch()
	})
	return i.late
}

// watch closes late when it is time.
func (i *interruption) watch() {
	select {
	case <-i.cancel:
	case <-i.ended:
		return
	}
	for i.Err() == nil {
		select {
		case <-time.After(i.left()):
		case <-i.ended:
			return
		}
	}
	close(i.late)
}

// Err tells whether the request is to be given up.
func (i *interruption) Err() error {
	select {
	case <-i.cancel:
	default:
		return nil
	}
	if i.waits || i.left() <= 0 {
		return context.Canceled
	}
	return nil
}

// left is how much of the grace is left to a caller who was interrupted.
func (i *interruption) left() time.Duration {
	now := time.Now().UnixNano()
	if i.noticed.CompareAndSwap(0, now) {
		return interruptGrace
	}
	return interruptGrace - time.Duration(now-i.noticed.Load())
}

// end is called when the request is answered.
func (i *interruption) end() {
	i.make.Do(func() {}) // nobody makes it any more
	if i.ended != nil {
		close(i.ended)
	}
}

// interrupted says that an error says nothing but that what was done with ctx was interrupted.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, context.Canceled))
}
