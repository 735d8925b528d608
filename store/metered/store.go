package metered

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jsfs/store"
)

// New returns st, counted: its metrics are registered with reg, which fails if it has them already.
// Closing what is returned closes st.
func New(st store.Store, reg prometheus.Registerer) (store.Store, error) {
	m, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	if err := reg.Register(stateCollector{st}); err != nil {
		return nil, err
	}
	return &counted{Store: st, m: m, streams: map[store.Stream]*stream{}}, nil
}

// counted is a store that is counted.
type counted struct {
	store.Store
	m *metrics

	mu      sync.Mutex // guards streams
	streams map[store.Stream]*stream
}

// wrap returns the counted stream: always the same one for the same stream.
func (c *counted) wrap(s store.Stream) store.Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.streams[s]
	if w == nil {
		w = &stream{Stream: s, m: c.m}
		c.streams[s] = w
	}
	return w
}

// Streams implements [store.Store].
func (c *counted) Streams(ctx context.Context) ([]string, error) {
	start := time.Now()
	names, err := c.Store.Streams(ctx)
	c.m.done(opStreams, start, err)
	return names, err
}

// Usage implements [store.Store].
func (c *counted) Usage(ctx context.Context) (store.Usage, error) {
	start := time.Now()
	u, err := c.Store.Usage(ctx)
	c.m.done(opUsage, start, err)
	return u, err
}

// Close implements [store.Store].
func (c *counted) Close() error {
	start := time.Now()
	err := c.Store.Close()
	c.m.done(opClose, start, err)
	return err
}

// Stream implements [store.Store].
func (c *counted) Stream(ctx context.Context, name string) (store.Stream, error) {
	start := time.Now()
	s, err := c.Store.Stream(ctx, name)
	c.m.done(opStream, start, err)
	if err != nil {
		return nil, err
	}
	return c.wrap(s), nil
}

// Create implements [store.Store].
func (c *counted) Create(ctx context.Context, cfg store.Config) (store.Stream, error) {
	start := time.Now()
	s, err := c.Store.Create(ctx, cfg)
	c.m.done(opCreate, start, err)
	if err != nil {
		return nil, err
	}
	return c.wrap(s), nil
}

// Update implements [store.Store].
func (c *counted) Update(ctx context.Context, cfg store.Config) error {
	start := time.Now()
	err := c.Store.Update(ctx, cfg)
	c.m.done(opUpdate, start, err)
	return err
}

// Adopt implements [store.Adopter], and counts as an update.
func (c *counted) Adopt(ctx context.Context, cfg store.Config) error {
	a, ok := c.Store.(store.Adopter)
	if !ok {
		return c.Update(ctx, cfg)
	}
	start := time.Now()
	err := a.Adopt(ctx, cfg)
	c.m.done(opUpdate, start, err)
	return err
}

// Truncate implements [store.Store].
func (c *counted) Truncate(ctx context.Context, name string, last store.Seq) (store.Stream, error) {
	old, _ := c.Store.Stream(ctx, name)
	start := time.Now()
	s, err := c.Store.Truncate(ctx, name, last)
	c.m.done(opTruncate, start, err)
	if err != nil {
		return nil, err
	}
	if old != s {
		c.forget(old)
	}
	return c.wrap(s), nil
}

// forget forgets a stream that is gone.
func (c *counted) forget(s store.Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, s)
}

// Remove implements [store.Store].
func (c *counted) Remove(ctx context.Context, name string) error {
	return c.drop(ctx, name, opDrop, c.Store.Remove)
}

// RemoveSealed implements [store.Store].
func (c *counted) RemoveSealed(ctx context.Context, name string) error {
	return c.drop(ctx, name, opDropSealed, c.Store.RemoveSealed)
}

// drop removes a stream, counted.
func (c *counted) drop(ctx context.Context, name string, o op, remove func(context.Context, string) error) error {
	s, _ := c.Store.Stream(ctx, name)
	start := time.Now()
	err := remove(ctx, name)
	c.m.done(o, start, err)
	if err == nil && s != nil {
		c.forget(s)
	}
	return err
}

// stream is a stream that is counted.
type stream struct {
	store.Stream
	m *metrics

	mu        sync.Mutex // guards consumers
	consumers map[string]*consumer
}

// State implements [store.Reader].
func (s *stream) State(ctx context.Context) (store.State, error) {
	start := time.Now()
	st, err := s.Stream.State(ctx)
	s.m.done(opState, start, err)
	return st, err
}

