package blockstore

import (
	"context"
	"errors"
	"fmt"
	"math"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
)

// maxRetries bounds how often a call starts again because what it found was removed meanwhile.
const maxRetries = 1000

// begin begins a call on q, which must leave the gate, and makes its patterns ready. Where subjects are asked for by
// name, the index is made if it is not there.
func (s *Stream) begin(ctx context.Context, q store.Query) (*subjects.Filter, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	f := subjects.NewFilter(q)
	if !f.All {
		if err := s.buildSubjects(ctx); err != nil {
			s.gate.leave()
			return nil, err
		}
	}
	return f, nil
}

// Next implements [store.Finder].
func (s *Stream) Next(ctx context.Context, q store.Query, buf []byte) (store.Msg, error) {
	f, err := s.begin(ctx, q)
	if err != nil {
		return store.Msg{}, err
	}
	defer s.gate.leave()
	if last := s.cur.Load().last; uint64(q.From) > last {
		return store.Msg{}, fmt.Errorf("message %d of stream %s: %w", q.From, s.config.Load().Name, store.ErrBeyond)
	}
	return s.loadMatch(ctx, f, buf, s.firstMatch)
}

// Prev implements [store.Finder].
func (s *Stream) Prev(ctx context.Context, q store.Query, buf []byte) (store.Msg, error) {
	f, err := s.begin(ctx, q)
	if err != nil {
		return store.Msg{}, err
	}
	defer s.gate.leave()
	return s.loadMatch(ctx, f, buf, s.lastMatch)
}

// LoadLast implements [store.Reader].
func (s *Stream) LoadLast(ctx context.Context, subject string, buf []byte) (store.Msg, error) {
	if m, ok := s.loadKnownLast(ctx, subject, buf); ok {
		return m, nil
	}
	return s.Prev(ctx, store.Query{Subject: subject}, buf)
}

// loadKnownLast loads the last message on a literal subject if the index knows which it is. ok is false if it does not, or
// if the message can't be read.
func (s *Stream) loadKnownLast(ctx context.Context, subject string, buf []byte) (m store.Msg, ok bool) {
	if err := s.enter(ctx); err != nil {
		return m, false
	}
	defer s.gate.leave()
	seq := s.subjects.lastOn(subject)
	if seq == 0 {
		return m, false
	}
	p, ok := s.cur.Load().at(seq)
	if !ok {
		return m, false
	}
	m, err := s.loadOn(&p.v, p.i, buf, subject)
	return m, err == nil && m.Subject == subject && !p.v.isDeleted(p.i)
}

// spot is where a message stands. Without a sequence it is none.
type spot struct {
	v   view
	i   int
	seq uint64
}

// loadMatch reads the message that find gives.
func (s *Stream) loadMatch(ctx context.Context, f *subjects.Filter, buf []byte,
	find func(context.Context, *subjects.Filter, uint64, uint64) (spot, error),
) (store.Msg, error) {
	from, to := f.Bounds()
	for range maxRetries {
		p, err := find(ctx, f, from, to)
		if err != nil {
			return store.Msg{}, err
		}
		if p.seq == 0 {
			break
		}
		m, err := s.loadOn(&p.v, p.i, buf, f.Q.Subject)
		if !s.lives(p.v.block, p.i, p.seq) {
			continue // meanwhile
		}
		var corrupt *store.CorruptError
		if errors.As(err, &corrupt) {
			m.Seq = store.Seq(p.seq)
		}
		return m, err
	}
	return store.Msg{}, fmt.Errorf("a message on %q in stream %s: %w", f.Q.Subject, s.config.Load().Name, store.ErrNotFound)
}

// span is where the live matches of a filter can be: from first to last. A bound that is sure is that of
// a live match.
type span struct {
	first, last         uint64
	sureFirst, sureLast bool
}

// span tells what the index knows of where live matches are between from and to, if f names its subjects.
func (s *Stream) span(f *subjects.Filter, from, to uint64) span {
	x := &s.subjects
	x.mu.RLock()
	defer x.mu.RUnlock()
	if f.Literals == nil || !x.ready {
		return span{first: from, last: to}
	}
	r := span{first: math.MaxUint64}
	for _, name := range f.Literals {
		id, ok := x.subs.Find(name)
		if !ok || x.subs.At(id).Count == 0 {
			continue
		}
		e := x.subs.At(id)
		if e.First <= r.first {
			r.first, r.sureFirst = e.First, e.Stale&subjects.StaleFirst == 0
		}
		if e.Last >= r.last {
			r.last, r.sureLast = e.Last, e.Stale&subjects.StaleLast == 0
		}
	}
	if r.first < from {
		r.first, r.sureFirst = from, false
	}
	if r.last > to {
		r.last, r.sureLast = to, false
	}
	return r
}

