package logview

import (
	"context"
	"sync/atomic"

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

	// open counts handles. It is changed by who has the turn, and read without it.
	open atomic.Int64
	// turn has room for one: who put something in may use epoch. It is held while an epoch begins or ends, which for
	// a part may take as long as a scan of it; who waits for that can be interrupted.
	turn chan struct{}
	// epoch is nil while nobody has the log open. That of a part stays, and grows, as long as nothing was
	// removed: who asks for the size or opens the log next need not scan the part again.
	epoch *epoch
}

// New returns the log of a stream's messages that are in q. It costs nothing until it is used.
func New(r Source, q store.Query, f Framing) *Log {
	part := q.From > 1 || q.To > 0 || q.Subject != ""
	return &Log{r: r, q: q, part: part, framing: f, limits: defaultLimits, turn: make(chan struct{}, 1)}
}

// take waits for the turn, which must be given back.
func (l *Log) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	default: // waiting costs more
	}
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Log) give() { <-l.turn }

// Size returns the log's size: that of the live messages if nobody has it open, else
// that of the layout, which never shrinks. For a part of a stream it costs a scan of it if nobody has it
// open, the first time, and whenever something was removed from the stream.
func (l *Log) Size(ctx context.Context) (int64, error) {
	e, err := l.current(ctx)
	switch {
	case err != nil:
		return 0, err
	case l.part:
		if err := e.take(ctx); err != nil {
			return 0, err
		}
		return e.size(), nil
	}
	st, err := l.r.State(ctx)
	if err != nil || e == nil {
		return l.framing.total(st.Live), err
	}
	size := e.sizeOf(st)
	e.told.add(size)
	return size, nil
}

// current returns the epoch, which may be nil unless the log is that of a part.
func (l *Log) current(ctx context.Context) (*epoch, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	defer l.give()
	if l.part {
		if err := l.begin(ctx); err != nil {
			return nil, err
		}
	}
	return l.epoch, nil
}

// Open opens the log for reading, and begins an epoch if nobody else has it open.
func (l *Log) Open(ctx context.Context) (*Handle, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	defer l.give()
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &Handle{log: l, e: l.epoch, r: l.r, toldBefore: l.epoch.told.count()}, nil
}

// begin sees to it that there is an epoch. The caller has the turn.
func (l *Log) begin(ctx context.Context) error {
	if e := l.epoch; e != nil {
		if l.open.Load() > 0 {
			return nil
		}
		if err := e.take(ctx); err != nil {
			return err
		}
		if e.changes.Load() == 0 {
			return nil
		}
	}
	e, err := l.newEpoch(ctx)
	if err == nil {
		l.epoch = e
	}
	return err
}

// InUse says whether somebody has the log open.
func (l *Log) InUse() bool { return l.open.Load() > 0 }

// release ends a handle's use of the epoch.
func (l *Log) release() {
	l.turn <- struct{}{}
	defer l.give()
	switch {
	case l.open.Add(-1) > 0:
	case l.part:
		l.epoch.rest()
	default:
		l.epoch.close()
		l.epoch = nil
	}
}
