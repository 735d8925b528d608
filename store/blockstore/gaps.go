package blockstore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"jsfs/store"
)

// Gaps implements [store.Finder].
func (s *Stream) Gaps(ctx context.Context, q store.Query) iter.Seq2[store.Gap, error] {
	return func(yield func(store.Gap, error) bool) {
		from, to, err := s.gapBounds(ctx, q)
		for err == nil && from <= to {
			var g store.Gap
			if g, from, err = s.nextGap(ctx, from, to); err != nil {
				break
			}
			if g.Cause != 0 && !yield(g, nil) {
				return
			}
			if from == 0 { // behind the highest sequence
				return
			}
		}
		if err != nil {
			yield(store.Gap{}, err)
		}
	}
}

func (s *Stream) gapBounds(ctx context.Context, q store.Query) (from, to uint64, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, 0, err
	}
	defer s.gate.leave()
	if q.Subject != "" {
		return 0, 0, fmt.Errorf("gaps on subject %q: %w: a gap has no subject", q.Subject, store.ErrInvalid)
	}
	n := s.cur.Load()
	if n.live.Messages == 0 {
		return 1, 0, nil
	}
	from, to = max(uint64(q.From), n.first), n.last
	if q.To != 0 {
		to = min(to, uint64(q.To))
	}
	return from, to, nil
}

// gapPieces bounds how much nextGap looks at before it looks whether the call has ended.
const gapPieces = 4096

// nextGap returns the first gap from sequence from to to, without a cause if it has found none yet, and where to
// go on; 0 is behind the highest sequence.
func (s *Stream) nextGap(ctx context.Context, from, to uint64) (store.Gap, uint64, error) {
	if err := s.enter(ctx); err != nil {
		return store.Gap{}, 0, err
	}
	defer s.gate.leave()
	var g store.Gap
	n := s.cur.Load()
	for pieces := 0; from != 0 && from <= to; pieces++ {
		if pieces >= gapPieces && g.Cause == 0 {
			break
		}
		cause, end, err := s.causeAt(n, from)
		if err != nil {
			return g, 0, err
		}
		if cause != g.Cause && g.Cause != 0 {
			break
		}
		end = min(end, to)
		if cause != 0 {
			if g.Cause == 0 {
				g.Cause, g.First = cause, store.Seq(from)
			}
			g.Last = store.Seq(end)
		}
		from = end + 1
	}
	return g, from, nil
}

// causeAt says why sequence seq has no live message, 0 if it has one, and up to where that holds at least.
func (s *Stream) causeAt(n *snapshot, seq uint64) (store.Cause, uint64, error) {
	b := n.blockOf(seq)
	in, next := b, n.last // the last sequence before the next message
	if b >= 0 {
		v := n.view(b)
		i, exact := v.place(seq)
		if exact {
			return s.causeOf(&v, i)
		}
		if i < v.count {
			next = v.seqOf(i) - 1
		} else if b++; b < len(n.blocks) {
			next = n.blocks[b].hdr.First - 1
		}
	} else if len(n.blocks) > 0 {
		next = n.blocks[0].hdr.First - 1
	}
	cause, end := s.damage.CauseAt(seq)
	end = min(end, next)
	if in >= 0 && cause == store.CauseSkipped && n.blocks[in].rewritten && seq < n.blocks[in].next {
		skipped, to := n.blocks[in].skipAt(seq)
		if end = min(end, to); !skipped {
			cause = store.CauseRemoved
		}
	}
	return cause, end, nil
}

// causeOf says why message i of v is not live, 0 if it is, and up to where that holds.
func (s *Stream) causeOf(v *view, i int) (store.Cause, uint64, error) {
	if next := v.nextLive(i); next > i { // one look: it may come back, or go, meanwhile
		return store.CauseRemoved, v.runEnd(i, next-1), nil
	}
	end := v.nextDeleted(i+1) - 1
	seq := v.seqOf(i)
	if s.damage.IsBad(seq) {
		_, err := s.readHead(v, i)
		var corrupt *store.CorruptError
		if errors.As(err, &corrupt) {
			return store.CauseLost, seq, nil
		}
		return 0, seq, err
	}
	return 0, min(v.runEnd(i, end), s.damage.BeforeBad(seq)), nil
}

// runEnd returns the sequence of message end, or of the last one before it whose sequence is as far from
// that of message i as their places are apart.
func (v *view) runEnd(i, end int) uint64 {
	r := v.runOf(i)
	if r+1 < len(v.runs) {
		end = min(end, int(v.runs[r+1].Index)-1)
	}
	return v.runs[r].Seq + uint64(end) - uint64(v.runs[r].Index)
}
