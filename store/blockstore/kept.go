package blockstore

import (
	"context"
	"fmt"
	"iter"
	"math"
	"sync/atomic"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

// keptBatch is messages of a block that were removed about the same time, and are kept until the same time for whoever
// wants them back. All batches of a block together are a few bits for each of its messages.
type keptBatch struct {
	due  int64        // they are kept until then
	last atomic.Int64 // when the last of them was removed; it may rise
	bits *bitset      // by their places in the block; its words may change
}

// keepUntil returns when a removal at the time at need not be undone any more; math.MinInt64 if it never need be.
func (s *Stream) keepUntil(at int64, discard bool) int64 {
	if discard {
		return math.MinInt64
	}
	return policy.KeptUntil(at, s.opt.KeepDeleted)
}

// keepRange notes that the messages from lo to before hi that are live are about to be removed, at the time at, and kept
// until due, which keepUntil gave; now gives the time. It is called under Stream.wmu, before they are marked as removed.
func (v *view) keepRange(lo, hi int, at, due int64, now func() int64) {
	v.keepBut(v.deleted.Load(), lo, hi, at, due, now)
}

// keepAgain is keepRange for a removal that is read from a file, and of messages that are removed already, too: they were
// brought back in between, which a block said that was written anew.
func (v *view) keepAgain(lo, hi int, at, due int64, now func() int64) {
	v.keepBut(nil, lo, hi, at, due, now)
}

// keepBut notes that the messages from lo to before hi that are not in d are kept until due.
func (v *view) keepBut(d *bitset, lo, hi int, at, due int64, now func() int64) {
	if lo >= hi || due == math.MinInt64 {
		return
	}
	words := v.block.batch(at, due, now, max(hi, v.count)).words
	for i := lo; i < hi; {
		n := min(64-i%64, hi-i)
		add := ^uint64(0) >> (64 - n) << (i % 64)
		if d != nil && i/64 < len(d.words) {
			add &^= d.words[i/64].Load()
		}
		words[i/64].Or(add)
		i += n
	}
}

// batch returns the bits of what is kept until due, with room for n messages, the last of which was removed at the time
// at or before. Batches that are over are dropped when one is added.
func (b *block) batch(at, due int64, now func() int64, n int) *bitset {
	old := b.batches()
	var bits *bitset
	for _, e := range old {
		if e.due != due {
			continue
		}
		at = max(at, e.last.Load())
		if bits = e.bits; 64*len(bits.words) >= n {
			e.last.Store(at)
			return bits
		}
	}
	batches, t := make([]*keptBatch, 0, len(old)+1), now()
	for _, e := range old {
		if e.due > t && e.due != due {
			batches = append(batches, e)
		}
	}
	mine := &keptBatch{due: due, bits: bits.grown(n)}
	mine.last.Store(at)
	batches = append(batches, mine)
	b.kept.Store(&batches)
	return mine.bits
}

// batches returns what is kept of the block's removed messages.
func (b *block) batches() []*keptBatch {
	if p := b.kept.Load(); p != nil {
		return *p
	}
	return nil
}

// forget notes that the messages from lo to before hi are not removed any more. It is called under Stream.wmu.
func (b *block) forget(lo, hi int) {
	for _, e := range b.batches() {
		for i := lo; i < hi && i/64 < len(e.bits.words); {
			n := min(64-i%64, hi-i)
			e.bits.words[i/64].And(^(^uint64(0) >> (64 - n) << (i % 64)))
			i += n
		}
	}
}

// isKept says whether message i was removed and is kept at the time now.
func (b *block) isKept(i int, now int64) bool {
	if !b.isDeleted(i) {
		return false
	}
	for _, e := range b.batches() {
		if e.due > now && e.bits.get(i) {
			return true
		}
	}
	return false
}

// copyOfKept returns a copy of what is kept of the block's removed messages, which does not change.
func (b *block) copyOfKept() (kept []*keptBatch) {
	for _, e := range b.batches() {
		c := &keptBatch{due: e.due, bits: e.bits.grown(e.bits.len())}
		c.last.Store(e.last.Load())
		kept = append(kept, c)
	}
	return kept
}

// keptWith returns the batch that message i is kept with, which may be over; nil if there is none.
func (b *block) keptWith(i int) *keptBatch { return keptIn(b.batches(), i) }

// keptIn is keptWith in some batches.
func keptIn(batches []*keptBatch, i int) (found *keptBatch) {
	for _, e := range batches {
		if e.bits.get(i) && (found == nil || e.due > found.due) {
			found = e
		}
	}
	return found
}

// keepsAny says whether any message of the block may be kept at the time now.
func (b *block) keepsAny(now int64) bool {
	for _, e := range b.batches() {
		if e.due > now {
			return true
		}
	}
	return false
}

// keptMetas is how many messages a walk over kept ones reads before it hands them out.
const keptMetas = 256

// ScanKept implements [store.Keeper].
func (s *Stream) ScanKept(ctx context.Context, from, to store.Seq) iter.Seq2[store.Meta, error] {
	return func(yield func(store.Meta, error) bool) {
		metas := make([]store.Meta, 0, keptMetas)
		for next := uint64(from); ; {
			var err error
			if metas, next, err = s.someKept(ctx, metas[:0], next, uint64(to)); err != nil {
				yield(store.Meta{}, err)
				return
			}
			for _, m := range metas {
				if !yield(m, nil) {
					return
				}
			}
			if next == 0 {
				return
			}
		}
	}
}

// someKept appends the next kept messages from sequence from on to metas, and returns where to go on, 0 if there are no
// more up to to; a zero to is no bound.
func (s *Stream) someKept(ctx context.Context, metas []store.Meta, from, to uint64) ([]store.Meta, uint64, error) {
	if err := s.enter(ctx); err != nil {
		return metas, 0, err
	}
	defer s.gate.leave()
	n, now := s.cur.Load(), s.opt.Now()
	if to == 0 {
		to = n.last
	}
	for b := max(n.blockOf(from), 0); b < len(n.blocks) && n.blocks[b].hdr.First <= to; b++ {
		v := n.view(b)
		if !v.keepsAny(now) {
			continue
		}
		for i, _ := v.place(from); ; i++ {
			if i = v.nextDeleted(i); i >= v.count || v.seqOf(i) > to {
				break
			}
			if !v.isKept(i, now) {
				continue
			}
			h, err := s.readHead(&v, i)
			if err != nil && !isCorrupt(err) {
				return metas, 0, err
			}
			if err == nil {
				metas = append(metas, h.Meta())
			}
			if from = v.seqOf(i) + 1; len(metas) == cap(metas) {
				return metas, from, nil
			}
		}
	}
	return metas, 0, nil
}

// LoadKept implements [store.Keeper].
func (s *Stream) LoadKept(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	if err := s.enter(ctx); err != nil {
		return store.Msg{}, err
	}
	defer s.gate.leave()
	v, i, err := s.locateKept(uint64(seq))
	if err != nil {
		return store.Msg{}, err
	}
	return s.load(&v, i, buf)
}

// StatKept implements [store.Keeper].
func (s *Stream) StatKept(ctx context.Context, seq store.Seq) (store.Meta, error) {
	if err := s.enter(ctx); err != nil {
		return store.Meta{}, err
	}
	defer s.gate.leave()
	v, i, err := s.locateKept(uint64(seq))
	if err != nil {
		return store.Meta{}, err
	}
	h, err := s.readHead(&v, i)
	if err != nil {
		return store.Meta{}, err
	}
	return h.Meta(), nil
}

// locateKept finds the removed message seq, which must be kept.
func (s *Stream) locateKept(seq uint64) (view, int, error) {
	v, i, ok := s.cur.Load().find(seq)
	if !ok || !v.isKept(i, s.opt.Now()) {
		return v, i, fmt.Errorf("removed message %d of stream %s: %w", seq, s.config.Load().Name, store.ErrNotFound)
	}
	return v, i, nil
}
