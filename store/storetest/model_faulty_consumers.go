package storetest

import (
	"context"
	"time"

	"jsfs/store"
)

func (s *gotStream) CreateConsumer(ctx context.Context, cfg store.ConsumerConfig) (store.Consumer, error) {
	c, err := s.Stream.CreateConsumer(ctx, cfg)
	return met1(s.t, c, err)
}

func (s *wantStream) CreateConsumer(ctx context.Context, cfg store.ConsumerConfig) (store.Consumer, error) {
	return unless(s.t, func() (store.Consumer, error) { return s.Stream.CreateConsumer(ctx, cfg) })
}

func (s *gotStream) RestoreConsumer(ctx context.Context, from store.ConsumerState) (store.Consumer, error) {
	c, err := s.Stream.RestoreConsumer(ctx, from)
	return met1(s.t, c, err)
}

func (s *wantStream) RestoreConsumer(ctx context.Context, from store.ConsumerState) (store.Consumer, error) {
	return unless(s.t, func() (store.Consumer, error) { return s.Stream.RestoreConsumer(ctx, from) })
}

func (s *gotStream) UpdateConsumer(ctx context.Context, cfg store.ConsumerConfig) error {
	err := s.Stream.UpdateConsumer(ctx, cfg)
	s.t.met(0, err)
	return err
}

func (s *wantStream) UpdateConsumer(ctx context.Context, cfg store.ConsumerConfig) error {
	return unless0(s.t, func() error { return s.Stream.UpdateConsumer(ctx, cfg) })
}

func (s *gotStream) RemoveConsumer(ctx context.Context, name string) error {
	err := s.Stream.RemoveConsumer(ctx, name)
	s.t.met(0, err)
	return err
}

func (s *wantStream) RemoveConsumer(ctx context.Context, name string) error {
	return unless0(s.t, func() error { return s.Stream.RemoveConsumer(ctx, name) })
}

func (s *gotStream) Consumer(ctx context.Context, name string) (store.Consumer, error) {
	c, err := s.Stream.Consumer(ctx, name)
	if err != nil {
		return nil, err
	}
	return &gotConsumer{c, s.t}, nil
}

func (s *wantStream) Consumer(ctx context.Context, name string) (store.Consumer, error) {
	c, err := s.Stream.Consumer(ctx, name)
	if err != nil {
		return nil, err
	}
	return &wantConsumer{c, s.t}, nil
}

// Next asks again, on a disk that works, if the call failed: that may have given up messages that were delivered too often, which the
// reference does in the same call in which it delivers one.
func (c *gotConsumer) Next(ctx context.Context, buf []byte) (store.Delivery, error) {
	d, err := c.Consumer.Next(ctx, buf)
	if err != nil && ctx.Err() == nil && c.t.hit() {
		c.t.lift()
		d, err = c.Consumer.Next(ctx, buf)
	}
	return met1(c.t, d, err)
}

func (c *wantConsumer) Next(ctx context.Context, buf []byte) (store.Delivery, error) {
	return unless(c.t, func() (store.Delivery, error) { return c.Consumer.Next(ctx, buf) })
}

func (c *gotConsumer) Ack(ctx context.Context, seq store.Seq) error {
	err := c.Consumer.Ack(ctx, seq)
	c.t.met(0, err)
	return err
}

func (c *wantConsumer) Ack(ctx context.Context, seq store.Seq) error {
	return unless0(c.t, func() error { return c.Consumer.Ack(ctx, seq) })
}

func (c *gotConsumer) Term(ctx context.Context, seq store.Seq) error {
	err := c.Consumer.Term(ctx, seq)
	c.t.met(0, err)
	return err
}

func (c *wantConsumer) Term(ctx context.Context, seq store.Seq) error {
	return unless0(c.t, func() error { return c.Consumer.Term(ctx, seq) })
}

func (c *gotConsumer) Nak(ctx context.Context, seq store.Seq, delay time.Duration) error {
	err := c.Consumer.Nak(ctx, seq, delay)
	c.t.met(0, err)
	return err
}

func (c *wantConsumer) Nak(ctx context.Context, seq store.Seq, delay time.Duration) error {
	return unless0(c.t, func() error { return c.Consumer.Nak(ctx, seq, delay) })
}
