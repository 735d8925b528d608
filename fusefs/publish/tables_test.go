package publish

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// fakeTable is a process's table of descriptors, and counts what is looked at.
type fakeTable struct {
	fds    map[int]lead
	blind  int  // a descriptor that can't be looked at, unless 0
	hidden bool // who has the table can't be told
	gone   bool // the thread that was held is
	looks  int
	lists  int
	held   int
	tries  int // how often it was asked whether all rest

	// busy says that another thread is running, and meanwhile, unless nil, what it does before a descriptor is looked at.
	busy      bool
	computes  bool // it never rests
	meanwhile func()
	// closing are files of which another thread has taken a descriptor out of the table, and the FLUSH is not here yet.
	closing []*closingFile
}

type closingFile struct {
	inode uint64
	old   bool // it was so when somebody began to ask
}

const fakeTid = 5

func (f *fakeTable) count(uint32) int { return len(f.fds) }

func (f *fakeTable) list(_ uint32, g func(fd int)) error {
	f.lists++
	for fd := range f.fds {
		g(fd)
	}
	return nil
}

func (f *fakeTable) look(_ uint32, fd int, wanted func(uint64) bool, _ map[string]lead) (lead, error) {
	f.looks++
	if f.busy && f.meanwhile != nil {
		f.meanwhile()
	}
	if fd == f.blind && fd != 0 {
		return lead{}, errors.New("can't be read")
	}
	l := f.fds[fd]
	if !wanted(l.inode) {
		l.writable, l.certain = false, false
	}
	return l, nil
}

func (f *fakeTable) still(_ uint32, past *sharers, _ func(uint32) bool, do func()) (still, met bool, err error) {
	f.tries++
	if f.hidden {
		return false, false, errHidden
	}
	if past.seen == nil {
		past.seen = map[int]bool{}
		for _, c := range f.closing {
			c.old = true
		}
	}
	do()
	met = !f.computes && !slices.ContainsFunc(f.closing, func(c *closingFile) bool { return c.old })
	return !f.busy && len(f.closing) == 0, met, nil
}

func (f *fakeTable) hold(uint32) (func() bool, func(), error) {
	f.held++
	return func() bool { return !f.gone }, func() { f.held-- }, nil
}

// put opens something at the lowest number that is free.
func (f *fakeTable) put(l lead) int {
	fd := 0
	for f.fds[fd].open {
		fd++
	}
	f.fds[fd] = l
	return fd
}

func (f *fakeTable) writable(inode uint64) (n int) {
	for _, l := range f.fds {
		if l.writable && l.inode == inode {
			n++
		}
	}
	return n
}

func ours(inode uint64) lead { return lead{open: true, writable: true, certain: true, inode: inode} }

func newFakeTable() (*fakeTable, *tables) {
	f := &fakeTable{fds: map[int]lead{}}
	for range 3 {
		f.put(lead{open: true})
	}
	ts := newTables(f)
	ts.many, ts.patience = 256, 0
	return f, ts
}

// closing has a descriptor closed, and returns what was found out at its FLUSH.
func closing(f *fakeTable, ts *tables, fd int) (n int, ok bool) {
	inode := f.fds[fd].inode
	delete(f.fds, fd)
	ts.flushed(inode, fakeTid)
	defer ts.answered(fakeTid)
	n, all, ok := ts.writable(fakeTid, inode)
	if ok && all != len(f.fds) {
		return -1, true
	}
	if !ok {
		ts.remember(fakeTid, len(f.fds))
	}
	return n, ok
}

// Who closes thousands of files is not looked at in full for each: all descriptors are looked at once, and with each close the few that may have changed.
func TestTablesLookAtEachDescriptorOnce(t *testing.T) {
	const files = 10_000
	orders := map[string]func(i int) int{
		"in order": func(i int) int { return i },
		"backward": func(i int) int { return files - 1 - i },
		"mixed":    func(i int) int { return i * 7919 % files },
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			f, ts := newFakeTable()
			fds := make([]int, files)
			for i := range fds {
				ts.opened(uint64(i+1), 1)
				fds[i] = i + 3
				f.fds[i+3] = ours(uint64(i + 1))
			}
			full := 0
			for i := range fds {
				n, ok := closing(f, ts, fds[order(i)])
				if n != 0 {
					t.Fatalf("close %d: got %d descriptors left", i, n)
				}
				if !ok {
					full += len(f.fds)
				}
				ts.opened(uint64(order(i)+1), -1)
			}
			if work := f.looks + full; work > 8*files || f.lists > 1 {
				t.Errorf("%d descriptors were looked at for %d closes, and the table listed %d times", work, files, f.lists)
			}
			if len(ts.known)+len(ts.places)+len(ts.opens)+len(ts.waiting)+f.held != 0 {
				t.Errorf("left behind: %d tables, %d places, %d opens, %d who wait, %d held", len(ts.known), len(ts.places), len(ts.opens), len(ts.waiting), f.held)
			}
		})
	}
}

