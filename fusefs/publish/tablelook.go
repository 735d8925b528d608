package publish

import (
	"maps"
	"slices"
)

// flushedMeanwhile says whether a FLUSH of a file came while the table was looked at.
func (ts *tables) flushedMeanwhile(t *table, inode uint64) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.flushed[inode]
}

// unknown is a number of descriptors that is not known.
const unknown = -1

// count is writable for a table of so many descriptors. If somebody changes the table meanwhile it may be wrong, but not what is remembered then. Where the
// number is unknown, it finds what is there all the time, by the list of all.
func (ts *tables) count(t *table, inode uint64, all int) (n int, ok bool) {
	ts.mu.Lock()
	// Other processes' FLUSHes may have descriptors looked at again from here on. That they lead where they did is true as
	// long as this call lasts.
	there := len(t.sure)
	loose := slices.Collect(maps.Keys(t.loose))
	for _, s := range ts.places[inode] {
		if s.table == t && t.sure[s.fd] == inode {
			n++
		}
	}
	ts.mu.Unlock()

	wanted := func(i uint64) bool { return i == inode || ts.isOpen(i) }
	mounts := map[string]lead{}
	var failed error
	look := func(fd int) {
		l, err := ts.sys.look(t.tid, fd, wanted, mounts)
		if err != nil {
			failed = err
			return
		}
		if l.open {
			there++
		}
		if l.writable && l.inode == inode {
			n++
		}
		ts.note(t, fd, l)
	}
	for _, fd := range loose {
		look(fd)
	}
	// What was opened since has the lowest numbers that were free then, among those that are free again.
	if more := all - there; more > 0 && more < ts.few {
		for _, fd := range ts.lowest(t, more+ts.few/4) {
			if there < all {
				look(fd)
			}
		}
	}
	if there == all || failed != nil {
		return n, failed == nil
	}
	var fds []int
	err := ts.sys.list(t.tid, func(fd int) { fds = append(fds, fd) })
	for _, fd := range ts.strange(t, fds) {
		look(fd)
	}
	return n, err == nil && failed == nil && (there == all || all == unknown)
}

// note takes in what was found at a descriptor of which nothing was known for certain.
func (ts *tables) note(t *table, fd int, l lead) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(t.loose, fd)
	switch {
	case !l.open:
		t.free = min(t.free, fd)
	case l.writable && l.certain && ts.opens[l.inode] > 0 && ts.known[t.tid] == t && !t.flushed[l.inode]:
		t.sure[fd] = l.inode
		ts.places[l.inode] = append(ts.places[l.inode], slot{t, fd})
	default:
		t.loose[fd] = true
	}
}

func (ts *tables) isOpen(inode uint64) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.opens[inode] > 0
}

func (t *table) hasLocked(fd int) bool { return t.loose[fd] || t.sure[fd] != 0 }

// strange returns those of some descriptors of which nothing is known.
func (ts *tables) strange(t *table, fds []int) []int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return slices.DeleteFunc(fds, t.hasLocked)
}

// lowest returns the n lowest numbers of which nothing is known.
func (ts *tables) lowest(t *table, n int) (fds []int) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for t.hasLocked(t.free) {
		t.free++
	}
	for fd := t.free; len(fds) < n; fd++ {
		if !t.hasLocked(fd) {
			fds = append(fds, fd)
		}
	}
	return fds
}
