package replicate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"jsfs/store"
)

const (
	// minPause and maxPause bound how long a link waits before it tries again after a failure.
	minPause = 50 * time.Millisecond
	maxPause = 10 * time.Second
	// batchMessages and batchBytes bound what is stored with one call.
	batchMessages = 512
	batchBytes    = 4 << 20
)

// link follows one origin for one target.
type link struct {
	g      *group
	src    store.Source
	key    string
	mirror bool
	wake   chan struct{} // of capacity one; poked when the origin may be there

	// Used by the link's own goroutine only.
	moved bool   // something was taken since the last failure
	note  string // what must be known of the messages, though following goes on

	mu    sync.Mutex        // a leaf
	state store.SourceState // guarded by mu
}

// current returns how far the link is.
func (l *link) current() store.SourceState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// failed notes why the link can't go on now.
func (l *link) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Error = err.Error()
}

// heard notes that the origin answered, and how many messages are still to come; or why none will.
func (l *link) heard(lag uint64, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Lag, l.state.Active, l.state.Error = lag, time.Now().UnixNano(), l.note
	if why != "" {
		l.state.Error = why
	}
}

// noted notes what must be known of the target's messages.
func (l *link) noted(format string, args ...any) {
	l.note = fmt.Sprintf(format, args...)
	l.g.r.opt.Logger.Warn("following an origin: "+l.note, "stream", l.g.cfg.Name, "origin", l.src.Name)
}

// run follows the origin until the group is cancelled.
func (l *link) run() {
	ctx, pause, told := l.g.ctx, minPause, ""
	for {
		err := l.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if _, terr := l.g.t.State(ctx); errors.Is(terr, store.ErrClosed) {
			return // the target was removed
		}
		if l.moved {
			l.moved, pause, told = false, minPause, ""
		}
		if told != err.Error() {
			told = err.Error()
			l.g.r.opt.Logger.Info("an origin can't be followed now", "stream", l.g.cfg.Name, "origin", l.src.Name, "cause", err)
		}
		l.failed(err)
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			pause = minPause
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		}
	}
}

// follow takes what the origin has and gets, until something fails.
func (l *link) follow(ctx context.Context) error {
	origin, err := l.g.r.opt.Open(ctx, l.src.Name)
	if err != nil {
		return err
	}
	sub := origin.Watch() // first, so that nothing comes unseen
	defer sub.Close()
	b := &batch{l: l, origin: origin, ident: identOf(l.g.r.opt.Store, origin.Incarnation())}
	if b.after, err = b.begin(ctx); err != nil {
		return err
	}
	var events []store.Event
	for {
		if err := b.catchUp(ctx); err != nil {
			return err
		}
		if err := l.wait(ctx, sub); err != nil {
			return err
		}
		events, _ = sub.Take(events)
	}
}

var errUnwatched = errors.New("the origin says no more what changes")

// wait returns when the origin changed, and remembers positions meanwhile.
func (l *link) wait(ctx context.Context, sub store.Subscription) error {
	for {
		var save <-chan time.Time
		switch due := l.g.due(); {
		case due == 0:
			if err := l.g.remember(ctx); err != nil {
				return fmt.Errorf("remember positions: %w", err)
			}
			continue
		case due > 0:
			save = time.After(due)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case _, ok := <-sub.C():
			if !ok {
				return errUnwatched
			}
			return nil
		case <-save:
		}
	}
}
