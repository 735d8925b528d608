package consume

import (
	"context"
	"fmt"
	"math"
	"time"

	"jsfs/store"
)

// Ack implements [store.Consumer].
func (c *Consumer) Ack(ctx context.Context, seq store.Seq) error {
	return c.settle(ctx, seq, c.cfg.Load().AckPolicy == store.AckAll)
}

// Term implements [store.Consumer].
func (c *Consumer) Term(ctx context.Context, seq store.Seq) error {
	return c.settle(ctx, seq, false)
}

// settle ends the open delivery of message seq, and with before those before it.
func (c *Consumer) settle(ctx context.Context, seq store.Seq, before bool) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	if s := c.set; s.opt.Retention() != store.RetentionLimits {
		s.settling.Lock()
		defer s.settling.Unlock()
		c.mu.Lock()
		covered, err := c.state.Covered(seq, before)
		c.mu.Unlock()
		if err == nil {
			err = s.release(ctx, c, covered)
		}
		if err != nil {
			return c.wrap(err)
		}
	}
	return c.change(func(int64) error { return c.state.Ack(seq, before) })
}

func (c *Consumer) wrap(err error) error {
	return fmt.Errorf("consumer %s: %w", c.cfg.Load().Name, err)
}

// change makes a change of what is remembered.
func (c *Consumer) change(do func(now int64) error) error {
	c.mu.Lock()
	now := c.set.opt.Now()
	c.state.Observe(now)
	err := do(now)
	if err == nil {
		c.changedLocked()
	}
	c.mu.Unlock()
	if err != nil {
		return c.wrap(err)
	}
	c.set.planSave()
	c.wake()
	return nil
}

// release removes the messages that of all consumers only c needed, as they are about to be acknowledged. The caller
// holds settling.
func (s *Set) release(ctx context.Context, c *Consumer, seqs []store.Seq) error {
	var gone []store.Range
	for _, seq := range seqs {
		if s.opt.Retention() == store.RetentionInterest {
			if kept, err := s.neededBut(ctx, c, seq); err != nil {
				return err
			} else if kept {
				continue
			}
		}
		gone = append(gone, store.Range{First: seq, Last: seq})
	}
	if len(gone) == 0 {
		return nil
	}
	return s.opt.Discard(ctx, gone)
}

// Nak implements [store.Consumer].
func (c *Consumer) Nak(ctx context.Context, seq store.Seq, delay time.Duration) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	return c.change(func(now int64) error { return c.state.Delay(seq, now, later(now, max(delay, 0))) })
}

// InProgress implements [store.Consumer].
func (c *Consumer) InProgress(ctx context.Context, seq store.Seq) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	return c.change(func(now int64) error { return c.state.Delay(seq, now, c.dueLocked(now, c.state.Count(seq))) })
}

// Pending implements [store.Consumer].
func (c *Consumer) Pending(ctx context.Context) ([]store.PendingDelivery, error) {
	if err := c.readable(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	n := c.state.Snapshot()
	c.mu.Unlock()
	live := n.Pending[:0]
	for _, p := range n.Pending {
		switch _, err := c.set.opt.Stream.Stat(ctx, p.Seq); {
		case isGone(err):
		case err != nil:
			return nil, err
		default:
			live = append(live, p)
		}
	}
	return live, nil
}

// PendingOf implements [store.Consumer].
func (c *Consumer) PendingOf(ctx context.Context, seq store.Seq) (store.PendingDelivery, error) {
	if err := c.readable(ctx); err != nil {
		return store.PendingDelivery{}, err
	}
	c.mu.Lock()
	p, ok := c.state.Find(seq)
	c.mu.Unlock()
	if !ok {
		return p, c.wrap(notOpen(seq))
	}
	if _, err := c.set.opt.Stream.Stat(ctx, seq); isGone(err) {
		return store.PendingDelivery{}, c.wrap(notOpen(seq))
	} else if err != nil {
		return store.PendingDelivery{}, err
	}
	return p, nil
}

// readable is usable for a call that changes nothing.
func (c *Consumer) readable(ctx context.Context) error {
	select {
	case <-c.gone:
		return c.wrap(store.ErrClosed)
	default:
	}
	return ctx.Err()
}

// Info implements [store.Consumer].
func (c *Consumer) Info(ctx context.Context) (store.ConsumerInfo, error) {
	if err := c.readable(ctx); err != nil {
		return store.ConsumerInfo{}, err
	}
	cfg := c.Config()
	c.mu.Lock()
	info := store.ConsumerInfo{
		Name: cfg.Name, Created: c.created, Config: cfg,
		Delivered: c.state.delivered, AckFloor: c.state.floor, NumAckPending: c.state.Open(),
		NumRedelivered: c.state.redelivered(), NumWaiting: int(c.waiting.Load()),
	}
	info.NumPending = uint64(len(c.starts))
	at := max(info.Delivered.Stream, c.resume)
	c.mu.Unlock()
	if at == math.MaxUint64 {
		return info, nil
	}
	q := store.QueryOf(cfg.Filters())
	q.From = at + 1
	n, _, err := c.set.opt.Stream.Pending(ctx, q, false)
	info.NumPending += n
	return info, err
}
