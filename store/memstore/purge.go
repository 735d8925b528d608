package memstore

import (
	"context"
	"fmt"
	"math"

	"jsfs/store"
)

// Purge implements [store.Purger].
func (st *stream) Purge(ctx context.Context, p store.Purge) (int64, error) {
	if seq, ok := p.Compacts(); ok {
		return st.Compact(ctx, seq)
	}
	if p.Subject != "" {
		if err := store.CheckPattern(p.Subject); err != nil {
			return 0, err
		}
	}
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.purgeableLocked(st.cfg.CheckPurge()); err != nil {
		return 0, err
	}
	var match []*message
	for _, m := range st.msgs[st.first:] {
		if m.live && store.MatchSubject(p.Subject, m.Subject) {
			match = append(match, m)
		}
	}
	match = match[:len(match)-int(min(p.Keep, uint64(len(match))))] //nolint:gosec // no more than len(match)
	n := int64(0)
	for _, m := range match {
		if p.Below == 0 || m.Seq < p.Below {
			st.removeLocked(m, false)
			n++
		}
	}
	return n, nil
}

// Compact implements [store.Purger].
func (st *stream) Compact(_ context.Context, seq store.Seq) (int64, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.purgeableLocked(st.cfg.CheckPurge()); err != nil {
		return 0, err
	}
	n := st.removeRangeLocked(store.Range{Last: seq - 1}, false) // below 0 is everything
	if seq > st.last {
		st.skipLocked(seq - 1)
	}
	return n, nil
}

// Skip implements [store.Purger].
func (st *stream) Skip(_ context.Context, n uint64) (store.Seq, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.purgeableLocked(st.cfg.CheckSealed()); err != nil {
		return 0, err
	}
	if n == 0 || st.last == math.MaxUint64 || n >= uint64(math.MaxUint64-st.last) {
		return 0, fmt.Errorf("stream %s: %w: %d sequences can't be skipped after %d", st.cfg.Name, store.ErrInvalid, n, st.last)
	}
	st.skipLocked(st.last + store.Seq(n))
	return st.last, nil
}

// RemoveAll implements [store.Purger].
func (st *stream) RemoveAll(_ context.Context, ranges []store.Range) (int64, error) {
	for _, r := range ranges {
		if r.First > r.Last {
			return 0, fmt.Errorf("range from %d to %d: %w", r.First, r.Last, store.ErrInvalid)
		}
	}
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.purgeableLocked(st.cfg.CheckRemoveAll()); err != nil {
		return 0, err
	}
	n := int64(0)
	for _, r := range store.MergeRanges(ranges) {
		n += st.removeRangeLocked(r, false)
	}
	return n, nil
}

// purgeableLocked returns the error that keeps the stream from being changed; denied is what
// its configuration says.
func (st *stream) purgeableLocked(denied error) error {
	if err := st.openLocked(); err != nil {
		return err
	}
	return denied
}

// removeRangeLocked removes the live messages in r and returns how many. limit is as in removeLocked.
func (st *stream) removeRangeLocked(r store.Range, limit bool) int64 {
	n := int64(0)
	for at := max(st.indexLocked(r.First), st.first); at < len(st.msgs) && st.msgs[at].Seq <= r.Last; at++ {
		if m := st.msgs[at]; m.live {
			st.removeLocked(m, limit)
			n++
		}
	}
	return n
}
