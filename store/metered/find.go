package metered

import (
	"context"
	"iter"
	"time"

	"jsfs/store"
)

// Next implements [store.Finder].
func (s *stream) Next(ctx context.Context, q store.Query, buf []byte) (store.Msg, error) {
	start := time.Now()
	m, err := s.Stream.Next(ctx, q, buf)
	s.m.load(opNext, start, &m, err)
	return m, err
}

// Prev implements [store.Finder].
func (s *stream) Prev(ctx context.Context, q store.Query, buf []byte) (store.Msg, error) {
	start := time.Now()
	m, err := s.Stream.Prev(ctx, q, buf)
	s.m.load(opPrev, start, &m, err)
	return m, err
}

// SeekTime implements [store.Finder].
func (s *stream) SeekTime(ctx context.Context, ns int64) (store.Seq, error) {
	start := time.Now()
	seq, err := s.Stream.SeekTime(ctx, ns)
	s.m.done(opSeekTime, start, err)
	return seq, err
}

// Count implements [store.Finder].
func (s *stream) Count(ctx context.Context, q store.Query) (store.Count, error) {
	start := time.Now()
	n, err := s.Stream.Count(ctx, q)
	s.m.done(opCount, start, err)
	return n, err
}

// Subjects implements [store.Finder].
func (s *stream) Subjects(ctx context.Context, pattern, after string) iter.Seq2[store.SubjectCount, error] {
	return walked(s.m, opSubjects, s.Stream.Subjects(ctx, pattern, after))
}

// CountSubjects implements [store.Finder].
func (s *stream) CountSubjects(ctx context.Context) (uint64, error) {
	start := time.Now()
	n, err := s.Stream.CountSubjects(ctx)
	s.m.done(opCountSubjects, start, err)
	return n, err
}

// LastSeqs implements [store.Finder].
func (s *stream) LastSeqs(ctx context.Context, patterns []string, upTo store.Seq, limit int) ([]store.Seq, error) {
	start := time.Now()
	seqs, err := s.Stream.LastSeqs(ctx, patterns, upTo, limit)
	s.m.done(opLastSeqs, start, err)
	return seqs, err
}

// SubjectOf implements [store.Finder].
func (s *stream) SubjectOf(ctx context.Context, seq store.Seq) (string, error) {
	start := time.Now()
	subject, err := s.Stream.SubjectOf(ctx, seq)
	s.m.done(opSubjectOf, start, err)
	return subject, err
}

// Pending implements [store.Finder].
func (s *stream) Pending(ctx context.Context, q store.Query, lastPerSubject bool) (uint64, store.Seq, error) {
	start := time.Now()
	n, through, err := s.Stream.Pending(ctx, q, lastPerSubject)
	s.m.done(opPending, start, err)
	return n, through, err
}

// Gaps implements [store.Finder].
func (s *stream) Gaps(ctx context.Context, q store.Query) iter.Seq2[store.Gap, error] {
	return walked(s.m, opGaps, s.Stream.Gaps(ctx, q))
}

// walked is walk, counted once for each time it is walked.
func walked[T any](m *metrics, o op, walk iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		start := time.Now()
		var failed error
		for v, err := range walk {
			if err != nil {
				failed = err
			}
			if !yield(v, err) {
				break
			}
		}
		m.done(o, start, failed)
	}
}
