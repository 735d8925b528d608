package logview

import (
	"context"
	"sync"

	"jsfs/store"
)

// Source is what a log is made from.
type Source interface {
	store.Reader
	store.Follower
}

// Log is the log of one stream, shared by all who have it open.
type Log struct {
	r      Source
	limits limits

	// mu guards the rest. It is held while an epoch begins or ends.
	mu    sync.Mutex
	epoch *epoch // nil while nobody has the log open
	open  int    // handles
}

// New returns the log of a stream. It costs nothing until it is opened.
func New(r Source) *Log { return &Log{r: r, limits: defaultLimits} }

// Size returns the log's size: that of the live messages if nobody has it open, else
// that of the layout, which never shrinks.
func (l *Log) Size(ctx context.Context) (int64, error) {
	l.mu.Lock()
	e := l.epoch
	l.mu.Unlock()
	st, err := l.r.State(ctx)
	if err != nil {
		return 0, err
	}
	return e.sizeOf(st), nil
}

// SizeOf is Size for who has the stream's State at hand.
func (l *Log) SizeOf(st store.State) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch.sizeOf(st)
}

// Open opens the log for reading, and begins an epoch if nobody else has it open.
func (l *Log) Open(ctx context.Context) (*Handle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch == nil {
		e, err := newEpoch(ctx, l.r, l.limits)
		if err != nil {
			return nil, err
		}
		l.epoch = e
	}
	l.open++
	return &Handle{log: l, e: l.epoch, r: l.r}, nil
}

// release ends a handle's use of the epoch.
func (l *Log) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open--; l.open == 0 {
		l.epoch.close()
		l.epoch = nil
	}
}
