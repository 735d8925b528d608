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
	// Next is that of store.Finder.
	Next(ctx context.Context, q store.Query, buf []byte) (store.Msg, error)
}

// Log is the log of one stream, or of a part of it, in one framing, shared by all who have it open.
type Log struct {
	r       Source
	q       store.Query
	part    bool // q is not the whole stream
	framing Framing
	limits  limits
	whole   partSize // of a part

	// mu guards the rest. It is held while an epoch begins or ends.
	mu    sync.Mutex
	epoch *epoch // nil while nobody has the log open
	open  int    // handles
}

// New returns the log of a stream's messages that are in q. It costs nothing until it is used.
func New(r Source, q store.Query, f Framing) *Log {
	part := q.From > 1 || q.To > 0 || q.Subject != ""
	return &Log{r: r, q: q, part: part, framing: f, limits: defaultLimits}
}

// Size returns the log's size: that of the live messages if nobody has it open, else
// that of the layout, which never shrinks. For a part of a stream it costs a scan of it if nobody has it
// open, the first time, and whenever something was removed from the stream.
func (l *Log) Size(ctx context.Context) (int64, error) {
	l.mu.Lock()
	e := l.epoch
	l.mu.Unlock()
	switch {
	case !l.part:
		st, err := l.r.State(ctx)
		if err != nil || e == nil {
			return l.framing.total(st.Live), err
		}
		return e.sizeOf(st), nil
	case e == nil:
		return l.whole.get(ctx, l)
	}
	if err := e.take(ctx); err != nil {
		return 0, err
	}
	return e.size(), nil
}

// Open opens the log for reading, and begins an epoch if nobody else has it open.
func (l *Log) Open(ctx context.Context) (*Handle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch == nil {
		e, err := l.newEpoch(ctx)
		if err != nil {
			return nil, err
		}
		l.epoch = e
	}
	l.open++
	return &Handle{log: l, e: l.epoch, r: l.r}, nil
}

// InUse says whether somebody has the log open.
func (l *Log) InUse() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open > 0
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
