package logview

import (
	"sort"

	"jsfs/store"
)

// limits bound a layout's memory.
type limits struct {
	// segment is how many messages a segment has, about: so many are scanned to find one.
	segment int
	// fresh is for how many changes a removed message keeps a run of its own, so that
	// its place is known if it comes back.
	fresh int
}

var defaultLimits = limits{segment: 1024, fresh: 1024}

// layout says where in the log each message is. Sequences and bytes are both covered
// without a gap by segments; inside of one, a scan of the stream and the runs
// tell the places.
type layout struct {
	limits  limits
	framing Framing

	segs []segment
	end  int64     // the size
	last store.Seq // the highest sequence that has a place
	rev  uint64    // all events up to this one are in
	// sealed says that the last segment takes no more messages.
	sealed bool
	// churn counts removals and new segments since the last tidy.
	churn int
}

// segment is a stretch of the log.
type segment struct {
	first, last  store.Seq
	start, bytes int64
	count        int // messages that have, or had, a place in it; 0 if all are gone
	dead         int64
	runs         []run // in order of sequence; dead is the sum of their bytes
	crowded      int   // how many runs it may have before they are joined
}

// run is messages without one that is shown between them, which take up bytes and are not there.
type run struct {
	first, last store.Seq
	// bytes is 0 for a message that is live and has no place: it came back after it
	// was removed before the epoch.
	bytes int64
	rev   uint64 // of the last removal in it
}

func newLayout(lim limits, f Framing, extents []store.Extent, st store.State) layout {
	l := layout{limits: lim, framing: f, rev: st.Rev, sealed: true}
	for _, x := range extents {
		if x.Live.Messages > 0 {
			l.add(segment{first: l.last + 1, last: x.Last, bytes: f.total(x.Live), count: int(x.Live.Messages)})
		}
	}
	l.last = st.Last
	return l
}

// add appends a segment.
func (l *layout) add(s segment) {
	s.start = l.end
	l.segs = append(l.segs, s)
	l.end += s.bytes
	l.last = s.last
	l.churn++
}

// place gives a new message the place at the end.
func (l *layout) place(seq store.Seq, size int64) {
	if seq <= l.last {
		return
	}
	if n := len(l.segs); n > 0 && !l.sealed && l.segs[n-1].count < l.limits.segment {
		s := &l.segs[n-1]
		s.last, s.bytes, s.count = seq, s.bytes+size, s.count+1
		l.last, l.end = seq, l.end+size
		return
	}
	l.sealed = false
	l.add(segment{first: l.last + 1, last: seq, bytes: size, count: 1})
}

// segmentOf returns the index of the segment that covers seq, or -1.
func (l *layout) segmentOf(seq store.Seq) int {
	i := sort.Search(len(l.segs), func(i int) bool { return l.segs[i].last >= seq })
	if i == len(l.segs) || l.segs[i].first > seq {
		return -1
	}
	return i
}

// segmentAt returns the index of the segment with the byte at off, which is below end.
func (l *layout) segmentAt(off int64) int {
	return sort.Search(len(l.segs), func(i int) bool { return l.segs[i].start+l.segs[i].bytes > off })
}

// remove turns a message into a run.
func (l *layout) remove(seq store.Seq, size int64) {
	i := l.segmentOf(seq)
	if i < 0 {
		return
	}
	s := &l.segs[i]
	at := s.runAt(seq)
	if at < len(s.runs) && s.runs[at].first <= seq {
		return // it had no place, or was in a run and came back too late for its place
	}
	s.insert(at, run{seq, seq, size, l.rev})
	l.churn++
	if len(s.runs) > max(s.crowded, 64) {
		s.join(l.staleAt())
		s.crowded = 2 * len(s.runs)
	}
}

// bringBack undoes remove, if the message's place is still known; else it hides the message.
func (l *layout) bringBack(seq store.Seq) {
	i := l.segmentOf(seq)
	if i < 0 {
		return
	}
	s := &l.segs[i]
	at := s.runAt(seq)
	switch {
	case at == len(s.runs) || s.runs[at].first > seq:
		s.insert(at, run{seq, seq, 0, l.rev})
	case s.runs[at].first == seq && s.runs[at].last == seq && s.runs[at].bytes > 0:
		s.dead -= s.runs[at].bytes
		s.runs = append(s.runs[:at], s.runs[at+1:]...)
	}
}

// isHidden says whether a message, though it may be live, is not shown.
func (l *layout) isHidden(seq store.Seq) bool {
	i := l.segmentOf(seq)
	if i < 0 {
		return seq <= l.last
	}
	s := &l.segs[i]
	at := s.runAt(seq)
	return at < len(s.runs) && s.runs[at].first <= seq
}

// anyRun says whether a run touches the sequences from first to last.
func (l *layout) anyRun(first, last store.Seq) bool {
	for i := l.from(first); i < len(l.segs) && l.segs[i].first <= last; i++ {
		s := &l.segs[i]
		if at := s.runAt(first); at < len(s.runs) && s.runs[at].first <= last {
			return true
		}
	}
	return false
}

// deadBytes returns how many bytes runs take up between first and last. ok is false
// if a run reaches out of them, so that it can't be told.
func (l *layout) deadBytes(first, last store.Seq) (n int64, ok bool) {
	for i := l.from(first); i < len(l.segs) && l.segs[i].first <= last; i++ {
		s := &l.segs[i]
		if s.first >= first && s.last <= last && len(s.runs) > 0 {
			n += s.dead
			continue
		}
		for at := s.runAt(first); at < len(s.runs) && s.runs[at].first <= last; at++ {
			if s.runs[at].first < first || s.runs[at].last > last {
				return 0, false
			}
			n += s.runs[at].bytes
		}
	}
	return n, true
}

// from returns the index of the first segment that reaches up to seq.
func (l *layout) from(seq store.Seq) int {
	return sort.Search(len(l.segs), func(i int) bool { return l.segs[i].last >= seq })
}

// extend brings the layout up to a State after events were lost. size is what it must
// come to. Messages that were stored and removed unseen are counted to the first new segment.
func (l *layout) extend(extents []store.Extent, st store.State, size int64) {
	l.rev, l.sealed = max(l.rev, st.Rev), true
	missing := size - l.end
	var news []segment
	for _, x := range extents {
		if x.Last <= l.last {
			continue
		}
		s := segment{last: x.Last, bytes: l.framing.total(x.Live), count: int(x.Live.Messages)}
		if x.First <= l.last { // it is partly placed: its share is what the others leave over
			s.bytes = 0
		}
		news = append(news, s)
		missing -= s.bytes
	}
	if len(news) == 0 && st.Last > l.last {
		news = append(news, segment{last: st.Last})
	}
	for i, s := range news {
		if s.first = l.last + 1; i == 0 {
			s.bytes += max(missing, 0)
		}
		l.add(s)
	}
	l.last = max(l.last, st.Last)
}