// One that has thousands of files open, and opens others and closes them, is not looked at in full either.
func TestTablesLookAtWhatIsNew(t *testing.T) {
	const files, rounds = 2000, 2000
	f, ts := newFakeTable()
	next := uint64(1)
	open := func() int {
		ts.opened(next, 1)
		next++
		return f.put(ours(next - 1))
	}
	for range files {
		open()
	}
	for range 3 {
		closing(f, ts, open())
	}
	open()
	closing(f, ts, open())          // what is known goes up to here
	for fd := 100; fd < 120; fd++ { // places below the newest, which are taken again
		closing(f, ts, fd)
	}
	f.looks, f.lists = 0, 0
	for i := range rounds {
		first := open()
		if i%2 == 0 {
			open() // and stays
		}
		if n, ok := closing(f, ts, first); n != 0 || !ok {
			t.Fatalf("round %d: got %d, %v", i, n, ok)
		}
	}
	if f.looks > 10*rounds || f.lists > 0 {
		t.Errorf("%d looks and %d listings in %d rounds", f.looks, f.lists, rounds)
	}
}

// Of more programs than are remembered some are forgotten, and nothing of them stays.
func TestTablesForget(t *testing.T) {
	f, ts := newFakeTable()
	for i := range 300 {
		ts.opened(uint64(i+1), 1)
		f.put(ours(uint64(i + 1)))
	}
	for tid := range uint32(2 * mostTables) {
		ts.remember(tid, len(f.fds))
		if n, all, ok := ts.writable(tid, 7); n != 1 || all != len(f.fds) || !ok {
			t.Fatalf("table %d: got %d of %d, %v", tid, n, all, ok)
		}
	}
	if len(ts.known) != mostTables || len(ts.places[7]) != mostTables || f.held != mostTables {
		t.Errorf("%d tables are known, and the file in %d of them, want %d", len(ts.known), len(ts.places[7]), mostTables)
	}
	old := &table{tid: 1 << 20, sure: map[int]uint64{}, loose: map[int]bool{}} // forgotten while it is looked at
	if n, ok := ts.count(old, 7, len(f.fds)); n != 1 || !ok || len(ts.places[7]) != mostTables {
		t.Errorf("a forgotten table: got %d, %v, and %d places", n, ok, len(ts.places[7]))
	}
	for i := range 300 {
		ts.opened(uint64(i+1), -1)
	}
	if len(ts.places) != 0 {
		t.Errorf("%d places are left", len(ts.places))
	}
}

// A copy of a descriptor is found wherever it is put: in a free place, behind all others, or in the place of another file.
func TestTablesFindACopy(t *testing.T) {
	put := map[string]func(f *fakeTable, ts *tables, l lead){
		"lowest free": func(f *fakeTable, _ *tables, l lead) { f.put(l) },
		"far behind":  func(f *fakeTable, _ *tables, l lead) { f.fds[5000] = l },
		"over another file": func(f *fakeTable, ts *tables, l lead) {
			was := f.fds[400].inode
			f.fds[400] = l
			ts.flushed(was, 0)
		},
		"over another's file": func(f *fakeTable, _ *tables, l lead) { f.fds[1] = l },
		"two":                 func(f *fakeTable, _ *tables, l lead) { f.put(l); f.fds[5000] = l },
		"after a close": func(f *fakeTable, ts *tables, l lead) {
			was := f.fds[300].inode
			delete(f.fds, 300)
			ts.flushed(was, 0)
			f.put(l)
		},
	}
	for name, put := range put {
		t.Run(name, func(t *testing.T) {
			f, ts := newFakeTable()
			for i := range 1000 {
				ts.opened(uint64(i+1), 1)
				f.put(ours(uint64(i + 1)))
			}
			for fd := 3; fd < 10; fd++ {
				if n, ok := closing(f, ts, fd); n != 0 || ok != (fd > 3) {
					t.Fatalf("close of %d: got %d, %v", fd, n, ok)
				}
			}
			put(f, ts, f.fds[500])
			want := f.writable(f.fds[500].inode) - 1
			if n, ok := closing(f, ts, 500); n != want || !ok {
				t.Errorf("got %d, %v; want the %d that are left", n, ok, want)
			}
		})
	}
}

