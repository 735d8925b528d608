package logview

import "jsfs/store"

// maxNear is how many stretches an epoch remembers. Who reads backwards, and several who read by turns, come back to
// the same ones: each costs a scan once, and not for each read.
const maxNear = 4

// near are the stretches that were looked at last. They hold as long as nothing was removed and nothing
// came back: what is appended goes to other segments.
type near struct {
	changes uint64 // the epoch's, for which they hold
	s       [maxNear]stretch
	next    int // the one that is replaced next
}

// get returns the stretch from first to last, as it is at changes.
func (n *near) get(first, last store.Seq, changes uint64) (stretch, bool) {
	if n.changes != changes {
		return stretch{}, false
	}
	for i := range n.s {
		if s := &n.s[i]; s.last > 0 && s.first == first && s.last == last {
			return *s, true
		}
	}
	return stretch{}, false
}

// put remembers a stretch. Its items must not be changed any more.
func (n *near) put(s stretch, changes uint64) {
	if n.changes != changes {
		*n = near{changes: changes}
	}
	n.s[n.next] = s
	n.next = (n.next + 1) % maxNear
}
