package blockstore

import (
	"sync"
	"sync/atomic"
)

// current is the snapshot that readers see. What is appended, or removed one by one, is counted in as numbers, of which the
// next reader makes a snapshot: a stream that nobody looks at makes none, which would be most of what an append allocates.
type current struct {
	shown atomic.Pointer[snapshot]
	// behind says that grown is what readers are to see, once mu is free. Who holds wmu alone sets it; readers clear it.
	behind atomic.Bool
	mu     sync.Mutex // guards grown, and makes one change of all; below all other locks
	grown  snapshot   // good while behind
}

// Load returns the snapshot. It takes no lock unless something was appended or removed since the last one was made, or is just now: that
// is waited for, so that who has seen a part of it sees all.
func (c *current) Load() *snapshot {
	if c.behind.Load() {
		c.catchUp()
	}
	return c.shown.Load()
}

func (c *current) catchUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.behind.Load() {
		return // somebody else did
	}
	n := c.grown
	c.shown.Store(&n)
	c.behind.Store(false)
}

// latest is Load for who holds wmu: no snapshot is made. What it returns is good until the holder changes something.
func (c *current) latest() *snapshot {
	if c.behind.Load() {
		return &c.grown
	}
	return c.shown.Load()
}

// Store makes n the snapshot. It is called under wmu, by who has loaded the one before.
func (c *current) Store(n *snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown.Store(n)
	c.behind.Store(false)
	c.grown = snapshot{} // it may have blocks that are gone
}

// begin returns the snapshot that readers see when the caller, who holds wmu, has changed it and ended the change. What he changes
// meanwhile in blocks, where who has an older snapshot sees it at once, is so one change with it. It must not take long.
func (c *current) begin() *snapshot {
	c.mu.Lock()
	if !c.behind.Load() {
		c.grown = *c.shown.Load()
		c.behind.Store(true)
	}
	return &c.grown
}

// end ends what begin began.
func (c *current) end() { c.mu.Unlock() }
