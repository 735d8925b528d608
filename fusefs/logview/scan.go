package logview

import (
	"context"
	"slices"

	"jsfs/store"
)

// item is a message or a run, as a scan found it.
type item struct {
	first, last store.Seq // of a message the same
	size        int64
	dead        bool
}

// stretch is what a segment consists of. Its items may end before it does.
type stretch struct {
	first, last store.Seq
	start, end  int64
	items       []item
}

// placeAt is where an offset points to.
type placeAt struct {
	seq   store.Seq // the message, or the first sequence behind the run
	start int64     // where that begins in the layout
	// into is how far inside of the message the offset is; size is the message's.
	into, size int64
	blank      int64 // newlines until start, if the offset is inside of a run
}

// find tells what is at off. ok is false if that is beyond the end.
func (e *epoch) find(ctx context.Context, off int64) (at placeAt, ok bool, err error) {
	if err := e.reach(ctx); err != nil {
		return placeAt{}, false, err
	}
	at, ok, found := e.findQuick(off)
	if found {
		return at, ok, nil
	}
	s, err := e.stretchAt(ctx, off)
	if err != nil {
		return placeAt{}, false, err
	}
	inRun := false
	if off == s.start {
		before, err := e.stretchAt(ctx, off-1)
		if err != nil {
			return placeAt{}, false, err
		}
		inRun = before.endsDead()
	}
	at = s.find(off, inRun)
	for at.blank > 0 && at.start == s.end && at.start < e.size() { // the run may go on in the next segment
		if s, err = e.stretchAt(ctx, at.start); err != nil {
			return placeAt{}, false, err
		}
		more := s.blank(s.start, 0)
		at.blank += more.start - at.start
		at.seq, at.start = more.seq, more.start
	}
	return at, true, nil
}

// findQuick is find where that needs no scan: at the end, beyond it, and where a segment begins
// that no run can reach into.
func (e *epoch) findQuick(off int64) (at placeAt, ok, found bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if off == 0 && e.l.end == 0 {
		return placeAt{seq: 1}, true, true // what is lost there is told of
	}
	if off >= e.l.end {
		return placeAt{seq: e.l.last + 1, start: off}, off == e.l.end, true
	}
	s := &e.l.segs[e.l.segmentAt(off)]
	if off == s.start && (off == 0 || e.l.segs[e.l.segmentAt(off-1)].dead == 0) {
		return placeAt{seq: s.first, start: off}, true, true
	}
	return placeAt{}, false, false
}

func (e *epoch) size() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.l.end
}

// endsDead says whether the stretch's last byte is one of a run.
func (s *stretch) endsDead() bool {
	for _, it := range slices.Backward(s.items) {
		if it.size > 0 {
			return it.dead
		}
	}
	return true
}

// find tells what is at off, which is in the stretch; inRun is whether the byte before
// the stretch is one of a run.
func (s *stretch) find(off int64, inRun bool) placeAt {
	start := s.start
	for i, it := range s.items {
		into := off - start
		if into < it.size {
			if it.dead && (into > 0 || inRun) {
				return s.blank(off, i)
			}
			return placeAt{seq: it.first, start: start, into: into, size: it.size}
		}
		if start += it.size; it.size > 0 {
			inRun = it.dead
		}
	}
	return s.blank(off, len(s.items))
}

// blank tells what comes behind the runs from off on; the i-th item is the one there.
func (s *stretch) blank(off int64, i int) placeAt {
	start := s.start
	for k, it := range s.items {
		if k >= i && !it.dead {
			return placeAt{seq: it.first, start: start, blank: start - off}
		}
		start += it.size
	}
	return placeAt{seq: s.last + 1, start: s.end, blank: s.end - off}
}

// startOf tells where the message seq begins in the layout. ok is false if it has no place.
func (e *epoch) startOf(ctx context.Context, seq store.Seq) (off int64, ok bool, err error) {
	s, ok, err := e.stretch(ctx, func(l *layout) int { return l.segmentOf(seq) })
	if err != nil || !ok {
		return 0, false, err
	}
	return s.startOf(seq), true, nil
}