// at returns the place of seq, if that is a live message.
func (n *snapshot) at(seq uint64) (spot, bool) {
	v, i, ok := n.find(seq)
	return spot{v, i, seq}, ok && !v.isDeleted(i)
}

// firstMatch returns where the first live match from sequence from to to is.
func (s *Stream) firstMatch(ctx context.Context, f *subjects.Filter, from, to uint64) (spot, error) {
	returned, lo := s.returned.Load(), from
	for range maxRetries {
		n := s.cur.Load()
		p, err := s.firstIn(ctx, f, n, lo, to)
		if err != nil {
			return spot{}, err
		}
		switch now := s.returned.Load(); {
		case now != returned: // it may have been passed over
			returned, lo = now, from
		case p.seq > 0 || to <= n.last || s.cur.Load().last == n.last:
			return p, nil
		default: // those that are passed over may be gone because of what came behind them
			lo = n.last + 1
		}
	}
	return spot{}, nil
}

// firstIn is firstMatch in one snapshot.
func (s *Stream) firstIn(ctx context.Context, f *subjects.Filter, n *snapshot, from, to uint64) (spot, error) {
	r := s.span(f, from, to)
	from, to = max(r.first, n.first), min(r.last, n.last)
	if r.sureFirst && from <= to {
		if p, ok := n.at(r.first); ok {
			return p, nil
		}
	}
	for b := max(n.blockOf(from), 0); b < len(n.blocks) && from <= to; b++ {
		v := n.view(b)
		if v.hdr.First > to {
			break
		}
		i, _ := v.place(from)
		if i = v.nextLive(i); i >= v.count {
			continue
		}
		if err := ctx.Err(); err != nil {
			return spot{}, err
		}
		m, err := s.matcher(v, f)
		if err != nil {
			return spot{}, err
		}
		if i = m.next(i); i < v.count {
			if seq := v.seqOf(i); seq <= to {
				return spot{v, i, seq}, nil
			}
			break
		}
	}
	return spot{}, nil
}

// lastMatch returns where the last live match from sequence from to to is.
func (s *Stream) lastMatch(ctx context.Context, f *subjects.Filter, from, to uint64) (spot, error) {
	returned, lo, last := s.returned.Load(), from, spot{}
	for range maxRetries {
		n := s.cur.Load()
		p, err := s.lastIn(ctx, f, n, lo, to)
		if err != nil {
			return spot{}, err
		}
		if p.seq > 0 {
			last = p
		}
		switch now := s.returned.Load(); {
		case now != returned: // it may have been passed over
			returned, lo, last = now, from, spot{}
		case to <= n.last || s.cur.Load().last == n.last:
			return last, nil
		default: // those that were passed over may have gone when there were some behind them
			lo = n.last + 1
		}
	}
	return last, nil
}

// lastIn is lastMatch in one snapshot.
func (s *Stream) lastIn(ctx context.Context, f *subjects.Filter, n *snapshot, from, to uint64) (spot, error) {
	r := s.span(f, from, to)
	from, to = max(r.first, n.first), min(r.last, n.last)
	if from > to {
		return spot{}, nil
	}
	if r.sureLast {
		if p, ok := n.at(r.last); ok {
			return p, nil
		}
	}
	for b := n.blockOf(to); b >= 0; b-- {
		v := n.view(b)
		i, exact := v.place(to)
		if !exact {
			i--
		}
		if i = v.prevLive(i); i >= 0 {
			if err := ctx.Err(); err != nil {
				return spot{}, err
			}
			m, err := s.matcher(v, f)
			if err != nil {
				return spot{}, err
			}
			if i = m.prev(i); i >= 0 {
				if seq := v.seqOf(i); seq >= from {
					return spot{v, i, seq}, nil
				}
				break
			}
		}
		if v.hdr.First <= from {
			break
		}
	}
	return spot{}, nil
}

// SubjectOf implements [store.Finder]. It reads the whole message, as only its sum says that the subject is right.
func (s *Stream) SubjectOf(ctx context.Context, seq store.Seq) (string, error) {
	m, err := s.Load(ctx, seq, nil)
	return m.Subject, err
}
