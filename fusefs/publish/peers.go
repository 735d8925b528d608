package publish

import (
	"slices"
	"sync"
)

// peer names the opens of one file by one process.
type peer struct {
	inode  uint64
	opener int
}

// peers counts, for each peer, the opens whose opener is not known to be gone.
//
// One that is counted and has no descriptor left would let a descriptor of another open be taken for its own, and that be
// committed in the middle. A close with nothing to commit is not looked into, so who closed like that is counted as unsure, until its
// release tells, or the next open of the peer looks.
type peers struct {
	mu sync.Mutex
	m  map[peer][]*place // guarded by mu; no entry is empty
}

// place is where an open stands among its peers. Guarded by peers.mu.
type place struct {
	unsure bool // its opener closed a descriptor, and nobody looked whether that was the last one
}

// enter counts an open.
func (ps *peers) enter(p peer) *place {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.m == nil {
		ps.m = map[peer][]*place{}
	}
	at := &place{}
	ps.m[p] = append(ps.m[p], at)
	return at
}

// leave counts an open no more.
func (ps *peers) leave(p peer, at *place) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.dropLocked(p, func(o *place) bool { return o == at })
}

// unsure notes that an open's last descriptor may be closed.
func (ps *peers) unsure(at *place) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	at.unsure = true
}

// known returns how many opens of a peer are counted, and whether one of them is unsure.
func (ps *peers) known(p peer) (n int, unsure bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return len(ps.m[p]), slices.ContainsFunc(ps.m[p], isUnsure)
}

// dropUnsure counts the opens of a peer no more that are unsure, though only one of them may be gone: where fewer are counted than there
// are, a message waits for its release, and is whole.
func (ps *peers) dropUnsure(p peer) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.dropLocked(p, isUnsure)
}

func isUnsure(at *place) bool { return at.unsure }

func (ps *peers) dropLocked(p peer, gone func(*place) bool) {
	rest := slices.DeleteFunc(ps.m[p], gone)
	if ps.m[p] = rest; len(rest) == 0 {
		delete(ps.m, p)
	}
}

// others counts the opens of a peer but the one at a place.
func (ps *peers) others(p peer, but *place) int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	n := 0
	for _, at := range ps.m[p] {
		if at != but {
			n++
		}
	}
	return n
}
