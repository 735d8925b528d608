package blockstore_test

import (
	"runtime"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
)

const (
	// heapADelete is how many bytes of the heap a removed message between two live ones may take: for it and the live one
	// behind it there are two bits in the set of what was removed, and two in that of what is kept. The rest is room for what
	// the cache does in between.
	heapADelete = 2
	// heapAtAll is what the heap may grow by besides, as the tail remembers its controls for its footer, and heapOfAWalk what
	// a walk over everything may hold.
	heapAtAll, heapOfAWalk = 1 << 20, 8 << 20
)

// TestTrialInteriorDeletes removes every other message of a stream, some of them one by one, and demands that what is
// remembered of that is small: when they are removed, when what is gone and what is live was listed, and when the store
// is opened again.
func TestTrialInteriorDeletes(t *testing.T) {
	d := &deletesTrial{dir: t.TempDir(), n: rounds(200_000, 10_000_000)}
	s, st := d.open(t)
	d.fill(t, st)
	d.list(t, st, 0) // so that what is kept in memory for who reads is there
	d.before = heapAfterGC()
	d.remove(t, st)
	d.demand(t, "after the removals")
	d.list(t, st, d.n)
	d.demand(t, "after listing them")
	must(t, s.Close())
	s, st = d.open(t)
	d.list(t, st, d.n)
	d.demand(t, "after opening the store again")
	must(t, s.Close())
}

type deletesTrial struct {
	dir    string
	n      int    // messages that are to be removed: every other one
	before uint64 // what the heap was before
}

func (d *deletesTrial) open(t *testing.T) (store.Store, store.Stream) {
	t.Helper()
	s, err := blockstore.OpenDir(d.dir, blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 1 << 20})
	must(t, err)
	st, err := s.Stream(bg, "S")
	if err != nil {
		st, err = s.Create(bg, store.Config{Name: "S"})
	}
	must(t, err)
	return s, st
}

// fill stores the messages, and one more, so that each of those that are to be removed is between two live ones.
func (d *deletesTrial) fill(t *testing.T, st store.Stream) {
	t.Helper()
	es := make([]store.Entry, 1000)
	for i := range es {
		es[i] = store.Entry{Subject: "s", Data: []byte("0123456789\n")}
	}
	for left := 2*d.n + 1; left > 0; left -= len(es) {
		es = es[:min(left, len(es))]
		_, err := st.AppendAll(bg, es)
		must(t, err)
	}
}

// remove removes the messages 2, 4, 6 and so on: a tenth of them by itself each, the others a thousand at once.
func (d *deletesTrial) remove(t *testing.T, st store.Stream) {
	t.Helper()
	alone := d.n / 10
	for i := range alone {
		ok, err := st.Remove(bg, store.Seq(2*i+2)) //nolint:gosec // small
		must(t, err)
		if !ok {
			t.Fatalf("message %d was removed before", 2*i+2)
		}
	}
	var some []store.Range
	for i := alone; i < d.n; i++ {
		seq := store.Seq(2*i + 2) //nolint:gosec // small
		if some = append(some, store.Range{First: seq, Last: seq}); len(some) < 1000 && i < d.n-1 {
			continue
		}
		n, err := st.RemoveAll(bg, some)
		must(t, err)
		if n != int64(len(some)) {
			t.Fatalf("%d messages up to %d were removed, want %d", n, seq, len(some))
		}
		some = some[:0]
	}
}

// demand compares the heap with what it was.
func (d *deletesTrial) demand(t *testing.T, when string) {
	t.Helper()
	grown := int64(heapAfterGC()) - int64(d.before) //nolint:gosec // small
	t.Logf("%s: %d deletes take %.2f B each, %d KiB in all", when, d.n, float64(grown)/float64(d.n), grown>>10)
	if grown > int64(heapADelete*d.n+heapAtAll) {
		t.Errorf("%s the heap has grown by %d bytes for %d deletes", when, grown, d.n)
	}
}

// list walks what is gone, so many messages, and what is live, and looks at the heap meanwhile.
func (d *deletesTrial) list(t *testing.T, st store.Stream, gone int) {
	t.Helper()
	start, gaps, live, peak := time.Now(), 0, 0, uint64(0)
	look := func(n int) {
		if n%(d.n/10) == 0 {
			peak = max(peak, heapAfterGC())
		}
	}
	for g, err := range st.Gaps(bg, store.Query{}) {
		must(t, err)
		if gaps++; g.First != g.Last || g.First != store.Seq(2*gaps) || g.Cause != store.CauseRemoved { //nolint:gosec // small
			t.Fatalf("gap %d is %+v", gaps, g)
		}
		look(gaps)
	}
	for m, err := range st.Scan(bg, store.Query{}) {
		must(t, err)
		if live++; gone > 0 && m.Seq != store.Seq(2*live-1) { //nolint:gosec // small
			t.Fatalf("live message %d is %d", live, m.Seq)
		}
		look(live)
	}
	state, err := st.State(bg)
	must(t, err)
	if state.Deleted != uint64(gone) || gaps != gone || live != 2*d.n+1-gone { //nolint:gosec // small
		t.Errorf("%d gaps and %d live messages for %d that are gone, state %+v", gaps, live, gone, state)
	}
	t.Logf("listed in %v, with a heap of %d MiB at most", time.Since(start).Round(time.Millisecond), peak>>20)
	if d.before > 0 && int64(peak)-int64(d.before) > int64(heapADelete*d.n+heapAtAll+heapOfAWalk) { //nolint:gosec // small
		t.Errorf("listing took a heap of %d bytes, %d before", peak, d.before)
	}
}

func heapAfterGC() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
