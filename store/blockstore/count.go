package blockstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
)

// maxPartial is how many subjects that have matches on both sides of a bound are counted one by one; where there
// are more, the blocks are counted.
const maxPartial = 64

// Count implements [store.Finder].
func (s *Stream) Count(ctx context.Context, q store.Query) (store.Count, error) {
	f, err := s.begin(ctx, q)
	if err != nil {
		return store.Count{}, err
	}
	defer s.gate.leave()
	from, to := f.Bounds()
	return s.count(ctx, f, from, to)
}

// count counts the live matches from from to to, and finds the outermost.
func (s *Stream) count(ctx context.Context, f *subjects.Filter, from, to uint64) (store.Count, error) {
	t, err := s.tally(ctx, f, from, to)
	if err != nil || t.n == 0 {
		return store.Count{}, err
	}
	if !t.sure {
		first, err := s.firstMatch(ctx, f, from, to)
		if err != nil {
			return store.Count{}, err
		}
		last, err := s.lastMatch(ctx, f, from, to)
		if err != nil || first.seq == 0 || last.seq == 0 { // they were removed meanwhile
			return store.Count{}, err
		}
		t.first, t.last = first.seq, last.seq
	}
	return store.Count{Messages: t.n, First: store.Seq(t.first), Last: store.Seq(t.last)}, nil
}

// tally is the number of live matches between two bounds, and the outermost of them if it is sure.
type tally struct {
	n           uint64
	first, last uint64
	sure        bool
}

// tally counts live matches: whole subjects by the index, others by where they are.
func (s *Stream) tally(ctx context.Context, f *subjects.Filter, from, to uint64) (tally, error) {
	if from > to {
		return tally{}, nil
	}
	if f.All {
		n, err := s.countBlocks(ctx, f, from, to)
		return tally{n: n}, err
	}
	t := tally{first: math.MaxUint64}
	stale := span{first: math.MaxUint64} // of bounds that are no live messages
	var partial []string
	look := func(m *subjects.Map, e *subjects.Subject) bool {
		switch {
		case e.Last < from || e.First > to:
		case e.First < from || e.Last > to:
			partial = append(partial, m.NameOf(e))
			return len(partial) <= maxPartial
		default:
			t.n += e.Count
			t.first, t.last = min(t.first, e.First), max(t.last, e.Last)
			if e.Stale&subjects.StaleFirst != 0 {
				stale.first = min(stale.first, e.First)
			}
			if e.Stale&subjects.StaleLast != 0 {
				stale.last = max(stale.last, e.Last)
			}
		}
		return true
	}
	err := s.eachSubject(ctx, f, look, func() error {
		if len(partial) > maxPartial {
			return errMany
		}
		return nil
	})
	if errors.Is(err, errMany) {
		n, err := s.countBlocks(ctx, f, from, to)
		return tally{n: n}, err
	}
	for _, name := range partial {
		one := f
		if _, ok := f.Literal(); !ok {
			one = subjects.NewFilter(store.Query{Subject: name})
		}
		n, err := s.countBlocks(ctx, one, from, to)
		if err != nil {
			return t, err
		}
		t.n += n
	}
	t.sure = len(partial) == 0 && t.first < stale.first && t.last > stale.last
	return t, err
}

// errMany ends a walk over subjects.
var errMany = errors.New("too many")

