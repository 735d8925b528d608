package blockstore

import (
	"context"
	"sync"
	"time"
)

const (
	// paceBytes is how many bytes a second are written by what is in no hurry, all streams together.
	paceBytes = 16 << 20
	// paceBurst is how much of that may come at once.
	paceBurst = 250 * time.Millisecond
)

// pace lets work in the background take only a part of what the disk can do.
type pace struct {
	bytes int64 // a second

	mu   sync.Mutex
	paid time.Time // when what was written so far is over; guarded by mu
}

// wait waits until n bytes more may have been written.
func (p *pace) wait(ctx context.Context, n int) error {
	now := time.Now()
	p.mu.Lock()
	if from := now.Add(-paceBurst); p.paid.Before(from) {
		p.paid = from
	}
	p.paid = p.paid.Add(time.Duration(int64(n) * int64(time.Second) / p.bytes))
	d := p.paid.Sub(now)
	p.mu.Unlock()
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