// reach brings the layout up to the stream's State as it is now.
func (e *epoch) reach(ctx context.Context) error {
	st, err := e.r.State(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reachLocked(ctx, st.Rev)
}

// stretchAt scans the segment with the byte at off, which is below the layout's end.
func (e *epoch) stretchAt(ctx context.Context, off int64) (stretch, error) {
	s, _, err := e.stretch(ctx, func(l *layout) int { return l.segmentAt(off) })
	return s, err
}

// stretch looks at the segment that which chooses, as it is now; ok is false if it gives -1. It scans the segment
// unless that was done lately, and nothing has changed since.
//
// The scan runs without the lock. Every message of the segment is either met by it,
// or was removed before it got there, so that its removal is counted by a State taken
// after the scan: with the events up to there the two together are the segment. Where both
// have a message it was removed after it was met.
func (e *epoch) stretch(ctx context.Context, which func(*layout) int) (s stretch, ok bool, err error) {
	if err := e.reach(ctx); err != nil {
		return stretch{}, false, err
	}
	for {
		e.mu.Lock()
		i := which(&e.l)
		if i < 0 {
			e.mu.Unlock()
			return stretch{}, false, nil
		}
		if i == len(e.l.segs)-1 {
			e.l.sealed = true
		}
		seg, changes := e.l.segs[i], e.changes.Load()
		s, ok := e.near.get(seg.first, seg.last, changes)
		e.mu.Unlock()
		if ok {
			return s, true, nil
		}

		var live []item
		if seg.dead < seg.bytes {
			if live, err = e.scan(ctx, seg.first, seg.last, seg.count); err != nil {
				return stretch{}, false, err
			}
		}
		if err := e.reach(ctx); err != nil {
			return stretch{}, false, err
		}
		if s, ok := e.combine(seg.first, seg.last, live, changes); ok {
			return s, true, nil
		}
	}
}

// scan collects the live messages from first to last.
func (e *epoch) scan(ctx context.Context, first, last store.Seq, about int) ([]item, error) {
	items := make([]item, 0, about)
	for m, err := range e.r.Scan(ctx, e.within(first, last)) {
		if err != nil {
			return nil, err
		}
		items = append(items, item{m.Seq, m.Seq, e.framing.size(m), false})
	}
	return items, nil
}

// combine puts together what a scan of a segment met and what is known to be gone
// from it. ok is false if there is no such segment any more. changes were those of the epoch before the scan.
func (e *epoch) combine(first, last store.Seq, live []item, changes uint64) (s stretch, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.l.segmentOf(first)
	if i < 0 || e.l.segs[i].first != first || e.l.segs[i].last != last {
		return stretch{}, false
	}
	seg := &e.l.segs[i]
	items := merge(seg.runs, live)
	missing := seg.bytes
	for _, it := range items {
		missing -= it.size
	}
	if missing > 0 {
		if r, ok := firstGap(items, first, last); ok {
			r.bytes, r.rev = missing, e.l.rev
			seg.insert(seg.runAt(r.first), r)
			items = merge(seg.runs, live)
		}
	}
	s = stretch{first: first, last: last, start: seg.start, end: seg.start + seg.bytes, items: items}
	if missing >= 0 && len(items) >= 2*e.l.limits.segment {
		e.l.split(i, items)
	} else if changes == e.changes.Load() {
		e.near.put(s, changes)
	}
	return s, true
}

// merge joins two ordered lists. What a run covers is left out of live.
func merge(runs []run, live []item) []item {
	items := make([]item, 0, len(runs)+len(live))
	for _, r := range runs {
		for len(live) > 0 && live[0].first < r.first {
			items, live = append(items, live[0]), live[1:]
		}
		for len(live) > 0 && live[0].first <= r.last {
			live = live[1:]
		}
		items = append(items, item{r.first, r.last, r.bytes, true})
	}
	return append(items, live...)
}

// firstGap returns the first sequences that no item has: the likeliest place of what
// was removed unseen, since most removals are from the front.
func firstGap(items []item, first, last store.Seq) (run, bool) {
	for _, it := range items {
		if it.first > first {
			return run{first: first, last: it.first - 1}, true
		}
		first = it.last + 1
	}
	return run{first: first, last: last}, first <= last
}

// split cuts a segment that was scanned into smaller ones, so that the next scan there
// is short.
func (l *layout) split(i int, items []item) {
	whole := l.segs[i]
	parts := make([]segment, 0, len(items)/l.limits.segment+1)
	first, start, runs := whole.first, whole.start, whole.runs
	for len(items) > 0 {
		n := min(l.limits.segment, len(items))
		p := segment{first: first, last: items[n-1].last, start: start, count: n}
		if n == len(items) {
			p.last = whole.last
		}
		for _, it := range items[:n] {
			p.bytes += it.size
		}
		if n == len(items) { // what no item explains is the last one's
			p.bytes = whole.start + whole.bytes - start
		}
		k := 0
		for k < len(runs) && runs[k].last <= p.last {
			p.dead += runs[k].bytes
			k++
		}
		p.runs, runs = append(p.runs, runs[:k]...), runs[k:]
		parts = append(parts, p)
		items, first, start = items[n:], p.last+1, start+p.bytes
	}
	segs := make([]segment, 0, len(l.segs)+len(parts))
	segs = append(append(append(segs, l.segs[:i]...), parts...), l.segs[i+1:]...)
	l.segs = segs
}
