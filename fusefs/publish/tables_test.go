package publish

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// fakeTable is a process's table of descriptors, and counts what is looked at.
type fakeTable struct {
	fds    map[int]lead
	shared bool
	blind  int // a descriptor that can't be looked at, unless 0
	looks  int
	lists  int
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
	if fd == f.blind && fd != 0 {
		return lead{}, errors.New("can't be read")
	}
	l := f.fds[fd]
	if !wanted(l.inode) {
		l.writable, l.certain = false, false
	}
	return l, nil
}

func (f *fakeTable) alone(uint32, *loner) bool { return !f.shared }

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
	ts.many = 256
	return f, ts
}

// closing has a descriptor closed, and returns what was found out at its FLUSH.
func closing(f *fakeTable, ts *tables, fd int) (n int, ok bool) {
	inode := f.fds[fd].inode
	delete(f.fds, fd)
	ts.flushed(inode)
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
			if len(ts.known)+len(ts.places)+len(ts.opens) != 0 {
				t.Errorf("left behind: %d tables, %d places, %d opens", len(ts.known), len(ts.places), len(ts.opens))
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
	if len(ts.known) != mostTables || len(ts.places[7]) != mostTables {
		t.Errorf("%d tables are known, and the file in %d of them, want %d", len(ts.known), len(ts.places[7]), mostTables)
	}
	old := newTable(1 << 20) // forgotten while it is looked at
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
			ts.flushed(was)
		},
		"over another's file": func(f *fakeTable, _ *tables, l lead) { f.fds[1] = l },
		"two":                 func(f *fakeTable, _ *tables, l lead) { f.put(l); f.fds[5000] = l },
		"after a close": func(f *fakeTable, ts *tables, l lead) {
			was := f.fds[300].inode
			delete(f.fds, 300)
			ts.flushed(was)
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
		t.Fatal("the table of a lone thread is not known")
	}
	f.shared = true
	if _, ok := closing(f, ts, 5); ok {
		t.Error("a table that is shared is believed")
	}
	f.shared = false
	looks := f.looks
	if _, ok := closing(f, ts, 6); !ok || f.looks < looks+900 {
		t.Errorf("after it was shared: %v with %d looks, want all of it to be looked at", ok, f.looks-looks)
	}
	f.blind = 1 // one that is looked at each time
	if _, ok := closing(f, ts, 7); ok {
		t.Error("a table with a descriptor that can't be read is believed")
	}
	f.blind = 0
	closing(f, ts, 8)
	delete(f.fds, 9) // without a word
	if _, ok := closing(f, ts, 10); ok {
		t.Error("a table that has fewer descriptors than are known is believed")
	}
	var none *tables
	if _, _, ok := none.writable(fakeTid, 1); ok {
		t.Error("where nothing is remembered something is known")
	}
}

// Whatever a program does with its descriptors, what is known of them is what is there.
func TestTablesModel(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		f, ts := newFakeTable()
		ts.many, ts.few, ts.pause = 8, 4, 0
		held := map[uint64]int{} // descriptors of other processes, by inode
		released := func(inode uint64) {
			if f.writable(inode) == 0 && held[inode] == 0 && ts.opens[inode] > 0 {
				ts.opened(inode, -ts.opens[inode])
			}
		}
		known := 0
		pick := func() int {
			fds := make([]int, 0, len(f.fds))
			for fd := range f.fds {
				fds = append(fds, fd)
			}
			slices.Sort(fds)
			return fds[r.IntN(len(fds))]
		}
		check := func(step int, inode uint64) {
			ts.flushed(inode)
			n, all, ok := ts.writable(fakeTid, inode)
			if want := f.writable(inode); ok && (n != want || all != len(f.fds)) {
				t.Fatalf("seed %d, step %d: got %d of %d, want %d of %d", seed, step, n, all, want, len(f.fds))
			}
			if ok {
				known++
			} else {
				ts.remember(fakeTid, len(f.fds))
			}
		}
		for step := range 2000 {
			grow := len(f.fds) < 60 || r.IntN(2) == 0
			switch op := r.IntN(12); {
			case op < 3 && grow: // opens a file, perhaps one that it has open
				inode := uint64(r.IntN(40) + 1)
				ts.opened(inode, 1)
				f.put(ours(inode))
			case op == 3 && grow: // something else: a socket, a file to read, one elsewhere of the same number
				inode := uint64(r.IntN(40) + 1)
				f.put([]lead{{open: true}, {open: true, inode: inode}, {open: true, writable: true, inode: inode}}[r.IntN(3)])
			case op == 4 && grow: // dup
				f.put(f.fds[pick()])
			case op == 5: // dup2
				from, to := pick(), r.IntN(80)
				was := f.fds[to]
				f.fds[to] = f.fds[from]
				if was.certain && from != to {
					check(step, was.inode)
					released(was.inode)
				}
			case op == 6: // a child has copies, and closes some
				inode := f.fds[pick()].inode
				if inode != 0 && f.writable(inode) > 0 {
					held[inode]++
				}
			case op == 7:
				for inode := range uint64(41) {
					if held[inode] > 0 {
						held[inode]--
						ts.flushed(inode)
						released(inode)
						break
					}
				}
			case op == 8 && r.IntN(10) == 0:
				f.shared = !f.shared
			default:
				fd := pick()
				was := f.fds[fd]
				delete(f.fds, fd)
				if was.certain {
					check(step, was.inode)
					released(was.inode)
				}
				if len(f.fds) == 0 {
					f.put(lead{open: true})
				}
			}
		}
		if known < 50 {
			t.Fatalf("seed %d: the table was known %d times, so little was tried", seed, known)
		}
	}
}
