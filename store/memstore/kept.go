package memstore

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

// keepLocked notes until when a message is kept that is removed now. limit says that a limit, an age or a rollup removes it.
func (st *stream) keepLocked(m *message, limit bool) {
	m.due, m.removed = math.MinInt64, 0
	if !limit || st.s.opt.KeepLimits {
		m.removed = max(st.s.opt.Now(), st.lastTime)
		m.due = policy.KeptUntil(m.removed, st.s.opt.KeepDeleted)
	}
}

// Reclaim forgets at once what was removed and is not kept. Otherwise that happens when the store needs room.
func (s *Store) Reclaim(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.forgetLocked(s.opt.Now())
	return nil
}

// forgetLocked drops what was removed and is kept until due at most.
func (s *Store) forgetLocked(due int64) {
	for _, st := range s.streams {
		st.forgetLocked(due)
	}
	s.attic = slices.DeleteFunc(s.attic, func(r removedStream) bool {
		if r.due > due {
			return false
		}
		for _, m := range r.msgs {
			s.used -= m.space()
			s.removed -= m.space()
		}
		return true
	})
}

// gone is what some bytes of are given back by forgetting it.
type gone struct{ due, space int64 }

// dueForLocked returns the earliest time so that dropping what is kept until then at most gives n bytes back.
func (s *Store) dueForLocked(n int64) int64 {
	var all []gone
	for _, st := range s.streams {
		since := st.idsSince()
		for _, m := range st.msgs {
			if !m.live && !m.isPinned(since) {
				all = append(all, gone{m.due, m.space()})
			}
		}
	}
	for _, r := range s.attic {
		for _, m := range r.msgs {
			all = append(all, gone{r.due, m.space()})
		}
	}
	slices.SortFunc(all, func(a, b gone) int { return cmp.Compare(a.due, b.due) })
	for _, e := range all {
		if n -= e.space; n <= 0 {
			return e.due
		}
	}
	return math.MaxInt64
}

// ScanKept implements [store.Keeper].
func (st *stream) ScanKept(ctx context.Context, from, to store.Seq) iter.Seq2[store.Meta, error] {
	return func(yield func(store.Meta, error) bool) {
		for next := from; ; {
			m, err := st.nextRemoved(ctx, next, to)
			if err != nil {
				yield(store.Meta{}, err)
				return
			}
			if m.Seq == 0 || !yield(m, nil) || m.Seq == math.MaxUint64 {
				return
			}
			next = m.Seq + 1
		}
	}
}

// nextRemoved returns the first kept message from from to to, without a sequence if there is none.
func (st *stream) nextRemoved(ctx context.Context, from, to store.Seq) (store.Meta, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := cmp.Or(ctx.Err(), st.openLocked()); err != nil {
		return store.Meta{}, err
	}
	now := st.s.opt.Now()
	for _, m := range st.msgs[st.indexLocked(from):] {
		if to > 0 && m.Seq > to {
			break
		}
		if !m.live && m.due > now {
			return m.Meta, nil
		}
	}
	return store.Meta{}, nil
}

// LoadKept implements [store.Keeper].
func (st *stream) LoadKept(_ context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	m, err := st.keptLocked(seq)
	if err != nil {
		return store.Msg{}, err
	}
	return m.copyTo(buf), nil
}

// StatKept implements [store.Keeper].
func (st *stream) StatKept(_ context.Context, seq store.Seq) (store.Meta, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	m, err := st.keptLocked(seq)
	if err != nil {
		return store.Meta{}, err
	}
	return m.Meta, nil
}

// keptLocked returns the removed message seq, which must be kept.
func (st *stream) keptLocked(seq store.Seq) (*message, error) {
	if err := st.openLocked(); err != nil {
		return nil, err
	}
	if m := st.findLocked(seq); m != nil && !m.live && m.due > st.s.opt.Now() {
		return m, nil
	}
	return nil, fmt.Errorf("removed message %d of stream %s: %w", seq, st.cfg.Name, store.ErrNotFound)
}
