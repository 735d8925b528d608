package metered

import (
	"context"
	"time"

	"jsfs/store"
)

// Purge implements [store.Purger].
func (s *stream) Purge(ctx context.Context, p store.Purge) (int64, error) {
	start := time.Now()
	n, err := s.Stream.Purge(ctx, p)
	s.m.done(opPurge, start, err)
	return n, err
}

// Compact implements [store.Purger].
func (s *stream) Compact(ctx context.Context, seq store.Seq) (int64, error) {
	start := time.Now()
	n, err := s.Stream.Compact(ctx, seq)
	s.m.done(opCompact, start, err)
	return n, err
}

// Skip implements [store.Purger].
func (s *stream) Skip(ctx context.Context, n uint64) (store.Seq, error) {
	start := time.Now()
	last, err := s.Stream.Skip(ctx, n)
	s.m.done(opSkip, start, err)
	return last, err
}

// RemoveAll implements [store.Purger].
func (s *stream) RemoveAll(ctx context.Context, ranges []store.Range) (int64, error) {
	start := time.Now()
	n, err := s.Stream.RemoveAll(ctx, ranges)
	s.m.done(opRanges, start, err)
	return n, err
}
