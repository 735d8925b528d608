package fusefs

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// maxViews is how many views the kernel may remember before it is asked to forget the half that was looked up
	// longest ago. It keeps the names of what nobody uses until it wants the memory, and each is kept here as well.
	maxViews = 4096
	// pruneEach is how many views must have been entered since it was asked last: it does not forget what is in use.
	pruneEach = maxViews / 2
)

// pruner asks the kernel to forget views that nobody uses.
type pruner struct {
	kernel kernel // nil asks nothing

	busy    atomic.Bool // it is being asked
	running sync.WaitGroup
}

// look asks the kernel to forget views if there are too many.
func (p *pruner) look(t *views) {
	if p.kernel == nil || !t.tooMany() || !p.busy.CompareAndSwap(false, true) {
		return
	}
	p.running.Go(func() {
		defer p.busy.Store(false)
		p.prune(t.longestUnused())
	})
}

// prune asks the kernel to forget views, the last ones first: what is in a directory keeps that in use. A kernel before
// Linux 6.18 can only be told that their names are not valid any more, so that who works in one sees
// a directory without a name.
func (p *pruner) prune(old []*view) {
	slices.Reverse(old)
	nodes := make([]uint64, len(old))
	for i, v := range old {
		nodes[i] = v.id
	}
	if p.kernel.PruneNotify(nodes).Ok() {
		return
	}
	for _, v := range old {
		p.kernel.EntryNotify(v.parent, v.name())
	}
}

// wait returns when nothing is being asked any more.
func (p *pruner) wait() { p.running.Wait() }

// tooMany says whether the kernel is to forget views, and that it is asked now if so.
func (t *views) tooMany() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byID) <= maxViews || t.entered < pruneEach {
		return false
	}
	t.entered = 0
	return true
}

// longestUnused returns the half of the views that was looked up longest ago, oldest first.
func (t *views) longestUnused() []*view {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*viewEntry, 0, len(t.byID))
	for _, e := range t.byID {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *viewEntry) int {
		if a.last < b.last {
			return -1
		}
		return 1
	})
	old := make([]*view, len(all)/2)
	for i := range old {
		old[i] = all[i].view
	}
	return old
}
