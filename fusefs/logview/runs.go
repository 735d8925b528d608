package logview

import (
	"slices"
	"sort"

	"jsfs/store"
)

// runAt returns the index of the first run that ends at or above seq: the one that
// covers seq, if any does.
func (s *segment) runAt(seq store.Seq) int {
	return sort.Search(len(s.runs), func(i int) bool { return s.runs[i].last >= seq })
}

func (s *segment) insert(at int, r run) {
	s.runs = slices.Insert(s.runs, at, r)
	s.dead += r.bytes
}

// join makes one run of those that follow each other without a sequence between and
// are stale, which is a removal at rev or before. If nothing is left of the segment one run covers it.
func (s *segment) join(rev uint64) {
	if len(s.runs) == 0 {
		return
	}
	stale := func(r run) bool { return r.rev <= rev }
	if s.dead == s.bytes && !slices.ContainsFunc(s.runs, func(r run) bool { return !stale(r) }) {
		s.runs = append(s.runs[:0:0], run{s.first, s.last, s.bytes, 0})
		s.count, s.crowded = 0, 0
		return
	}
	out := s.runs[:1]
	for _, r := range s.runs[1:] {
		p := &out[len(out)-1]
		if p.last+1 == r.first && stale(*p) && stale(r) {
			p.last, p.bytes, p.rev = r.last, p.bytes+r.bytes, max(p.rev, r.rev)
			continue
		}
		out = append(out, r)
	}
	s.runs = slices.Clip(out)
}

// staleAt is the rev up to which a removed message need not have a run of its own.
func (l *layout) staleAt() uint64 { return l.rev - min(l.rev, uint64(l.limits.fresh)) }

// tidy joins runs, and segments that are small or gone with their neighbours, once
// enough has changed for it to be worth a walk over all of them.
func (l *layout) tidy() {
	if l.churn < l.limits.fresh+len(l.segs) {
		return
	}
	l.churn = 0
	out := l.segs[:0]
	for _, s := range l.segs {
		s.join(l.staleAt())
		if n := len(out); n > 0 && out[n-1].count+s.count <= l.limits.segment {
			out[n-1].absorb(s)
			out[n-1].join(l.staleAt())
			continue
		}
		out = append(out, s)
	}
	clear(l.segs[len(out):])
	l.segs = out
}

// absorb makes one segment of s and the one behind it.
func (s *segment) absorb(next segment) {
	s.last, s.bytes, s.dead, s.count = next.last, s.bytes+next.bytes, s.dead+next.dead, s.count+next.count
	s.runs = append(s.runs, next.runs...)
}
