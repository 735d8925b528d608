package publish

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// tables remembers where descriptors of programs lead, so that a program with thousands of files open for writing is not
// looked at in full with each that it closes.
//
// What is remembered can't be wrong, as of two things the kernel says when they change. A descriptor on a file that was opened
// here, through an open of this package, is taken out of a table by close(2), dup2(2), exec(2) or exit(2), and each of them
// sends a FLUSH and waits for its answer: what led to a file of which no FLUSH came since leads there still. And how many
// descriptors a table has is told in one call: where that is how many are known, there are no others. All else, as
// descriptors on other files, is looked at each time.
//
// Both hold only while nobody changes the table: between taking a descriptor out and its FLUSH another thread could put a
// copy of the file that is being closed in its place. So nothing is remembered of a table but for who has it alone: the thread that
// waits for the answer.
type tables struct {
	sys descriptors
	// many is how many descriptors a table must have to be remembered, and few below how many it is forgotten: they are sooner looked at than
	// known not to have changed. pause is for how long a table is not believed again that turned out not to be a lone thread's.
	many, few int
	pause     time.Duration

	// mu guards all below, the fields of the tables included. It is a leaf, and not held while /proc is read.
	mu     sync.Mutex
	opens  map[uint64]int    // how many opens of this package a file has, by inode number
	places map[uint64][]slot // where known descriptors on a file are
	known  map[uint32]*table // by the only thread that has it
}

// descriptors is what tables asks of the kernel.
type descriptors interface {
	// count is how many descriptors a thread's table has, 0 if that can't be told: Linux says it from 6.2 on.
	count(tid uint32) int
	// list calls f for the number of each descriptor.
	list(tid uint32, f func(fd int)) error
	// look says where a descriptor leads; of a file that is not wanted, by its inode number, not which mount it is on. mounts keeps
	// what was found out of the thread's mounts for the next look.
	look(tid uint32, fd int, wanted func(inode uint64) bool, mounts map[string]lead) (lead, error)
	// alone says whether the thread, which waits meanwhile, is the only one that has its table. past is what it found out
	// when it was last asked.
	alone(tid uint32, past *loner) bool
}

// lead is where a descriptor leads.
type lead struct {
	open     bool   // it is there
	writable bool   // to a file that is wanted, for writing, on the mount that asks or on one that can't be told from it
	certain  bool   // it is known to be on the mount that asks
	inode    uint64 // of the file; 0 if it leads to none
}

type slot struct {
	table *table
	fd    int
}

// table is what is known of one table of descriptors.
type table struct {
	tid   uint32
	busy  sync.Mutex     // held by who looks
	past  loner          // guarded by busy
	sure  map[int]uint64 // descriptors, and the file that they lead to until a FLUSH of it comes
	loose map[int]bool   // descriptors that are looked at each time
	free  int            // all below it are sure or loose
	after time.Time      // nothing is remembered before; never changed
}

// mostTables are how many tables are remembered; one of 10,000 descriptors takes 1 MB.
const mostTables = 32

func newTables(sys descriptors) *tables {
	return &tables{
		sys: sys, many: 1024, few: 64, pause: time.Second,
		opens: map[uint64]int{}, places: map[uint64][]slot{}, known: map[uint32]*table{},
	}
}

// opened is told of an open, d being 1, and of its release, -1.
func (ts *tables) opened(inode uint64, d int) {
	if ts == nil {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.opens[inode] += d; ts.opens[inode] <= 0 {
		delete(ts.opens, inode)
		ts.loosenLocked(inode)
	}
}

// flushed is told of each FLUSH, before it is answered.
func (ts *tables) flushed(inode uint64) {
	if ts == nil {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.loosenLocked(inode)
}

// loosenLocked has the descriptors on a file looked at again.
func (ts *tables) loosenLocked(inode uint64) {
	for _, s := range ts.places[inode] {
		if s.table.sure[s.fd] == inode {
			delete(s.table.sure, s.fd)
			s.table.loose[s.fd] = true
		}
	}
	delete(ts.places, inode)
}

// writable counts the descriptors for writing on a file in the table of a thread that waits for the answer to its FLUSH of that
// file, and how many descriptors there are. ok is false if nothing is known of the table, and it must be looked at in full.
func (ts *tables) writable(tid uint32, inode uint64) (n, all int, ok bool) {
	t := ts.find(tid)
	if t == nil || !t.after.IsZero() && time.Now().Before(t.after) || !t.busy.TryLock() {
		return 0, 0, false // TryLock: two who wait under one number are no lone thread
	}
	defer t.busy.Unlock()
	if all = ts.sys.count(tid); all < ts.few {
		ts.forget(tid)
		return 0, 0, false
	}
	if ts.sys.alone(tid, &t.past) {
		n, ok = ts.count(t, inode, all)
	}
	if !ok {
		ts.distrust(tid)
	}
	return n, all, ok
}

// count is writable for a table that nobody changes meanwhile, of so many descriptors.
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
	err := ts.sys.list(t.tid, func(fd int) {
		if !ts.has(t, fd) {
			look(fd)
		}
	})
	return n, err == nil && failed == nil && there == all
}

// note takes in what was found at a descriptor of which nothing was known for certain.
func (ts *tables) note(t *table, fd int, l lead) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(t.loose, fd)
	switch {
	case !l.open:
		t.free = min(t.free, fd)
	case l.writable && l.certain && ts.opens[l.inode] > 0 && ts.known[t.tid] == t:
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

func (ts *tables) has(t *table, fd int) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return t.hasLocked(fd)
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

func (ts *tables) find(tid uint32) *table {
	if ts == nil {
		return nil
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.known[tid]
}

// remember is told how many descriptors were met in a thread's table, and that the next FLUSH of the thread shall find it known.
func (ts *tables) remember(tid uint32, met int) {
	if ts == nil || met < ts.many {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.known[tid] != nil {
		return
	}
	for other := range ts.known {
		if len(ts.known) < mostTables {
			break
		}
		ts.forgetLocked(other)
	}
	ts.known[tid] = newTable(tid)
}

func (ts *tables) forget(tid uint32) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.forgetLocked(tid)
}

// distrust forgets a table, and has nothing remembered of it for a while.
func (ts *tables) distrust(tid uint32) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.forgetLocked(tid)
	t := newTable(tid)
	t.after = time.Now().Add(ts.pause)
	ts.known[tid] = t
}

func newTable(tid uint32) *table {
	return &table{tid: tid, sure: map[int]uint64{}, loose: map[int]bool{}}
}

func (ts *tables) forgetLocked(tid uint32) {
	t := ts.known[tid]
	if t == nil {
		return
	}
	delete(ts.known, tid)
	for _, inode := range t.sure {
		rest := slices.DeleteFunc(ts.places[inode], func(s slot) bool { return s.table == t })
		if ts.places[inode] = rest; len(rest) == 0 {
			delete(ts.places, inode)
		}
	}
}
