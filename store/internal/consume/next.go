package consume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"jsfs/store"
)

const (
	// longest is for how long who waits sleeps at most.
	longest = time.Hour
	// pruneEvery is the least time between two looks for open deliveries of messages that are gone, in nanoseconds.
	pruneEvery = int64(time.Second)
)

// Next implements [store.Consumer].
func (c *Consumer) Next(ctx context.Context, buf []byte) (store.Delivery, error) {
	defer c.waiting.Add(-1)
	if n, most := c.waiting.Add(1), c.cfg.Load().MaxWaiting; n > int64(most) {
		return store.Delivery{}, fmt.Errorf("consumer %s: %w: max_waiting is %d", c.cfg.Load().Name, store.ErrLimit, most)
	}
	if err := c.usable(ctx); err != nil {
		return store.Delivery{}, err
	}
	select { // who waits longest gets the turn first
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return store.Delivery{}, ctx.Err()
	case <-c.gone:
		return store.Delivery{}, c.usable(ctx)
	}
	defer func() { <-c.turn }()
	for {
		if err := c.usable(ctx); err != nil {
			return store.Delivery{}, err
		}
		d, wait, err := c.attempt(ctx, buf)
		if err != nil || d.Seq > 0 {
			return d, err
		}
		timer := time.NewTimer(max(min(wait, longest), time.Millisecond))
		select {
		case <-ctx.Done():
		case <-c.gone:
		case <-c.poke:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// attempt delivers a message if there is one, else it says how long to wait for the next look. The caller has the turn.
func (c *Consumer) attempt(ctx context.Context, buf []byte) (d store.Delivery, wait time.Duration, err error) {
	for {
		seq, wait := c.nextDue()
		if seq == 0 {
			d, early, err := c.attemptNew(ctx, buf)
			return d, min(wait, early), err
		}
		m, err := c.set.opt.Stream.Load(ctx, seq, buf)
		if isGone(err) {
			c.drop(seq, false)
			continue
		}
		if err != nil {
			return store.Delivery{}, 0, err
		}
		if d, ok := c.redeliver(&m); ok {
			return d, 0, nil
		}
	}
}

// nextDue returns a message that is to be delivered again now, or how long it is until there is one. Those that were
// delivered too often are given up.
func (c *Consumer) nextDue() (store.Seq, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.set.opt.Now()
	c.state.Observe(now)
	for {
		p, ok := c.state.NextDue()
		if !ok {
			return 0, longest
		}
		if p.Due > now {
			return 0, time.Duration(p.Due - now)
		}
		most := c.cfg.Load().MaxDeliver
		if most == store.NoLimit || p.Count < uint64(most) { //nolint:gosec // it is positive
			return p.Seq, 0
		}
		c.state.Drop(p.Seq, c.set.opt.Retention() != store.RetentionLimits)
		c.changedLocked()
		c.set.planSave()
	}
}

// redeliver counts another delivery of m, unless it was acknowledged meanwhile.
func (c *Consumer) redeliver(m *store.Msg) (store.Delivery, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.set.opt.Now()
	number, count, err := c.state.Redeliver(m.Seq, now, c.dueLocked(now, c.state.Count(m.Seq)+1))
	if err != nil {
		return store.Delivery{}, false
	}
	c.changedLocked()
	c.set.planSave()
	return c.delivery(m, number, count), true
}

// dueLocked is when the n-th delivery of a message, made now, is made again.
func (c *Consumer) dueLocked(now int64, n uint64) int64 {
	return later(now, c.cfg.Load().Wait(n))
}

// later returns now + d, or the end of time.
func later(now int64, d time.Duration) int64 {
	if d > 0 && now > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return now + int64(d)
}

// drop ends the delivery of a message that is gone.
func (c *Consumer) drop(seq store.Seq, spend bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Drop(seq, spend)
	c.changedLocked()
	c.set.planSave()
}

// attemptNew is attempt for messages that were never delivered.
func (c *Consumer) attemptNew(ctx context.Context, buf []byte) (d store.Delivery, wait time.Duration, err error) {
	if full, err := c.full(ctx); full || err != nil {
		return d, time.Duration(pruneEvery), err
	}
	if c.hasForgotten() {
		if err := c.recall(ctx); err != nil {
			return d, 0, err
		}
	}
	for {
		from, start, epoch, ok := c.position()
		if !ok {
			return d, longest, nil
		}
		var m store.Msg
		if start {
			m, err = c.set.opt.Stream.Load(ctx, from, buf)
			m.Seq = from
		} else {
			q := store.QueryOf(c.cfg.Load().Filters())
			q.From = from
			m, err = c.set.opt.Stream.Next(ctx, q, buf)
		}
		var corrupt *store.CorruptError
		switch {
		case err == nil:
			return c.deliver(ctx, &m, epoch)
		case start && isGone(err), errors.As(err, &corrupt) && m.Seq > 0:
			c.pass(m.Seq, epoch)
		case isGone(err):
			c.caughtUp()
			return d, longest, nil
		default:
			return d, 0, err
		}
	}
}

// full says whether no more deliveries may be open.
func (c *Consumer) full(ctx context.Context) (bool, error) {
	c.mu.Lock()
	full, now := c.fullLocked(), c.set.opt.Now()
	look := full && (now-c.pruned >= pruneEvery || now < c.pruned)
	if look {
		c.pruned = now
	}
	c.mu.Unlock()
	if !look {
		return full, nil
	}
	if err := c.prune(ctx); err != nil {
		return true, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fullLocked(), nil
}

func (c *Consumer) fullLocked() bool {
	cfg := c.cfg.Load()
	return cfg.AckPolicy != store.AckNone && (c.state.Open() >= cfg.MaxAckPending || c.state.Spent() >= store.MaxAckPending)
}

// prune ends open deliveries of messages that are gone.
func (c *Consumer) prune(ctx context.Context) error {
	c.mu.Lock()
	n := c.state.Snapshot()
	c.mu.Unlock()
	for _, p := range n.Pending {
		if _, err := c.set.opt.Stream.Stat(ctx, p.Seq); isGone(err) {
			c.drop(p.Seq, false)
		} else if err != nil {
			return err
		}
	}
	for _, g := range n.Spent {
		if _, err := c.set.opt.Stream.Stat(ctx, g.Seq); isGone(err) {
			c.mu.Lock()
			c.state.Forget(g.Seq)
			c.mu.Unlock()
		} else if err != nil {
			return err
		}
	}
	return nil
}

// position returns where the next message is looked for, or with start which one it is, as long as the consumer does not
// begin anew. ok is false if there is no sequence left.
func (c *Consumer) position() (from store.Seq, start bool, epoch uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.starts) > 0 {
		return c.starts[0], true, c.epoch, true
	}
	at := max(c.state.Delivered().Stream, c.resume)
	return at + 1, false, c.epoch, at < math.MaxUint64
}

// pass moves over a message that can't be delivered.
func (c *Consumer) pass(seq store.Seq, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return
	}
	c.state.Pass(seq)
	c.startedLocked(seq)
	c.changedLocked()
	c.set.planSave()
}

// startedLocked takes in that message seq was delivered.
func (c *Consumer) startedLocked(seq store.Seq) {
	if len(c.starts) > 0 && c.starts[0] <= seq {
		c.starts = c.starts[1:]
	}
}

// caughtUp ends the pace at which old messages are replayed.
func (c *Consumer) caughtUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pace.on = false
}

// deliver counts the first delivery of m.
func (c *Consumer) deliver(ctx context.Context, m *store.Msg, epoch uint64) (d store.Delivery, wait time.Duration, err error) {
	now := c.set.opt.Now()
	c.mu.Lock()
	wait = c.pace.early(m.Time, now)
	anew := c.epoch != epoch
	c.mu.Unlock()
	if anew {
		return d, 0, nil
	}
	if wait > 0 {
		return d, wait, nil
	}
	if c.cfg.Load().AckPolicy == store.AckNone && c.set.opt.Retention() != store.RetentionLimits {
		c.set.settling.Lock() // until the delivery is counted: nobody else gets the message any more
		defer c.set.settling.Unlock()
		if c.began() != epoch {
			return d, 0, nil
		}
		if err := c.set.release(ctx, c, []store.Seq{m.Seq}); err != nil {
			return d, 0, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return d, 0, nil
	}
	number, err := c.state.Deliver(m.Seq, now, c.dueLocked(now, 1))
	if err != nil {
		return d, 0, err
	}
	c.startedLocked(m.Seq)
	c.pace.msg, c.pace.made = m.Time, now
	c.changedLocked()
	c.set.planSave()
	return c.delivery(m, number, 1), 0, nil
}

// hasForgotten says whether it is not known yet where the consumer begins.
func (c *Consumer) hasForgotten() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgot
}

// began returns how often the consumer has begun anew.
func (c *Consumer) began() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// delivery is what Next returns.
func (c *Consumer) delivery(m *store.Msg, number, count uint64) store.Delivery {
	if c.cfg.Load().HeadersOnly {
		m.Header = withSize(m.Header, len(m.Data))
		m.Data = nil
	}
	return store.Delivery{Msg: *m, Consumer: number, Count: count}
}

// withSize returns a header block with the size of the payload in it.
func withSize(block []byte, size int) []byte {
	line := store.HeaderSize + ": " + strconv.Itoa(size) + "\r\n\r\n"
	if len(block) == 0 {
		return []byte("NATS/1.0\r\n" + line)
	}
	return append(bytes.Clone(bytes.TrimSuffix(block, []byte("\r\n"))), line...)
}
