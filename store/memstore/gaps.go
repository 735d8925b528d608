package memstore

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"jsfs/store"
)

// Gaps implements [store.Finder].
func (st *stream) Gaps(ctx context.Context, q store.Query) iter.Seq2[store.Gap, error] {
	return func(yield func(store.Gap, error) bool) {
		from, to, err := st.gapBounds(ctx, q)
		for err == nil && from <= to {
			var g store.Gap
			g, err = st.nextGap(ctx, from, to)
			if err != nil || g.Cause == 0 {
				break
			}
			if !yield(g, nil) || g.Last == math.MaxUint64 {
				return
			}
			from = g.Last + 1
		}
		if err != nil {
			yield(store.Gap{}, err)
		}
	}
}

func (st *stream) gapBounds(ctx context.Context, q store.Query) (from, to store.Seq, err error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.readyLocked(ctx, store.Query{}); err != nil {
		return 0, 0, err
	}
	if q.Subject != "" {
		return 0, 0, fmt.Errorf("gaps on subject %q: %w: a gap has no subject", q.Subject, store.ErrInvalid)
	}
	from, to = max(q.From, st.stateLocked().First), st.last
	if from == 0 { // it came after the highest sequence
		return 1, 0, nil
	}
	if q.To > 0 {
		to = min(to, q.To)
	}
	return from, to, nil
}

// nextGap returns the first gap at or above from, cut at to; without a cause if there is none.
func (st *stream) nextGap(ctx context.Context, from, to store.Seq) (store.Gap, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	var g store.Gap
	if err := st.readyLocked(ctx, store.Query{}); err != nil {
		return g, err
	}
	for i := st.indexLocked(from); from <= to; {
		cause, end := store.CauseRemoved, from
		switch {
		case i == len(st.msgs) || st.msgs[i].Seq > from:
			cause, end = st.absentLocked(from, i)
		case st.msgs[i].live:
			cause = 0
			i++
		default:
			i++
		}
		if cause != g.Cause && g.Cause != 0 {
			break
		}
		end = min(end, to)
		if cause != 0 {
			if g.Cause == 0 {
				g.Cause, g.First = cause, from
			}
			g.Last = end
		}
		if end == math.MaxUint64 {
			break
		}
		from = end + 1
	}
	return g, nil
}

// absentLocked says why seq has no message, live or removed, and up to where that holds. Message i is
// the first one above it. What was removed may be forgotten; what was skipped is remembered.
func (st *stream) absentLocked(seq store.Seq, i int) (store.Cause, store.Seq) {
	end := st.last
	if i < len(st.msgs) {
		end = st.msgs[i].Seq - 1
	}
	s, _ := slices.BinarySearchFunc(st.skipped, seq, func(r store.Range, seq store.Seq) int { return cmp.Compare(r.Last, seq) })
	if s == len(st.skipped) {
		return store.CauseRemoved, end
	}
	if r := st.skipped[s]; r.First > seq {
		return store.CauseRemoved, min(end, r.First-1)
	}
	return store.CauseSkipped, min(end, st.skipped[s].Last)
}
