package publish

import (
	"context"
	"sync"
)

// Budget bounds the memory that all opens of a mount take together. What does not fit
// goes to drafts without a name, in the store.
type Budget struct {
	limit int64

	mu sync.Mutex
	// used is what buffers take; loads what messages take that are read back in order to be
	// appended; both in bytes, each at most limit, but that one load may be larger. Guarded by mu.
	used, loads int64
	// freed is closed, and replaced, when a load ends. Guarded by mu.
	freed chan struct{}
}

// DefaultBudget is enough for 1,000 writers that are busy at once, in bytes.
const DefaultBudget = 64 << 20

// NewBudget returns a Budget of that many bytes for buffers, and as many for messages on
// their way to the store; 0 is DefaultBudget.
func NewBudget(limit int64) *Budget {
	if limit == 0 {
		limit = DefaultBudget
	}
	return &Budget{limit: limit, freed: make(chan struct{})}
}

// take reserves n bytes for a buffer and says whether there were as many.
func (b *Budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > b.limit {
		return false
	}
	b.used += n
	return true
}

func (b *Budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
}

// load waits until n bytes may be read back. Each load must be ended by unload.
func (b *Budget) load(ctx context.Context, n int64) error {
	for {
		b.mu.Lock()
		if b.loads == 0 || b.loads+n <= b.limit {
			b.loads += n
			b.mu.Unlock()
			return nil
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *Budget) unload(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loads -= n
	close(b.freed)
	b.freed = make(chan struct{})
}