// Extents implements [store.Reader].
func (s *stream) Extents(ctx context.Context) ([]store.Extent, store.State, error) {
	start := time.Now()
	extents, st, err := s.Stream.Extents(ctx)
	s.m.done(opExtents, start, err)
	return extents, st, err
}

// Damage implements [store.Reader].
func (s *stream) Damage(ctx context.Context) ([]store.Damage, error) {
	start := time.Now()
	list, err := s.Stream.Damage(ctx)
	s.m.done(opDamage, start, err)
	return list, err
}

// Load implements [store.Reader].
func (s *stream) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	start := time.Now()
	m, err := s.Stream.Load(ctx, seq, buf)
	s.m.load(opLoad, start, &m, err)
	return m, err
}

// LoadRun implements [store.Reader]. A walk is one operation, and takes as long as its caller does.
func (s *stream) LoadRun(ctx context.Context, seq store.Seq, buf []byte) iter.Seq2[store.Msg, error] {
	return func(yield func(store.Msg, error) bool) {
		start, n, bytes, failed := time.Now(), 0, 0, error(nil)
		defer func() { s.m.loadRun(opLoadRun, start, n, bytes, failed) }()
		for m, err := range s.Stream.LoadRun(ctx, seq, buf) {
			if failed = err; err == nil {
				n, bytes = n+1, bytes+len(m.Data)
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// Stat implements [store.Reader].
func (s *stream) Stat(ctx context.Context, seq store.Seq) (store.Meta, error) {
	start := time.Now()
	m, err := s.Stream.Stat(ctx, seq)
	s.m.done(opStat, start, err)
	return m, err
}

// LoadLast implements [store.Reader].
func (s *stream) LoadLast(ctx context.Context, subject string, buf []byte) (store.Msg, error) {
	start := time.Now()
	m, err := s.Stream.LoadLast(ctx, subject, buf)
	s.m.load(opLoadLast, start, &m, err)
	return m, err
}

// Scan implements [store.Reader].
func (s *stream) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Meta, error] {
	return walked(s.m, opScan, s.Stream.Scan(ctx, q))
}

// Append implements [store.Writer].
func (s *stream) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	start := time.Now()
	seq, err := s.Stream.Append(ctx, e)
	s.m.store(opAppend, start, []store.Entry{e}, one(err), err)
	return seq, err
}

// AppendAll implements [store.Writer].
func (s *stream) AppendAll(ctx context.Context, es []store.Entry) (int, error) {
	start := time.Now()
	n, err := s.Stream.AppendAll(ctx, es)
	s.m.store(opAppend, start, es, n, err)
	return n, err
}

// Restore implements [store.Writer].
func (s *stream) Restore(ctx context.Context, m store.Msg) error {
	start := time.Now()
	err := s.Stream.Restore(ctx, m)
	s.m.restored(opRestore, start, []store.Msg{m}, one(err), err)
	return err
}

// RestoreAll implements [store.Writer].
func (s *stream) RestoreAll(ctx context.Context, ms []store.Msg) (int, error) {
	start := time.Now()
	n, err := s.Stream.RestoreAll(ctx, ms)
	s.m.restored(opRestore, start, ms, n, err)
	return n, err
}

// SkipTo implements [store.Writer].
func (s *stream) SkipTo(ctx context.Context, last store.Seq, t int64) error {
	start := time.Now()
	err := s.Stream.SkipTo(ctx, last, t)
	s.m.done(opSkipTo, start, err)
	return err
}

// Remove implements [store.Writer].
func (s *stream) Remove(ctx context.Context, seq store.Seq) (bool, error) {
	start := time.Now()
	live, err := s.Stream.Remove(ctx, seq)
	s.m.done(opRemove, start, err)
	return live, err
}

// Erase implements [store.Writer].
func (s *stream) Erase(ctx context.Context, seq store.Seq) (bool, error) {
	start := time.Now()
	live, err := s.Stream.Erase(ctx, seq)
	s.m.done(opErase, start, err)
	return live, err
}

// Undelete implements [store.Writer].
func (s *stream) Undelete(ctx context.Context, seq store.Seq) error {
	start := time.Now()
	err := s.Stream.Undelete(ctx, seq)
	s.m.done(opUndelete, start, err)
	return err
}

// Sync implements [store.Writer].
func (s *stream) Sync(ctx context.Context) error {
	start := time.Now()
	err := s.Stream.Sync(ctx)
	s.m.done(opSync, start, err)
	return err
}
