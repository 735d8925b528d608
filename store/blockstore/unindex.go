package blockstore

import (
	"iter"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
	"jsfs/store/internal/record"
)

// fewRemoved is how many messages' subjects are read one by one; for more the block's table is gone through.
const fewRemoved = 16

// unindex tells the subject index that messages of v are gone: the runs from lo to before hi, which are
// marked and published. The caller holds wmu.
func (s *Stream) unindex(v *view, runs iter.Seq2[int, int]) {
	x := &s.subjects
	if !x.listening() {
		return
	}
	n := 0
	for lo, hi := range runs {
		n += hi - lo
	}
	if x.unindexTail(v, runs) {
		return
	}
	if n > fewRemoved || s.anyLarge(v, runs) {
		s.unindexMany(v, runs)
		return
	}
	changes := make([]subjectChange, 0, n)
	for lo, hi := range runs {
		for i := lo; i < hi; i++ {
			m, err := s.load(v, i, nil)
			if err != nil { // its subject can't be trusted
				x.drop()
				return
			}
			changes = append(changes, subjectChange{subjectSeq{m.Subject, uint64(m.Seq)}, store.Deleted, nil})
		}
	}
	x.tell(changes...)
}

// unindexOn is unindex for all of a removal whose messages are on one subject. It says whether they are few enough.
func (r *removal) unindexOn() bool {
	if r.n == 0 {
		return true
	}
	x := &r.s.subjects
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.ready:
		last := &r.groups[len(r.groups)-1]
		id, ok := x.subs.Find(r.subject)
		if !ok || !x.subs.Less(id, uint64(r.n), r.groups[0].First, last.First+last.Count-1) {
			x.dropLocked() // it contradicts the blocks
		}
	case x.open: // who makes it has to be told of each
		if len(x.news)+int(r.n) > maxTold {
			return false
		}
		for i := range r.groups {
			for first, n := range r.groups[i].Runs() {
				for k := range n {
					x.news = append(x.news, subjectChange{subjectSeq{r.subject, first + k}, store.Deleted, nil})
				}
			}
		}
	}
	return true
}

// anyLarge says whether reading the messages would take more than a few reads of a block's pages.
func (s *Stream) anyLarge(v *view, runs iter.Seq2[int, int]) bool {
	for lo, hi := range runs {
		off, _, err := s.extent(v, lo)
		_, end, err2 := s.extent(v, hi-1)
		if err != nil || err2 != nil || end-off > int64(hi-lo)*smallGap {
			return true
		}
	}
	return false
}

// unindexTail takes messages out whose subjects the index knows, and says whether it does.
func (x *subjectIndex) unindexTail(v *view, runs iter.Seq2[int, int]) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready || x.tail != v.block {
		return false
	}
	for lo, hi := range runs {
		for i := lo; i < hi; i++ {
			if i >= len(x.ids) || x.ids[i] == noSubject {
				continue // it is not counted
			}
			x.subs.Less(x.ids[i], 1, v.seqOf(i), v.seqOf(i))
		}
	}
	return true
}

// unindexMany takes messages out by way of the block's table.
func (s *Stream) unindexMany(v *view, runs iter.Seq2[int, int]) {
	x := &s.subjects
	if !x.isReady() { // who is making the index would have to be told of each
		x.drop()
		return
	}
	t, err := s.tableOf(v)
	if err != nil {
		x.drop()
		return
	}
	gone := new(bitset).grown(v.count)
	for lo, hi := range runs {
		for i := lo; i < hi; i++ {
			gone.words[i/64].Or(1 << (i % 64))
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	var places []uint32
	for e := range t.Prefixed("") {
		n, first, last := uint64(0), 0, 0
		places = e.Places(places[:0])
		for _, p := range places {
			if i := int(p); gone.get(i) {
				if n++; n == 1 {
					first = i
				}
				last = i
			}
		}
		if n > 0 && !x.take(v, e, n, first, last) {
			x.dropLocked()
			return
		}
	}
}

// take takes n messages of v out that are on one subject, and says whether they were counted.
func (x *subjectIndex) take(v *view, e *record.SubjectEntry, n uint64, first, last int) bool {
	id, ok := x.subs.Find(subjects.StringOf(e.Name))
	return ok && x.subs.Less(id, n, v.seqOf(first), v.seqOf(last))
}
