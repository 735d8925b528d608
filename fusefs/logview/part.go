package logview

import (
	"context"
	"errors"

	"jsfs/store"
)

// seen says how far the layout of a part of a stream has followed the stream.
type seen struct {
	last store.Seq // messages up to here have their place
	// State.Appended.Messages and State.Live.Messages then.
	appended, live int64
}

// within is the query of the log's messages from first to last; to the end if last is 0.
func (e *epoch) within(first, last store.Seq) store.Query {
	q := e.q
	q.From = max(q.From, first)
	if last > 0 && (q.To == 0 || q.To > last) {
		q.To = last
	}
	return q
}

// growLocked gives what was stored since the last call its place. What was removed is found out
// when its segment is scanned.
func (e *epoch) growLocked(ctx context.Context) error {
	st, err := e.r.State(ctx)
	if err != nil || st.Rev <= e.l.rev && e.seen.last > 0 {
		return err
	}
	if err := e.takeOthersLocked(ctx, st); err != nil {
		return err
	}
	if q := e.within(e.seen.last+1, st.Last); q.From <= q.To {
		for m, err := range e.r.Scan(ctx, q) {
			if err != nil {
				return err
			}
			e.l.place(m.Seq, e.framing.size(m))
		}
	}
	e.seen, e.l.rev = seen{st.Last, st.Appended.Messages, st.Live.Messages}, st.Rev
	e.l.tidy()
	return nil
}

// takeOthersLocked takes in that messages were removed or came back, as their number tells: each change is
// counted by Rev, and what was appended is known.
func (e *epoch) takeOthersLocked(ctx context.Context, st store.State) error {
	if e.seen.last == 0 {
		return nil
	}
	appended := st.Appended.Messages - e.seen.appended
	others := int64(st.Rev-e.l.rev) - appended // removed and come back
	if others <= 0 {
		return nil
	}
	e.changes.Add(1)
	e.returns.Add(1)
	if less := e.seen.live + appended - st.Live.Messages; less == others {
		return nil // all of them removed
	}
	return e.widenLocked(ctx)
}

// widenLocked gives segments room for messages that came back and had no place in them. The size must
// not be less than what a reader gets.
func (e *epoch) widenLocked(ctx context.Context) error {
	live := make([]int64, len(e.l.segs))
	last := e.l.last
	i := 0
	for m, err := range e.r.Scan(ctx, e.within(0, e.seen.last)) {
		switch {
		case err != nil:
			return err
		case m.Seq > last:
			e.l.place(m.Seq, e.framing.size(m))
			continue
		}
		for e.l.segs[i].last < m.Seq {
			i++
		}
		if !e.l.isHidden(m.Seq) {
			live[i] += e.framing.size(m)
		}
	}
	e.l.end = 0
	for i := range e.l.segs {
		s := &e.l.segs[i]
		s.start = e.l.end
		if i < len(live) {
			s.bytes = max(s.bytes, live[i]+s.dead)
		}
		e.l.end += s.bytes
	}
	return nil
}

// load reads the first message of a part from seq on.
func (e *epoch) load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	m, err := e.r.Next(ctx, e.within(seq, 0), buf)
	switch {
	case errors.Is(err, store.ErrNotFound):
		m.Seq, err = 0, store.ErrBeyond
	case err != nil && m.Seq == 0:
		m.Seq = seq
	}
	return m, err
}

// jump moves the frontier to the next message of a part. If anything was removed it is told anew where the
// message begins in each segment, so that it is off within one at most.
func (f *frontier) jump(ctx context.Context, e *epoch, to store.Seq) error {
	switch {
	case e.changes.Load() == 0:
	case to > f.settled:
		start, last, err := e.settle(ctx, to)
		if err != nil {
			return err
		}
		if last > 0 {
			f.start, f.settled = start, last
		}
	default:
		e.mu.Lock()
		n, ok := e.l.deadBytes(f.next, to-1)
		e.mu.Unlock()
		if ok {
			f.start += n
		}
	}
	f.next = to
	return nil
}

// settle finds out what is gone from the segment of message seq, and returns where the message begins and
// the segment ends; last is 0 if the message has no place.
func (e *epoch) settle(ctx context.Context, seq store.Seq) (start int64, last store.Seq, err error) {
	s, ok, err := e.stretch(ctx, func(l *layout) int { return l.segmentOf(seq) })
	if err != nil || !ok {
		return 0, 0, err
	}
	return s.startOf(seq), s.last, nil
}

// startOf is where the message seq begins, or what comes behind it.
func (s *stretch) startOf(seq store.Seq) int64 {
	off := s.start
	for _, it := range s.items {
		if it.first >= seq {
			break
		}
		off += it.size
	}
	return off
}