// Nothing is believed of a table that others may change meanwhile, or that can't be read.
func TestTablesAreNotBelieved(t *testing.T) {
	f, ts := newFakeTable()
	ts.pause = 0
	for i := range 1000 {
		ts.opened(uint64(i+1), 1)
		f.put(ours(uint64(i + 1)))
	}
	closing(f, ts, 3)
	if _, ok := closing(f, ts, 4); !ok {
		t.Fatal("the table is not known")
	}
	f.busy, f.computes = true, true
	if _, ok := closing(f, ts, 5); ok {
		t.Error("a table is believed that others change")
	}
	f.busy, f.computes = false, false
	looks := f.looks
	if _, ok := closing(f, ts, 6); !ok || f.looks > looks+10 {
		t.Errorf("after others rest: %v with %d looks, want what was known to be known still", ok, f.looks-looks)
	}
	f.closing = []*closingFile{{inode: 500}}
	if _, ok := closing(f, ts, 7); ok {
		t.Error("a table is believed of which another thread closes a descriptor")
	}
	f.closing = nil
	f.hidden = true
	if _, ok := closing(f, ts, 8); ok {
		t.Error("a table is believed of which nobody knows who has it")
	}
	f.hidden = false
	closing(f, ts, 9)
	f.blind = 1 // one that is looked at each time
	if _, ok := closing(f, ts, 10); ok {
		t.Error("a table with a descriptor that can't be read is believed")
	}
	f.blind = 0
	closing(f, ts, 11)
	delete(f.fds, 12) // without a word
	if _, ok := closing(f, ts, 13); ok {
		t.Error("a table that has fewer descriptors than are known is believed")
	}
	closing(f, ts, 14)
	f.gone = true
	if _, ok := closing(f, ts, 15); ok {
		t.Error("what was known of a thread that ended is believed of another one")
	}
	var none *tables
	if _, _, ok := none.writable(fakeTid, 1); ok {
		t.Error("where nothing is remembered something is known")
	}
}

// Others are waited for, but not for longer than a look at all takes, nor again and again.
func TestTablesWaitForOthersToRest(t *testing.T) {
	f, ts := newFakeTable()
	for i := range 1000 {
		ts.opened(uint64(i+1), 1)
		f.put(ours(uint64(i + 1)))
	}
	closing(f, ts, 3)
	closing(f, ts, 4)
	ts.patience = time.Hour
	f.busy, f.computes = true, true
	rounds := 0
	f.meanwhile = func() {
		if rounds++; rounds == 20 {
			f.busy, f.computes = false, false
		}
	}
	if n, ok := closing(f, ts, 5); n != 0 || !ok {
		t.Errorf("after the others went to rest: got %d, %v", n, ok)
	}
	// Those who never rest at the same time are met one after the other.
	f.busy, f.meanwhile, f.looks = true, nil, 0
	if n, ok := closing(f, ts, 8); n != 0 || !ok || f.looks > 30 {
		t.Errorf("after each of the others rested: got %d, %v with %d looks", n, ok, f.looks)
	}
	copied := f.put(ours(500))
	if n, ok := closing(f, ts, 502); n != 1 || !ok {
		t.Errorf("after each of the others rested: got %d, %v, want descriptor %d", n, ok, copied)
	}
	again := 0
	f.meanwhile = func() { // another copy is closed meanwhile
		if again++; again == 5 {
			delete(f.fds, copied)
			ts.flushed(500, 0)
		}
	}
	f.put(ours(500))
	f.computes, rounds = false, 0
	if n, ok := closing(f, ts, copied+1); n != 0 && n != 1 || !ok {
		t.Errorf("got %d, %v", n, ok)
	}
	f.computes, f.meanwhile = true, nil
	ts.patience = 10 * time.Microsecond // 10 ms in all
	closing(f, ts, 6)
	f.tries = 0
	if _, ok := closing(f, ts, 7); ok || f.tries != 0 {
		t.Errorf("right after it was waited in vain: got %v after %d tries", ok, f.tries)
	}
}
