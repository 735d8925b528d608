package blockstore

import (
	"sync/atomic"

	"jsfs/store"
)

// gate counts the calls that are under way, so that who closes can wait for
// them. Entering never waits.
type gate struct {
	// n is the number of calls, plus closedBias once the gate is closed.
	n    atomic.Int64
	idle chan struct{} // closed by the last call that leaves a closed gate
}

const closedBias = 1 << 40

func newGate() *gate { return &gate{idle: make(chan struct{})} }

// enter begins a call, which must leave; ErrClosed if the gate is closed.
func (g *gate) enter() error {
	if g.n.Add(1) > closedBias {
		g.leave()
		return store.ErrClosed
	}
	return nil
}

// empty says whether nobody is inside at this moment.
func (g *gate) empty() bool { return g.n.Load() == 0 }

func (g *gate) leave() {
	if g.n.Add(-1) == closedBias {
		g.signal()
	}
}

// signal closes idle once: callers that come too late leave, too, and may race to it.
func (g *gate) signal() {
	if g.n.CompareAndSwap(closedBias, 2*closedBias) {
		close(g.idle)
	}
}

// close lets nobody in any more, and waits for those who are inside.
func (g *gate) close() {
	if g.n.Add(closedBias) == closedBias {
		g.signal()
	}
	<-g.idle
}
