package blockstore

import (
	"context"
	"math"

	"jsfs/store"
)

// known is what the index knows of one subject at one moment; see [subject].
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
func (s *Stream) eachSubject(ctx context.Context, f *filter, look func(m *subjectMap, e *subject) bool, between func() error) error {
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
func (x *subjectIndex) visit(f *filter, after string, look func(*subjectMap, *subject) bool) (string, bool) {
	x.sort(f)
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.subs
	if !x.ready || f.literals == nil && len(m.order) < m.n {
		return after, true // it was dropped, or grew
	}
	for _, name := range f.literals {
		if id, ok := m.find(name); ok && name > after && m.at(id).count > 0 && !look(m, m.at(id)) {
			return name, true
		}
	}
	if f.literals != nil {
		return "", false
	}
	i, end := 0, len(m.order)
	if f.prefix != "" {
		i, end = m.search(m.order, f.prefix), m.search(m.order, f.prefix+"\xff")
	}
	if after != "" {
		i = max(i, m.search(m.order, after+"\x00"))
	}
	stop := min(end, i+visitBatch)
	if i >= stop {
		return after, false
	}
	for _, id := range m.order[i:stop] {
		if e := m.at(id); e.count > 0 && f.matchesIn(m, e) && !look(m, e) {
			return m.nameOf(e), true
		}
	}
	return m.name(m.order[stop-1]), stop < end
}

// sort brings the subjects into order, if f needs it.
func (x *subjectIndex) sort(f *filter) {
	if f.literals != nil {
		return
	}
	x.mu.RLock()
	sorted := !x.ready || len(x.subs.order) == x.subs.n
	x.mu.RUnlock()
	if sorted {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ready {
		x.subs.sort()
	}
}

// takeKnown appends what is known of the next subjects that match f and come behind the name after to
// batch. It returns the last name that was looked at, and whether there may be more.
func (s *Stream) takeKnown(ctx context.Context, f *filter, after string, batch []known) ([]known, string, bool, error) {
	if err := ctx.Err(); err != nil {
		return batch, after, false, err
	}
	if err := s.buildSubjects(ctx); err != nil { // it may have been dropped
		return batch, after, false, err
	}
	last, more := s.subjects.visit(f, after, func(m *subjectMap, e *subject) bool {
		batch = append(batch, known{m.nameOf(e), e.count, e.first, e.last, e.stale})
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
	f := newFilter(store.Query{Subject: k.name})
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
	x.settle(k, first, last, undeleted)
	k.first, k.last, k.stale = first.seq, last.seq, 0
	return nil
}

// settle notes the bounds of a subject's live messages that were searched for because k, which the index knew
// then, is stale. Nothing is noted if that is not so any more. undeleted is what the index's was before the search.
func (x *subjectIndex) settle(k *known, first, last spot, undeleted uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready || x.undeleted != undeleted {
		return // a message that the search passed over may be live again
	}
	id, ok := x.subs.find(k.name)
	if !ok || x.subs.at(id).count == 0 {
		return
	}
	e := x.subs.at(id)
	// Who removes a message marks it first and tells then: one that is not marked yet will be told of.
	if e.stale&staleFirst != 0 && e.first == k.first && !first.v.isDeleted(first.i) {
		e.first = first.seq
		e.stale &^= staleFirst
	}
	if e.stale&staleLast != 0 && e.last == k.last && !last.v.isDeleted(last.i) {
		e.last = last.seq
		e.stale &^= staleLast
	}
}
