package pace

import (
	"context"
	"sync"
	"time"
)

// burst is how much may come at once.
const burst = 250 * time.Millisecond

// Pace lets all who wait for it together write so many bytes a second. It may be used concurrently.
type Pace struct {
	bytes int64 // a second

	mu   sync.Mutex
	paid time.Time // when what was written so far is over; guarded by mu
}

// New returns a pace of that many bytes a second.
func New(bytes int64) *Pace { return &Pace{bytes: bytes} }

// Wait waits until n bytes more may have been written, or ctx ends, whose error it gives then.
func (p *Pace) Wait(ctx context.Context, n int) error {
	now := time.Now()
	p.mu.Lock()
	if from := now.Add(-burst); p.paid.Before(from) {
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
