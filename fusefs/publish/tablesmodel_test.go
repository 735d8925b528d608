package publish

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What is seen while others change the table is not remembered if it may have changed since.
func TestTablesRememberNothingThatChangesMeanwhile(t *testing.T) {
	f, ts := newFakeTable()
	for i := range 1000 {
		ts.opened(uint64(i+1), 1)
		f.put(ours(uint64(i + 1)))
	}
	closing(f, ts, 3)
	f.busy = true
	next := 900
	f.meanwhile = func() { // what was looked at, and what will be, becomes a copy of another file
		if next++; next < 950 {
			for _, fd := range []int{next, next - 500} {
				was := f.fds[fd].inode
				f.fds[fd] = ours(800)
				ts.flushed(was, 0)
			}
		}
	}
	closing(f, ts, 4)
	f.busy = false
	want := f.writable(800) - 1
	var fd int
	for fd = range f.fds {
		if f.fds[fd].inode == 800 {
			break
		}
	}
	if n, ok := closing(f, ts, fd); n != want || !ok {
		t.Errorf("got %d descriptors left, %v; want %d", n, ok, want)
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
			if f.writable(inode) == 0 && held[inode] == 0 && ts.opens[inode] > 0 && !slices.ContainsFunc(f.closing, func(c *closingFile) bool { return c.inode == inode }) {
				ts.opened(inode, -ts.opens[inode])
			}
		}
		known, unrest := 0, 0
		touched := map[int]bool{} // descriptors that another thread replaced while the table was looked at
		pick := func() int {
			fds := make([]int, 0, len(f.fds))
			for fd := range f.fds {
				fds = append(fds, fd)
			}
			slices.Sort(fds)
			return fds[r.IntN(len(fds))]
		}
		come := func() { // the FLUSH of what another thread closes
			inode := f.closing[0].inode
			f.closing = f.closing[1:]
			ts.flushed(inode, 0)
			released(inode)
		}
		other := func() { // another thread puts a copy in the place of another file
			from, to := pick(), r.IntN(80)
			if was := f.fds[to]; was.certain && from != to {
				f.fds[to], touched[to] = f.fds[from], true
				f.closing = append(f.closing, &closingFile{inode: was.inode})
			}
		}
		f.meanwhile = func() {
			switch {
			case r.IntN(20) == 0:
				other()
			case r.IntN(20) == 0 && len(f.closing) > 0:
				come()
			}
		}
		check := func(step int, inode uint64) {
			ts.flushed(inode, fakeTid)
			still := !f.busy && len(f.closing) == 0
			clear(touched)
			n, all, ok := ts.writable(fakeTid, inode)
			want := f.writable(inode)
			if still && ok && (n != want || all != len(f.fds)) {
				t.Fatalf("seed %d, step %d: got %d of %d, want %d of %d", seed, step, n, all, want, len(f.fds))
			}
			want = 0
			for fd, l := range f.fds {
				if l.writable && l.inode == inode && !touched[fd] {
					want++
				}
			}
			if ok && n < want {
				t.Fatalf("seed %d, step %d: got %d while others change the table, want the %d that are there all the time", seed, step, n, want)
			}
			if ok && !still {
				unrest++
			}
			ts.answered(fakeTid)
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
						ts.flushed(inode, 0)
						released(inode)
						break
					}
				}
			case op == 8 && r.IntN(10) == 0:
				f.busy = !f.busy
			case op == 9 && grow && r.IntN(4) == 0:
				other()
			case op == 10 && len(f.closing) > 0:
				come()
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
		if known < 50 || unrest < 20 {
			t.Fatalf("seed %d: the table was known %d times, %d of them while others changed it, so little was tried", seed, known, unrest)
		}
	}
}
