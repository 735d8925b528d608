package blockstore

import (
	"context"
	"fmt"
	"math"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
)

// Purge implements [store.Purger].
func (s *Stream) Purge(ctx context.Context, p store.Purge) (int64, error) {
	if seq, ok := p.Compacts(); ok {
		return s.Compact(ctx, seq)
	}
	if p.Subject != "" {
		if err := store.CheckPattern(p.Subject); err != nil {
			return 0, err
		}
	}
	everything := subjects.IsEverything(p.Subject)
	return s.purge(ctx, !everything, func(r *removal) (uint64, error) {
		if p.Below == 1 {
			return 0, nil
		}
		q := store.Query{Subject: p.Subject}
		if p.Below > 0 {
			q.To = p.Below - 1
		}
		limit := int64(math.MaxInt64)
		if p.Keep > 0 {
			n, err := s.countLocked(ctx, p.Subject)
			if err != nil || uint64(n) <= p.Keep {
				return 0, err
			}
			limit = n - int64(p.Keep)
		}
		if everything {
			return 0, r.addOldest(ctx, q, limit)
		}
		if subjects.IsLiteral(p.Subject) {
			r.subject = p.Subject
		}
		return 0, r.addMatches(ctx, q, limit)
	})
}

// countLocked counts the live messages on a pattern.
func (s *Stream) countLocked(ctx context.Context, pattern string) (n int64, err error) {
	switch {
	case subjects.IsEverything(pattern):
		return s.cur.Load().live.Messages, nil
	case subjects.IsLiteral(pattern):
		return s.countOnLocked(pattern)
	}
	err = s.eachMatch(ctx, store.Query{Subject: pattern}, func(*view, store.Meta) bool {
		n++
		return true
	})
	return n, err
}

// addOldest gathers the oldest live messages of q, limit of them at most.
func (r *removal) addOldest(ctx context.Context, q store.Query, limit int64) error {
	n := r.s.cur.Load()
	for i, b := range n.blocks {
		if limit -= b.live.Messages; limit >= 0 {
			continue
		}
		// This block has the first of those that are to stay.
		v := n.view(i)
		at := v.nextLive(0)
		for limit += b.live.Messages; limit > 0; limit-- {
			at = v.nextLive(at + 1)
		}
		to := store.Seq(v.seqOf(at) - 1)
		if q.To == 0 || to < q.To {
			q.To = to
		}
		break
	}
	if q.To == 0 {
		q.To = math.MaxUint64
	}
	return r.addRange(ctx, uint64(q.From), uint64(q.To))
}

// Compact implements [store.Purger].
func (s *Stream) Compact(ctx context.Context, seq store.Seq) (int64, error) {
	return s.purge(ctx, false, func(r *removal) (uint64, error) {
		return uint64(seq), r.addRange(ctx, 0, uint64(seq)-1) // below 0 is everything
	})
}

// RemoveAll implements [store.Purger].
func (s *Stream) RemoveAll(ctx context.Context, ranges []store.Range) (int64, error) {
	for _, e := range ranges {
		if e.First > e.Last {
			return 0, fmt.Errorf("range from %d to %d: %w", e.First, e.Last, store.ErrInvalid)
		}
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	ranges = store.MergeRanges(ranges)
	for {
		n, err := s.removeAll(ctx, ranges)
		if !s.roomForRemovals(ctx, err) {
			return n, err
		}
	}
}

// removeAll is RemoveAll for who is inside the gate.
func (s *Stream) removeAll(ctx context.Context, ranges []store.Range) (int64, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.config.Load().CheckRemoveAll(); err != nil {
		return 0, err
	}
	sums, err := s.removeRangesLocked(ctx, ranges, false)
	return sums.Messages, err
}

// purge makes one change of what gather gathers, which looks for subjects if bySubject. gather returns the sequence to skip
// to, 0 for none.
func (s *Stream) purge(ctx context.Context, bySubject bool, gather func(r *removal) (uint64, error)) (int64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	if bySubject {
		if err := s.buildSubjects(ctx); err != nil { // without it each block would be searched, and the tail read
			return 0, err
		}
	}
	for {
		n, err := s.purgeOnce(gather)
		if !s.roomForRemovals(ctx, err) {
			return n, err
		}
	}
}

// purgeOnce is purge for who is inside the gate.
func (s *Stream) purgeOnce(gather func(r *removal) (uint64, error)) (int64, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.config.Load().CheckPurge(); err != nil {
		return 0, err
	}
	if err := s.writableLocked(); err != nil {
		return 0, err
	}
	r := s.newRemoval()
	next, err := gather(r)
	if err != nil {
		return 0, err
	}
	if err := s.removeLocked(r, next, false); err != nil {
		return 0, err
	}
	return r.n, nil
}

// Skip implements [store.Purger].
func (s *Stream) Skip(ctx context.Context, n uint64) (store.Seq, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	cfg, w := s.config.Load(), &s.w
	if err := cfg.CheckSealed(); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, fmt.Errorf("stream %s: %w: nothing is to be skipped", cfg.Name, store.ErrInvalid)
	}
	if err := s.prepareLocked(); err != nil { // it may pass over some itself
		return 0, err
	}
	last := w.next - 1
	if last == math.MaxUint64 || n >= math.MaxUint64-last {
		return 0, fmt.Errorf("stream %s: %w: %d sequences can't be skipped after %d", cfg.Name, store.ErrInvalid, n, last)
	}
	if err := s.skipToLocked(last+n, w.time); err != nil {
		return 0, fmt.Errorf("skip %d sequences of stream %s: %w", n, cfg.Name, err)
	}
	if s.opt.Sync == SyncAlways {
		if err := s.syncLocked(); err != nil {
			return 0, err
		}
	}
	s.publishSkippedLocked()
	return store.Seq(last + n), nil
}
