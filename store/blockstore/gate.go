package blockstore

import (
	"sync/atomic"

	"jsfs/store"
)

// gate counts the calls that are under way, so that who closes can wait for
// them. Entering never waits.
type gate struct {
	// n is how many of the calls pause, plus a call each for all of them, plus closedBias once the gate is closed.
	n    atomic.Int64
	idle chan struct{} // closed by the last call that leaves a closed gate
}

const (
	call       = 1 << 24
	closedBias = 1 << 56
)

func newGate() *gate { return &gate{idle: make(chan struct{})} }

// enter begins a call, which must leave; ErrClosed if the gate is closed.
func (g *gate) enter() error {
	if g.n.Add(call) > closedBias {
		g.leave()
		return store.ErrClosed
	}
	return nil
}

// empty says whether nobody is inside at this moment but calls that pause.
func (g *gate) empty() bool {
	n := g.n.Load()
	return n/call == n%call
}

// pause says that a call that is inside has nothing in its hands from the stream, until it resumes.
func (g *gate) pause() { g.n.Add(1) }

func (g *gate) resume() { g.n.Add(-1) }

func (g *gate) leave() {
	if g.n.Add(-call) == closedBias {
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
