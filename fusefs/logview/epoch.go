package logview

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
)

// patience is how long an epoch waits for an event that its stream's State has
// counted already. It is there within microseconds, unless the engine is remote; after that it
// is taken for lost.
const patience = 5 * time.Second

// maxEvents is the largest buffer for events that is used again.
const maxEvents = 4096

// epoch keeps a layout in step with its stream. A goroutine of its own takes the
// events, so that few get lost while nobody reads; who reads takes them too, and so sees what
// was done before the call.
//
// Events don't tell on which subject a message is. So the epoch of a part of a stream has no use
// for them: who reads looks for what was stored since the last time; see growLocked.
type epoch struct {
	r        Source
	q        store.Query
	part     bool // q is not the whole stream
	framing  Framing
	erasures *Erasures          // of the stream, nil if they are not known
	sub      store.Subscription // nil for a part, as is done
	done     chan struct{}      // closed when the goroutine has ended
	base     int64              // bytes in the layout when the epoch began
	appended int64              // those of State.Appended then

	// changes counts what may make a handle's read-ahead wrong; returns what may have put
	// messages back. Both are changed under mu and read without it.
	changes, returns atomic.Uint64

	// guessed says that events were lost, so that some places may be wrong.
	guessed atomic.Bool
	told    told

	// mu guards the rest. No other lock is taken under it but the engine's; the store is
	// called under it only after events were lost, or for a part.
	mu     sync.Mutex
	l      layout
	seen   seen          // what of the stream a part's layout has
	near   near          // stretches that were looked at last
	lost   bool          // events were lost, and the layout is not mended yet
	events []store.Event // the buffer for Take
	moved  chan struct{} // closed when the layout's rev has risen; nil if nobody waits
}

func (l *Log) newEpoch(ctx context.Context) (*epoch, error) {
	e := &epoch{r: l.r, q: l.q, part: l.part, framing: l.framing, erasures: erasuresOf(l.r)}
	if e.part {
		e.l = newLayout(l.limits, l.framing, nil, store.State{})
		return e, e.take(ctx)
	}
	e.sub, e.done = l.r.Watch(), make(chan struct{})
	extents, st, err := l.r.Extents(ctx)
	if err != nil {
		e.sub.Close()
		return nil, err
	}
	e.l = newLayout(l.limits, l.framing, extents, st)
	e.base, e.appended = e.l.end, l.framing.total(st.Appended)
	go e.follow()
	return e, nil
}

// sizeOf returns the size of a whole stream's log in a State of the stream.
func (e *epoch) sizeOf(st store.State) int64 {
	return e.base + max(0, e.framing.total(st.Appended)-e.appended)
}

func (e *epoch) close() {
	e.sub.Close()
	<-e.done
}

// rest lets go of what only readers need.
func (e *epoch) rest() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.near = near{}
}

// follow takes events until the subscription is closed.
func (e *epoch) follow() {
	defer close(e.done)
	for range e.sub.C() {
		e.mu.Lock()
		_ = e.takeLocked(context.Background()) // if it fails, e.lost stays, and whoever reads tries again
		e.mu.Unlock()
	}
}

// take brings the layout up to all changes that were made before the call.
func (e *epoch) take(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.takeLocked(ctx)
}

func (e *epoch) takeLocked(ctx context.Context) error {
	if e.part {
		return e.growLocked(ctx)
	}
	events, lost := e.sub.Take(e.events)
	e.events = events
	if lost {
		e.lost = true
	}
	if e.lost {
		if err := e.mendLocked(ctx); err != nil {
			return err
		}
	}
	for i := range events {
		e.applyLocked(&events[i])
	}
	if cap(events) > maxEvents {
		e.events = nil
	}
	if len(events) > 0 || lost {
		e.l.tidy()
		if e.moved != nil {
			close(e.moved)
			e.moved = nil
		}
	}
	return nil
}

func (e *epoch) applyLocked(ev *store.Event) {
	if ev.Rev <= e.l.rev {
		return
	}
	e.l.rev = ev.Rev
	switch ev.Kind {
	case store.Stored:
		e.l.place(ev.Meta.Seq, e.framing.size(ev.Meta))
	case store.Deleted:
		e.l.remove(ev.Meta.Seq, e.framing.size(ev.Meta))
		e.changes.Add(1)
	case store.Undeleted:
		e.l.bringBack(ev.Meta.Seq)
		e.changes.Add(1)
		e.returns.Add(1)
	}
}

// mendLocked makes good for lost events: what was stored gets its place, and what was
// removed is found out when its segment is scanned.
func (e *epoch) mendLocked(ctx context.Context) error {
	extents, st, err := e.r.Extents(ctx)
	if err != nil {
		return err
	}
	e.l.extend(extents, st, e.sizeOf(st))
	e.lost = false
	e.guessed.Store(true)
	e.changes.Add(1)
	e.returns.Add(1)
	return nil
}

// reachLocked waits until the layout has everything that a State counts. mu is given
// up while it waits.
func (e *epoch) reachLocked(ctx context.Context, rev uint64) error {
	for {
		if err := e.takeLocked(ctx); err != nil {
			return err
		}
		if e.l.rev >= rev {
			return nil
		}
		if e.moved == nil {
			e.moved = make(chan struct{})
		}
		if err := e.awaitLocked(ctx, e.moved); err != nil {
			return err
		}
	}
}

func (e *epoch) awaitLocked(ctx context.Context, moved <-chan struct{}) error {
	e.mu.Unlock()
	defer e.mu.Lock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		e.mu.Lock()
		e.lost = true
		e.mu.Unlock()
		return nil
	case <-e.done:
		return fmt.Errorf("log: %w", store.ErrClosed)
	}
}
