package logview

import "sync"

// maxTold is how many sizes an epoch remembers.
const maxTold = 64

// told are the sizes of the log that were told last, to whomever. tail(1) asks for the size and then reads just as far, so
// what it gets in the place of what was removed must not come from behind that, where it would end in the middle of a
// message. Only a read that ends at such a size is kept from that: of one that ends before it nobody knows whether its reader will stop
// there, and an end for who doesn't would hide from him what is there.
type told struct {
	mu    sync.Mutex
	sizes [maxTold]int64
	n     uint64 // how many there were; the i-th is in sizes[i%maxTold]
}

// add notes that a size was told.
func (t *told) add(size int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sizes[t.n%maxTold] = size
	t.n++
}

// count returns how many sizes were told.
func (t *told) count() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n
}

// has says whether a size was told since there were as many, as far as that is remembered.
func (t *told) has(size int64, since uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n > maxTold {
		since = max(since, t.n-maxTold)
	}
	for i := since; i < t.n; i++ {
		if t.sizes[i%maxTold] == size {
			return true
		}
	}
	return false
}
