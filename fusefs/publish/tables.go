package publish

import (
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
// copy of the file that is being closed in its place. So what is remembered is believed only while all who have the table rest: the thread
// that waits for the answer, and others that sleep, and are not about to close or replace a descriptor. Or while others run, of whom each was met at rest
// since the FLUSH came: what they did before is known then, and the list of all numbers says what is not.
type tables struct {
	sys descriptors
	// many is how many descriptors a table must have to be remembered, and few below how many it is forgotten: they are sooner looked at than
	// known not to have changed. pause is for how long a table is not believed again that turned out to be other than was known. patience
	// is how long is waited for others to rest, for each descriptor: a part of what it takes to look at it.
	many, few       int
	pause, patience time.Duration

	// mu guards all below, the fields of the tables included. It is a leaf, and not held while /proc is read.
	mu      sync.Mutex
	opens   map[uint64]int    // how many opens of this package a file has, by inode number
	places  map[uint64][]slot // where known descriptors on a file are
	known   map[uint32]*table // by a thread that has it
	waiting map[uint32]int    // threads that wait for the answer to a FLUSH
	coming  chan struct{}     // closed when the next FLUSH comes; nil if nobody waits for that
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
	// still calls do, and says whether nobody changed the thread's table meanwhile, nor had changed it before without the FLUSH of it having come. Where
	// it does not call do it is false. met says that all who may have the table have rested at some time since past.seen was nil: what they
	// changed before was told by a FLUSH that has come. The thread waits for an answer; waits tells who else does. past is what was found out when
	// it was last asked. An error says that it can't be told for this thread.
	still(tid uint32, past *sharers, waits func(tid uint32) bool, do func()) (still, met bool, err error)
	// hold returns what says whether the thread is there, and not another one of its number, until letGo is called.
	hold(tid uint32) (there func() bool, letGo func(), err error)
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
	there func() bool // never changed
	letGo func()      // never changed
	busy  sync.Mutex  // held by who looks
	past  sharers     // guarded by busy
	after time.Time   // nothing is believed before; guarded by busy

	sure  map[int]uint64 // descriptors, and the file that they lead to until a FLUSH of it comes
	loose map[int]bool   // descriptors that are looked at each time
	free  int            // all below it are sure or loose
	// flushed are the files of which a FLUSH came while the table was looked at, nil while it is not: what was seen to lead there before may not any more.
	flushed map[uint64]bool
}

// mostTables are how many tables are remembered; one of 10,000 descriptors takes 1 MB. Each thread of a program has one of its own: that
// they have the same can't be known.
const mostTables = 32

// How long is waited for others to rest, the first time and at most, unless another FLUSH comes: who had that to send rests then.
const (
	minNap = 100 * time.Microsecond
	maxNap = time.Millisecond
)

func newTables(sys descriptors) *tables {
	return &tables{
		sys: sys, many: 1024, few: 64, pause: time.Second, patience: 8 * time.Microsecond,
		opens: map[uint64]int{}, places: map[uint64][]slot{}, known: map[uint32]*table{}, waiting: map[uint32]int{},
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

// flushed is told of each FLUSH of a thread, which is answered when answered was called.
func (ts *tables) flushed(inode uint64, tid uint32) {
	if ts == nil {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.waiting[tid]++
	ts.loosenLocked(inode)
	if ts.coming != nil {
		close(ts.coming)
		ts.coming = nil
	}
}

// next returns what is closed when another FLUSH comes.
func (ts *tables) next() <-chan struct{} {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.coming == nil {
		ts.coming = make(chan struct{})
	}
	return ts.coming
}

// answered is told that the answer to a FLUSH is about to be given.
func (ts *tables) answered(tid uint32) {
	if ts == nil {
		return
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.waiting[tid]--; ts.waiting[tid] <= 0 {
		delete(ts.waiting, tid)
	}
}

// waits says whether a thread waits for the answer to a FLUSH.
func (ts *tables) waits(tid uint32) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return tid != 0 && ts.waiting[tid] > 0
}

// loosenLocked has the descriptors on a file looked at again.
func (ts *tables) loosenLocked(inode uint64) {
	for _, t := range ts.known {
		if t.flushed != nil {
			t.flushed[inode] = true
		}
	}
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
	if t == nil || !t.busy.TryLock() {
		return 0, 0, false // TryLock: two who wait under one number are not one thread
	}
	defer t.busy.Unlock()
	if time.Now().Before(t.after) {
		return 0, 0, false
	}
	if all = ts.sys.count(tid); all < ts.few || !t.there() {
		ts.forget(tid)
		return 0, 0, false
	}
	ts.looking(t, map[uint64]bool{})
	defer ts.looking(t, nil)
	t.past.seen = nil
	var begun time.Time
	nap := minNap
	for {
		still, met, err := ts.sys.still(tid, &t.past, ts.waits, func() {
			all = ts.sys.count(tid)
			n, ok = ts.count(t, inode, all)
		})
		if err == nil && !still && met {
			all = ts.sys.count(tid)
			n, ok = ts.count(t, inode, unknown)
			if still = !ts.flushedMeanwhile(t, inode); !still { // somebody has closed another one
				ts.looking(t, map[uint64]bool{})
				t.past.seen = nil
			}
		}
		switch {
		case err != nil, still && !ok:
			ts.distrust(tid)
			return 0, 0, false
		case still:
			return n, all, true
		case begun.IsZero():
			begun = time.Now() // what was looked at is known the next time
		}
		if spent := time.Since(begun); spent > time.Duration(all)*ts.patience {
			t.after = time.Now().Add(spent)
			return 0, 0, false
		}
		select {
		case <-ts.next():
		case <-time.After(nap):
		}
		nap = min(2*nap, maxNap)
	}
}

// looking notes that a table is being looked at, or, with nil, that it is not any more.
func (ts *tables) looking(t *table, flushed map[uint64]bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	t.flushed = flushed
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
	if ts.find(tid) == nil {
		ts.keep(tid, time.Time{})
	}
}

// keep begins to remember a thread's table, of which nothing is believed before after.
func (ts *tables) keep(tid uint32, after time.Time) {
	there, letGo, err := ts.sys.hold(tid)
	if err != nil {
		return // it is looked at in full each time
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.forgetLocked(tid)
	for other := range ts.known {
		if len(ts.known) < mostTables {
			break
		}
		ts.forgetLocked(other)
	}
	ts.known[tid] = &table{tid: tid, there: there, letGo: letGo, after: after, sure: map[int]uint64{}, loose: map[int]bool{}}
}

func (ts *tables) forget(tid uint32) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.forgetLocked(tid)
}

// distrust forgets a table, and has nothing remembered of it for a while.
func (ts *tables) distrust(tid uint32) {
	ts.forget(tid)
	ts.keep(tid, time.Now().Add(ts.pause))
}

func (ts *tables) forgetLocked(tid uint32) {
	t := ts.known[tid]
	if t == nil {
		return
	}
	delete(ts.known, tid)
	t.letGo()
	for _, inode := range t.sure {
		rest := slices.DeleteFunc(ts.places[inode], func(s slot) bool { return s.table == t })
		if ts.places[inode] = rest; len(rest) == 0 {
			delete(ts.places, inode)
		}
	}
}
