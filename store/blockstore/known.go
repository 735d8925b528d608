package blockstore

import (
	"context"
	"math"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
)

// known is what the index knows of one subject at one moment; see [subjects.Subject].
type known struct {
	name        string
	count       uint64
	first, last uint64
	stale       uint8
}

const (
	// visitBatch is how many subjects are looked at while the index is locked.
	visitBatch = 4096
	// knownBatch is how many of them are taken out of it to be looked at outside.
	knownBatch = 1024
)

// eachSubject has look called for the subjects that match f and have a live message, sorted by name. look
// must not take long, as the index is locked; it says whether to go on: if not, and every now and then, eachSubject lets
// the index go and calls between, and goes on unless that fails. Subjects that come or go meanwhile may or
// may not be met.
func (s *Stream) eachSubject(ctx context.Context, f *subjects.Filter, look func(m *subjects.Map, e *subjects.Subject) bool, between func() error) error {
	for after, more := "", true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.buildSubjects(ctx); err != nil { // it may have been dropped
			return err
		}
		after, more = s.subjects.visit(f, after, look)
		if err := between(); err != nil {
			return err
		}
	}
	return nil
}

// visit has look called for the next subjects behind the name after. It returns the last name that was
// looked at, and whether there may be more.
func (x *subjectIndex) visit(f *subjects.Filter, after string, look func(*subjects.Map, *subjects.Subject) bool) (string, bool) {
	x.sort(f)
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.subs
	if !x.ready || f.Literals == nil && !m.Sorted() {
		return after, true // it was dropped, or grew
	}
	for _, name := range f.Literals {
		if id, ok := m.Find(name); ok && name > after && m.At(id).Count > 0 && !look(m, m.At(id)) {
			return name, true
		}
	}
	if f.Literals != nil {
		return "", false
	}
	ids := m.Behind(f.Prefix, after)
	stop := min(len(ids), visitBatch)
	if stop == 0 {
		return after, false
	}
	for _, id := range ids[:stop] {
		if e := m.At(id); e.Count > 0 && f.MatchesIn(m, e) && !look(m, e) {
			return m.NameOf(e), true
		}
	}
	return m.Name(ids[stop-1]), stop < len(ids)
}

// sort brings the subjects into order, if f needs it.
func (x *subjectIndex) sort(f *subjects.Filter) {
	if f.Literals != nil {
		return
	}
	x.mu.RLock()
	sorted := !x.ready || x.subs.Sorted()
	x.mu.RUnlock()
	if sorted {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ready {
		x.subs.Sort()
	}
}

// takeKnown appends what is known of the next subjects that match f and come behind the name after to
// batch. It returns the last name that was looked at, and whether there may be more.
func (s *Stream) takeKnown(ctx context.Context, f *subjects.Filter, after string, batch []known) ([]known, string, bool, error) {
	if err := ctx.Err(); err != nil {
		return batch, after, false, err
	}
	if err := s.buildSubjects(ctx); err != nil { // it may have been dropped
		return batch, after, false, err
	}
	last, more := s.subjects.visit(f, after, func(m *subjects.Map, e *subjects.Subject) bool {
		batch = append(batch, known{m.NameOf(e), e.Count, e.First, e.Last, e.Stale})
		return len(batch) < knownBatch
	})
	return batch, last, more, nil
}

// exact makes the bounds of k those of live messages, and lets the index know. If the subject has none any
// more, k has the count 0.
func (s *Stream) exact(ctx context.Context, k *known) error {
	if k.stale == 0 {
		return nil
	}
	f := subjects.NewFilter(store.Query{Subject: k.name})
	x := &s.subjects
	x.mu.RLock()
	undeleted := x.undeleted
	x.mu.RUnlock()
	first, err := s.firstMatch(ctx, f, k.first, math.MaxUint64)
	if err != nil {
		return err
	}
	last, err := s.lastMatch(ctx, f, k.first, math.MaxUint64)
	if err != nil {
		return err
	}
	if first.seq == 0 || last.seq == 0 {
		k.count = 0
		return nil
	}
	s.settle(k, first, last, undeleted)
	k.first, k.last, k.stale = first.seq, last.seq, 0
	return nil
}

// settle notes the bounds of a subject's live messages that were searched for because k, which the index knew
// then, is stale. Nothing is noted if that is not so any more. undeleted is what the index's was before the search.
func (s *Stream) settle(k *known, first, last spot, undeleted uint64) {
	x := &s.subjects
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready || x.undeleted != undeleted {
		return // a message that the search passed over may be live again
	}
	id, ok := x.subs.Find(k.name)
	if !ok || x.subs.At(id).Count == 0 {
		return
	}
	e := x.subs.At(id)
	// Who removes a message marks it first and tells then: one that is not marked yet will be told of.
	if e.Stale&subjects.StaleFirst != 0 && e.First == k.first && s.lives(first.v.block, first.i, first.seq) {
		e.First = first.seq
		e.Stale &^= subjects.StaleFirst
	}
	if e.Stale&subjects.StaleLast != 0 && e.Last == k.last && s.lives(last.v.block, last.i, last.seq) {
		e.Last = last.seq
		e.Stale &^= subjects.StaleLast
	}
}
