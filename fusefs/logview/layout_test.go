package logview

import (
	"math/rand/v2"
	"slices"
	"testing"

	"jsfs/store"
)

// streamOf is a layout of n messages of 10 bytes that were stored while the log was open.
func streamOf(n int) *layout {
	l := newLayout(defaultLimits, Payloads, nil, store.State{})
	for seq := range store.Seq(n) {
		l.rev++
		l.place(seq+1, 10)
		l.tidy()
	}
	return &l
}

func (l *layout) runCount() int {
	n := 0
	for _, s := range l.segs {
		n += len(s.runs)
	}
	return n
}

// check fails the test unless segments cover the layout without a gap.
func (l *layout) check(t *testing.T) {
	t.Helper()
	var end int64
	var last store.Seq
	for i, s := range l.segs {
		var dead int64
		for j, r := range s.runs {
			dead += r.bytes
			if r.first > r.last || r.first < s.first || r.last > s.last || j > 0 && r.first <= s.runs[j-1].last {
				t.Fatalf("segment %d, from %d to %d, has run %d from %d to %d", i, s.first, s.last, j, r.first, r.last)
			}
		}
		if s.start != end || s.first != last+1 || dead != s.dead || s.dead > s.bytes {
			t.Fatalf("segment %d is %+v, behind %d bytes and sequence %d", i, s, end, last)
		}
		end, last = s.start+s.bytes, s.last
	}
	if end != l.end {
		t.Fatalf("the segments end at %d, the layout at %d", end, l.end)
	}
}

func TestMemoryDoesNotGrowWithMessages(t *testing.T) {
	const n = 300_000
	for _, c := range []struct {
		name       string
		order      func() []int
		segs, runs int // at most
	}{
		{"nothing is removed", func() []int { return nil }, n/1024 + 2, 0},
		{"all are removed from the front", func() []int { return count(n) }, 8, 3 * 1024},
		{"all are removed from the back", func() []int { all := count(n); slices.Reverse(all); return all }, 8, 3 * 1024},
		{"all are removed at random", func() []int { return rand.New(rand.NewPCG(1, 2)).Perm(n) }, n/1024 + 2, 3 * 1024},
		{"the first half is removed", func() []int { return count(n / 2) }, n/2048 + 8, 3 * 1024},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := streamOf(n)
			for _, i := range c.order() {
				l.rev++
				l.remove(store.Seq(i+1), 10)
				l.tidy()
			}
			l.check(t)
			if l.end != n*10 {
				t.Errorf("the layout has %d bytes, want %d", l.end, n*10)
			}
			if len(l.segs) > c.segs || l.runCount() > c.runs {
				t.Errorf("%d segments and %d runs, want at most %d and %d", len(l.segs), l.runCount(), c.segs, c.runs)
			}
		})
	}
}

// TestAStreamThatIsKeptShortTakesLittleMemory removes from the front what is appended at the back, the
// way retention does for as long as somebody follows the log.
func TestAStreamThatIsKeptShortTakesLittleMemory(t *testing.T) {
	l := newLayout(defaultLimits, Payloads, nil, store.State{})
	for seq := store.Seq(1); seq <= 1_000_000; seq++ {
		l.rev++
		l.place(seq, 10)
		if seq > 5000 {
			l.rev++
			l.remove(seq-5000, 10)
		}
		l.tidy()
	}
	l.check(t)
	if len(l.segs) > 20 || l.runCount() > 4*1024 {
		t.Errorf("%d segments and %d runs", len(l.segs), l.runCount())
	}
}

func count(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