// countBlocks counts live matches block by block.
func (s *Stream) countBlocks(ctx context.Context, f *subjects.Filter, from, to uint64) (uint64, error) {
	r := s.span(f, from, to)
	n := s.cur.Load()
	from, to = max(r.first, n.first), min(r.last, n.last)
	sum := uint64(0)
	for b := max(n.blockOf(from), 0); b < len(n.blocks) && from <= to; b++ {
		v := n.view(b)
		if v.hdr.First > to {
			break
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		i, _ := v.place(from)
		end, exact := v.place(to)
		if exact {
			end++
		}
		k, err := s.countIn(v, f, i, end)
		if err != nil {
			return 0, err
		}
		sum += k
	}
	return sum, nil
}

// countIn counts the live matches of v from message i to before end.
func (s *Stream) countIn(v view, f *subjects.Filter, i, end int) (uint64, error) {
	if i = v.nextLive(i); i >= end {
		return 0, nil
	}
	if !f.All && !v.known && i == 0 && end == v.count && v.dead.Load() == 0 {
		t, err := s.tableOf(&v)
		if err != nil {
			return 0, err
		}
		return t.count(f), nil
	}
	m, err := s.matcher(v, f)
	if err != nil {
		return 0, err
	}
	return m.count(i, end), nil
}

// Pending implements [store.Finder].
func (s *Stream) Pending(ctx context.Context, q store.Query, lastPerSubject bool) (uint64, store.Seq, error) {
	f, err := s.begin(ctx, q)
	if err != nil {
		return 0, 0, err
	}
	defer s.gate.leave()
	from, to := f.Bounds()
	through := s.cur.Load().last
	if !lastPerSubject {
		t, err := s.tally(ctx, f, from, min(to, through))
		return t.n, store.Seq(through), err
	}
	n := uint64(0)
	var stale []known
	look := func(m *subjects.Map, e *subjects.Subject) bool {
		switch {
		case e.Last < from:
		case e.Stale&subjects.StaleLast != 0:
			stale = append(stale, known{m.NameOf(e), e.Count, e.First, e.Last, e.Stale})
			return len(stale) < knownBatch
		case e.Last <= to:
			n++
		}
		return true
	}
	err = s.eachSubject(ctx, f, look, func() error {
		for i := range stale {
			k := &stale[i]
			if err := s.exact(ctx, k); err != nil {
				return err
			}
			if k.count > 0 && from <= k.last && k.last <= to {
				n++
			}
		}
		stale = stale[:0]
		return nil
	})
	return n, store.Seq(through), err
}

// Subjects implements [store.Finder].
func (s *Stream) Subjects(ctx context.Context, pattern, after string) iter.Seq2[store.SubjectCount, error] {
	return func(yield func(store.SubjectCount, error) bool) {
		q := store.Query{Subject: pattern}
		if err := q.Check(); err != nil {
			yield(store.SubjectCount{}, err)
			return
		}
		f := subjects.NewFilter(q)
		var batch []known
		for after, more := after, true; more; {
			var err error
			if batch, after, more, err = s.takeExact(ctx, f, after, batch[:0]); err != nil {
				yield(store.SubjectCount{}, err)
				return
			}
			for i := range batch {
				k := &batch[i]
				c := store.Count{Messages: k.count, First: store.Seq(k.first), Last: store.Seq(k.last)}
				if k.count > 0 && !yield(store.SubjectCount{Subject: k.name, Count: c}, nil) {
					return
				}
			}
		}
	}
}

// CountSubjects implements [store.Finder].
func (s *Stream) CountSubjects(ctx context.Context) (uint64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	for {
		if err := s.buildSubjects(ctx); err != nil {
			return 0, err
		}
		if n, ok := s.subjects.count(); ok { // else it was dropped meanwhile
			return n, nil
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
}

// takeExact is takeKnown, a call by itself, with bounds that are exact.
func (s *Stream) takeExact(ctx context.Context, f *subjects.Filter, after string, batch []known) ([]known, string, bool, error) {
	if err := s.enter(ctx); err != nil {
		return batch, after, false, err
	}
	defer s.gate.leave()
	batch, after, more, err := s.takeKnown(ctx, f, after, batch)
	for i := range batch {
		if err == nil {
			err = s.exact(ctx, &batch[i])
		}
	}
	return batch, after, more, err
}

// LastSeqs implements [store.Finder].
func (s *Stream) LastSeqs(ctx context.Context, patterns []string, upTo store.Seq, limit int) ([]store.Seq, error) {
	q := store.QueryOf(patterns)
	q.To = upTo
	f, err := s.begin(ctx, q)
	if err != nil {
		return nil, err
	}
	defer s.gate.leave()
	_, to := f.Bounds()
	var seqs []store.Seq
	var batch []known
	for after, more := "", true; more; {
		if batch, after, more, err = s.takeKnown(ctx, f, after, batch[:0]); err != nil {
			return nil, err
		}
		for i := range batch {
			seq, err := s.lastUpTo(ctx, &batch[i], to)
			if err != nil {
				return nil, err
			}
			if seq == 0 {
				continue
			}
			if limit > 0 && len(seqs) == limit {
				return nil, fmt.Errorf("subjects of stream %s: %w (at most %d)", s.config.Load().Name, store.ErrTooLarge, limit)
			}
			seqs = append(seqs, store.Seq(seq))
		}
	}
	slices.Sort(seqs)
	return seqs, nil
}

// lastUpTo returns the last live sequence on a subject up to to, 0 if there is none.
func (s *Stream) lastUpTo(ctx context.Context, k *known, to uint64) (uint64, error) {
	switch {
	case k.first > to:
		return 0, nil
	case k.last <= to && k.stale&subjects.StaleLast == 0:
		return k.last, nil
	}
	p, err := s.lastMatch(ctx, subjects.NewFilter(store.Query{Subject: k.name}), k.first, to)
	return p.seq, err
}
