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

// matchesLocked walks the live messages of q, in order.
func (st *stream) matchesLocked(q store.Query) iter.Seq[*message] {
	return func(yield func(*message) bool) {
		for _, m := range st.rangeLocked(q) {
			if m.live && q.Matches(m.Subject) && !yield(m) {
				return
			}
		}
	}
}

// rangeLocked returns messages in the range of q, all that match it among them.
func (st *stream) rangeLocked(q store.Query) []*message {
	among := st.msgs
	if q.Subject != "" && len(q.Or) == 0 && store.IsLiteral(q.Subject) {
		among = st.bySubject[q.Subject]
	}
	bySeq := func(m *message, seq store.Seq) int { return cmp.Compare(m.Seq, seq) }
	from, _ := slices.BinarySearchFunc(among, q.From, bySeq)
	to := len(among)
	if q.To > 0 && q.To < math.MaxUint64 {
		to, _ = slices.BinarySearchFunc(among, q.To+1, bySeq)
	}
	return among[from:max(from, to)]
}

// readyLocked is what every call on q looks at first.
func (st *stream) readyLocked(ctx context.Context, q store.Query) error {
	return cmp.Or(ctx.Err(), st.openLocked(), q.Check())
}

// Next implements [store.Finder].
func (st *stream) Next(ctx context.Context, q store.Query, buf []byte) (store.Msg, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.readyLocked(ctx, q); err != nil {
		return store.Msg{}, err
	}
	if q.From > st.last {
		return store.Msg{}, fmt.Errorf("message %d of stream %s: %w", q.From, st.cfg.Name, store.ErrBeyond)
	}
	for m := range st.matchesLocked(q) {
		return m.copyTo(buf), nil
	}
	return store.Msg{}, st.noneLocked(q)
}

// Prev implements [store.Finder].
func (st *stream) Prev(ctx context.Context, q store.Query, buf []byte) (store.Msg, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.readyLocked(ctx, q); err != nil {
		return store.Msg{}, err
	}
	return st.prevLocked(q, buf)
}

func (st *stream) prevLocked(q store.Query, buf []byte) (store.Msg, error) {
	if err := cmp.Or(st.openLocked(), q.Check()); err != nil {
		return store.Msg{}, err
	}
	for _, m := range slices.Backward(st.rangeLocked(q)) {
		if m.live && q.Matches(m.Subject) {
			return m.copyTo(buf), nil
		}
	}
	return store.Msg{}, st.noneLocked(q)
}

func (st *stream) noneLocked(q store.Query) error {
	return fmt.Errorf("a message on %q in stream %s: %w", q.Subject, st.cfg.Name, store.ErrNotFound)
}

// SeekTime implements [store.Finder].
func (st *stream) SeekTime(ctx context.Context, ns int64) (store.Seq, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.readyLocked(ctx, store.Query{}); err != nil {
		return 0, err
	}
	i, _ := slices.BinarySearchFunc(st.msgs, ns, func(m *message, ns int64) int { return cmp.Compare(m.Time, ns) })
	for _, m := range st.msgs[i:] {
		if m.live {
			return m.Seq, nil
		}
	}
	return st.last + 1, nil
}

// Count implements [store.Finder].
func (st *stream) Count(ctx context.Context, q store.Query) (store.Count, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.readyLocked(ctx, q); err != nil {
		return store.Count{}, err
	}
	return st.countOfLocked(q), nil
}

func (st *stream) countOfLocked(q store.Query) store.Count {
	var c store.Count
	for m := range st.matchesLocked(q) {
		if c.Messages++; c.First == 0 {
			c.First = m.Seq
		}
		c.Last = m.Seq
	}
	return c
}

// Subjects implements [store.Finder]. They are counted when the walk begins.
func (st *stream) Subjects(ctx context.Context, pattern, after string) iter.Seq2[store.SubjectCount, error] {
	return func(yield func(store.SubjectCount, error) bool) {
		counts, err := st.subjects(ctx, pattern, after)
		if err != nil {
			yield(store.SubjectCount{}, err)
			return
		}
		for _, c := range counts {
			if err := ctx.Err(); err != nil {
				yield(store.SubjectCount{}, err)
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// CountSubjects implements [store.Finder].
func (st *stream) CountSubjects(ctx context.Context) (uint64, error) {
	counts, err := st.subjects(ctx, "", "")
	return uint64(len(counts)), err
}

func (st *stream) subjects(ctx context.Context, pattern, after string) ([]store.SubjectCount, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.readyLocked(ctx, store.Query{Subject: pattern}); err != nil {
		return nil, err
	}
	counts := map[string]store.Count{}
	for m := range st.matchesLocked(store.Query{Subject: pattern}) {
		if m.Subject <= after {
			continue
		}
		c := counts[m.Subject]
		if c.Messages++; c.First == 0 {
			c.First = m.Seq
		}
		c.Last = m.Seq
		counts[m.Subject] = c
	}
	out := make([]store.SubjectCount, 0, len(counts))
	for name, c := range counts {
		out = append(out, store.SubjectCount{Subject: name, Count: c})
	}
	slices.SortFunc(out, func(a, b store.SubjectCount) int { return cmp.Compare(a.Subject, b.Subject) })
	return out, nil
}

// LastSeqs implements [store.Finder].
func (st *stream) LastSeqs(ctx context.Context, patterns []string, upTo store.Seq, limit int) ([]store.Seq, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	q := store.QueryOf(patterns)
	q.To = upTo
	if err := st.readyLocked(ctx, q); err != nil {
		return nil, err
	}
	last := map[string]store.Seq{}
	for m := range st.matchesLocked(q) {
		last[m.Subject] = m.Seq
	}
	if limit > 0 && len(last) > limit {
		return nil, fmt.Errorf("%d subjects of stream %s: %w (at most %d)", len(last), st.cfg.Name, store.ErrTooLarge, limit)
	}
	var seqs []store.Seq
	for _, seq := range last {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	return seqs, nil
}

// SubjectOf implements [store.Finder].
func (st *stream) SubjectOf(_ context.Context, seq store.Seq) (string, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	m, err := st.liveLocked(seq)
	if err != nil {
		return "", err
	}
	return m.Subject, nil
}

// Pending implements [store.Finder].
func (st *stream) Pending(ctx context.Context, q store.Query, lastPerSubject bool) (uint64, store.Seq, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.readyLocked(ctx, q); err != nil {
		return 0, 0, err
	}
	if !lastPerSubject {
		return st.countOfLocked(q).Messages, st.last, nil
	}
	last := map[string]store.Seq{}
	for m := range st.matchesLocked(store.Query{From: q.From, Subject: q.Subject, Or: q.Or}) {
		last[m.Subject] = m.Seq
	}
	n := uint64(0)
	for _, seq := range last {
		if q.To == 0 || seq <= q.To {
			n++
		}
	}
	return n, st.last, nil
}
