package metered

import (
	"context"
	"time"

	"jsfs/store"
)

// CreateConsumer implements [store.Consumers].
func (s *stream) CreateConsumer(ctx context.Context, cfg store.ConsumerConfig) (store.Consumer, error) {
	start := time.Now()
	c, err := s.Stream.CreateConsumer(ctx, cfg)
	s.m.done(opCreateConsumer, start, err)
	if err != nil {
		return nil, err
	}
	return s.wrap(cfg.WithDefaults().Name, c), nil
}

// RestoreConsumer implements [store.Consumers].
func (s *stream) RestoreConsumer(ctx context.Context, from store.ConsumerState) (store.Consumer, error) {
	start := time.Now()
	c, err := s.Stream.RestoreConsumer(ctx, from)
	s.m.done(opRestoreConsumer, start, err)
	if err != nil {
		return nil, err
	}
	return s.wrap(from.Config.WithDefaults().Name, c), nil
}

// UpdateConsumer implements [store.Consumers].
func (s *stream) UpdateConsumer(ctx context.Context, cfg store.ConsumerConfig) error {
	start := time.Now()
	err := s.Stream.UpdateConsumer(ctx, cfg)
	s.m.done(opUpdateConsumer, start, err)
	return err
}

// RemoveConsumer implements [store.Consumers].
func (s *stream) RemoveConsumer(ctx context.Context, name string) error {
	start := time.Now()
	err := s.Stream.RemoveConsumer(ctx, name)
	s.m.done(opDropConsumer, start, err)
	return err
}

// Consumer implements [store.Consumers].
func (s *stream) Consumer(ctx context.Context, name string) (store.Consumer, error) {
	start := time.Now()
	c, err := s.Stream.Consumer(ctx, name)
	s.m.done(opConsumer, start, err)
	if err != nil {
		return nil, err
	}
	return s.wrap(name, c), nil
}

// ConsumerNames implements [store.Consumers].
func (s *stream) ConsumerNames(ctx context.Context) ([]string, error) {
	start := time.Now()
	names, err := s.Stream.ConsumerNames(ctx)
	s.m.done(opConsumerNames, start, err)
	return names, err
}

// wrap returns the counted consumer: always the same one for the same consumer.
func (s *stream) wrap(name string, c store.Consumer) store.Consumer {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.consumers[name]
	if w == nil || w.Consumer != c {
		w = &consumer{c, s.m}
		if s.consumers == nil {
			s.consumers = map[string]*consumer{}
		}
		s.consumers[name] = w
	}
	return w
}

// consumer is a consumer that is counted.
type consumer struct {
	store.Consumer
	m *metrics
}

// Next implements [store.Consumer]. How long it waits counts, too.
func (c *consumer) Next(ctx context.Context, buf []byte) (store.Delivery, error) {
	start := time.Now()
	d, err := c.Consumer.Next(ctx, buf)
	c.m.load(opDeliver, start, &d.Msg, err)
	return d, err
}

// Pending implements [store.Consumer].
func (c *consumer) Pending(ctx context.Context) ([]store.PendingDelivery, error) {
	start := time.Now()
	list, err := c.Consumer.Pending(ctx)
	c.m.done(opOpen, start, err)
	return list, err
}

// PendingOf implements [store.Consumer].
func (c *consumer) PendingOf(ctx context.Context, seq store.Seq) (store.PendingDelivery, error) {
	start := time.Now()
	p, err := c.Consumer.PendingOf(ctx, seq)
	c.m.done(opOpen, start, err)
	return p, err
}

// State implements [store.Consumer].
func (c *consumer) State(ctx context.Context) (store.ConsumerState, error) {
	start := time.Now()
	s, err := c.Consumer.State(ctx)
	c.m.done(opInfo, start, err)
	return s, err
}

// Info implements [store.Consumer].
func (c *consumer) Info(ctx context.Context) (store.ConsumerInfo, error) {
	start := time.Now()
	info, err := c.Consumer.Info(ctx)
	c.m.done(opInfo, start, err)
	return info, err
}

// Ack implements [store.Consumer].
func (c *consumer) Ack(ctx context.Context, seq store.Seq) error {
	start := time.Now()
	err := c.Consumer.Ack(ctx, seq)
	c.m.done(opAck, start, err)
	return err
}

// Nak implements [store.Consumer].
func (c *consumer) Nak(ctx context.Context, seq store.Seq, delay time.Duration) error {
	start := time.Now()
	err := c.Consumer.Nak(ctx, seq, delay)
	c.m.done(opNak, start, err)
	return err
}

// InProgress implements [store.Consumer].
func (c *consumer) InProgress(ctx context.Context, seq store.Seq) error {
	start := time.Now()
	err := c.Consumer.InProgress(ctx, seq)
	c.m.done(opInProgress, start, err)
	return err
}

// Term implements [store.Consumer].
func (c *consumer) Term(ctx context.Context, seq store.Seq) error {
	start := time.Now()
	err := c.Consumer.Term(ctx, seq)
	c.m.done(opTerm, start, err)
	return err
}
