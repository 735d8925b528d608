package metered

import (
	"context"
	"iter"
	"time"

	"jsfs/store"
)

// ScanKept implements [store.Keeper].
func (s *stream) ScanKept(ctx context.Context, from, to store.Seq) iter.Seq2[store.Meta, error] {
	return walked(s.m, opScanKept, s.Stream.ScanKept(ctx, from, to))
}

// LoadKept implements [store.Keeper].
func (s *stream) LoadKept(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	start := time.Now()
	m, err := s.Stream.LoadKept(ctx, seq, buf)
	s.m.load(opLoadKept, start, &m, err)
	return m, err
}

// StatKept implements [store.Keeper].
func (s *stream) StatKept(ctx context.Context, seq store.Seq) (store.Meta, error) {
	start := time.Now()
	m, err := s.Stream.StatKept(ctx, seq)
	s.m.done(opStatKept, start, err)
	return m, err
}

// RemovedStreams implements [store.Attic].
func (c *counted) RemovedStreams(ctx context.Context) ([]store.RemovedStream, error) {
	start := time.Now()
	list, err := c.Store.RemovedStreams(ctx)
	c.m.done(opRemoved, start, err)
	return list, err
}

// LoadRemoved implements [store.Attic].
func (c *counted) LoadRemoved(ctx context.Context, inc uint64, seq store.Seq, buf []byte) (store.Msg, error) {
	start := time.Now()
	m, err := c.Store.LoadRemoved(ctx, inc, seq, buf)
	c.m.load(opLoadRemoved, start, &m, err)
	return m, err
}

// Reclaim implements [store.Attic].
func (c *counted) Reclaim(ctx context.Context) error {
	start := time.Now()
	err := c.Store.Reclaim(ctx)
	c.m.done(opReclaim, start, err)
	return err
}

// Revive implements [store.Attic].
func (c *counted) Revive(ctx context.Context, inc uint64) (store.Stream, error) {
	start := time.Now()
	s, err := c.Store.Revive(ctx, inc)
	c.m.done(opRevive, start, err)
	if err != nil {
		return nil, err
	}
	return c.wrap(s), nil
}
