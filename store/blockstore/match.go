package blockstore

import (
	"slices"

	"jsfs/store/blockstore/internal/subjects"
	"jsfs/store/internal/record"
)

// matcher finds the messages of one block that match a filter: those of a sealed block by its table,
// those of the tail by the index, which knows the subject of each.
type matcher struct {
	s *Stream
	v view
	f *subjects.Filter
	// places are all that match, if listed; else every message does, or the tail's subjects say so:
	// those of its messages that are in ids, with their numbers in subs.
	listed bool
	places []uint32
	// entry is what the block has on one subject, where that is little; places are read from it when its bounds don't tell.
	entry  record.SubjectEntry
	bound  bool
	ids    []uint32
	subs   *subjects.Map // shared with the index: only to be read with its mu held
	single bool          // f is about one subject: then
	one    oneInTail     // finds its messages in ids
}

// matcher returns the matcher for f in block v.
func (s *Stream) matcher(v view, f *subjects.Filter) (matcher, error) {
	m := matcher{s: s, v: v, f: f}
	if f.All || v.known && m.knowsTail() {
		return m, nil
	}
	m.listed = true
	if !v.known {
		err := m.fromTable()
		return m, err
	}
	// A view of a tail that is none any more, or an index that was dropped.
	t, err := s.scanTable(&v)
	if err != nil {
		return m, err
	}
	for e := range t.matching(f) {
		m.places = e.Places(m.places)
	}
	slices.Sort(m.places)
	return m, nil
}

// likelyBlocks is how many blocks are looked at together.
const likelyBlocks = 64

// likely says which of the next blocks from the lo-th to before the hi-th, likelyBlocks at most, may have what matches f, as far as the
// tables tell that are in memory: bit k is about block lo+k. To look at many at once takes little more than to look at one, as
// the processor waits for their memory together.
func (n *snapshot) likely(f *subjects.Filter, lo, hi int) (bits uint64) {
	name, one := f.Literal()
	if !one {
		return ^uint64(0)
	}
	hash := record.NameHash(name)
	for k, b := range n.blocks[lo:min(hi, lo+likelyBlocks)] {
		t := b.table.Load()
		if t == nil || t.May(hash) {
			bits |= 1 << k
		} else if !t.used.Load() {
			t.used.Store(true)
		}
	}
	return bits
}

// fromTable finds what matches in the table of a sealed block.
func (m *matcher) fromTable() error {
	t, err := m.s.tableOf(&m.v)
	if err != nil {
		return err
	}
	if k := t.memo.Load(); k != nil && k.key == m.f.Key {
		m.places = k.places
		return nil
	}
	if name, one := m.f.Literal(); one {
		e, ok := t.Find(name)
		if !ok || e.Count < memoFrom {
			m.entry, m.bound = e, ok
			return nil
		}
	}
	m.places = m.s.placesIn(t, m.f)
	return nil
}

// list reads the places of the one subject.
func (m *matcher) list() {
	m.places, m.bound = m.entry.Places(nil), false
}

// knowsTail takes the subjects of the tail's messages from the index, and says whether it has them. What was taken stays
// right: in one map a subject keeps its number.
func (m *matcher) knowsTail() bool {
	x := &m.s.subjects
	x.mu.RLock()
	defer x.mu.RUnlock()
	if !x.ready || x.tail != m.v.block || len(x.ids) < m.v.count {
		return false
	}
	m.subs, m.ids = x.subs, x.ids[:m.v.count]
	if name, one := m.f.Literal(); one {
		m.single, m.one = true, x.oneInTail(name, m.v.count)
	}
	return true
}

// next returns the first live message from i on that matches, or the view's count.
func (m *matcher) next(i int) int {
	switch {
	case m.f.All:
		return m.v.nextLive(i)
	case m.bound && i <= int(m.entry.First) && !m.v.isDeleted(int(m.entry.First)):
		return int(m.entry.First)
	case m.bound && i > int(m.entry.Last):
		return m.v.count
	case m.listed:
		if m.bound {
			m.list()
		}
		k, _ := slices.BinarySearch(m.places, uint32(i))
		for ; k < len(m.places); k++ {
			if p := int(m.places[k]); p < m.v.count && !m.v.isDeleted(p) {
				return p
			}
		}
		return m.v.count
	}
	return m.nextInTail(i)
}

// prev returns the last live message up to i that matches, or -1.
func (m *matcher) prev(i int) int {
	switch {
	case m.f.All:
		return m.v.prevLive(min(i, m.v.count-1))
	case m.bound && i >= int(m.entry.Last) && !m.v.isDeleted(int(m.entry.Last)):
		return int(m.entry.Last)
	case m.bound && i < int(m.entry.First):
		return -1
	case m.listed:
		if m.bound {
			m.list()
		}
		k, exact := slices.BinarySearch(m.places, uint32(i))
		if !exact {
			k--
		}
		for ; k >= 0; k-- {
			if p := int(m.places[k]); !m.v.isDeleted(p) {
				return p
			}
		}
		return -1
	}
	return m.prevInTail(i)
}

// count returns how many live messages from i to before end match.
func (m *matcher) count(i, end int) uint64 {
	n := uint64(0)
	switch {
	case m.f.All:
		return uint64(max(0, end-i)) - m.v.deletedIn(i, end)
	case m.single:
		return m.one.count(m, i, end)
	}
	for i = m.next(i); i < end; i = m.next(i + 1) {
		n++
	}
	return n
}

// lookBatch is how many messages of the tail are looked at while the index is locked.
const lookBatch = 4096

// nextInTail is next where the index knows the subjects.
func (m *matcher) nextInTail(i int) int {
	if m.single {
		return m.one.next(m, i)
	}
	for i < len(m.ids) {
		end := min(i+lookBatch, len(m.ids))
		if i = m.look(i, end, 1); i < end {
			return i
		}
	}
	return m.v.count
}

// prevInTail is prev where the index knows the subjects.
func (m *matcher) prevInTail(i int) int {
	i = min(i, len(m.ids)-1)
	if m.single {
		return m.one.prev(m, i)
	}
	for i >= 0 {
		end := max(i-lookBatch, -1)
		if i = m.look(i, end, -1); i > end {
			return i
		}
	}
	return -1
}

// look goes from i towards end to the first live message that matches, or to end.
func (m *matcher) look(i, end, step int) int {
	m.s.subjects.mu.RLock()
	defer m.s.subjects.mu.RUnlock()
	for ; i != end; i += step {
		if id := m.ids[i]; id != noSubject && !m.v.isDeleted(i) && m.f.Matches(m.subs.Name(id)) {
			break
		}
	}
	return i
}
