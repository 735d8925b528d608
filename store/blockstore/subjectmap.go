package blockstore

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sort"
	"strings"
	"unsafe"
)

// subjectMap is a set of subjects and what is known of each. A subject has a number, from 0 in the order of
// coming, which stays. It takes about 55 bytes a subject besides the name, none of them a pointer, and
// locks nothing.
type subjectMap struct {
	seed  maphash.Seed
	slots []uint32    // number + 1 of the subject whose hash begins its search there; a power of two
	pages [][]subject // by number, pageSubjects in each
	n     int
	live  int // that have a live message
	names nameArena
	order []uint32 // the numbers below len(order), by name
}

// subject is what is known of one. Without live messages all is 0 but name, hash and tokens.
type subject struct {
	name        uint64 // where it stands in the arena
	count       uint64 // live messages
	first, last uint64 // bounds of their sequences, exact unless stale says otherwise
	hash        uint32
	tokens      uint16
	stale       uint8
}

// What of a subject's bounds is only a bound, as the message that had it was removed.
const (
	staleFirst uint8 = 1 << iota
	staleLast
)

const pageSubjects = 1024

func newSubjectMap() *subjectMap {
	return &subjectMap{seed: maphash.MakeSeed(), slots: make([]uint32, 64)}
}

// at returns subject number id. It moves never.
func (m *subjectMap) at(id uint32) *subject { return &m.pages[id/pageSubjects][id%pageSubjects] }

// name returns the name of subject number id. Nobody changes it, so it may be kept.
func (m *subjectMap) name(id uint32) string { return m.nameOf(m.at(id)) }

// nameOf is name of a subject that at returned.
func (m *subjectMap) nameOf(e *subject) string { return m.names.get(e.name) }

// find returns the number of a subject.
func (m *subjectMap) find(name string) (uint32, bool) {
	h := uint32(maphash.String(m.seed, name))
	for i := h; ; i++ {
		slot := m.slots[i&uint32(len(m.slots)-1)]
		if slot == 0 {
			return 0, false
		}
		if e := m.at(slot - 1); e.hash == h && m.names.get(e.name) == name {
			return slot - 1, true
		}
	}
}

// add returns the number of a subject, which it gets if it has none. The name is copied.
func (m *subjectMap) add(name string) uint32 {
	if id, ok := m.find(name); ok {
		return id
	}
	if m.n*4 >= len(m.slots)*3 {
		m.grow()
	}
	if m.n%pageSubjects == 0 {
		m.pages = append(m.pages, make([]subject, pageSubjects))
	}
	id := uint32(m.n)
	m.n++
	e := m.at(id)
	e.name, e.hash, e.tokens = m.names.add(name), uint32(maphash.String(m.seed, name)), uint16(strings.Count(name, ".")+1)
	m.place(id)
	return id
}

func (m *subjectMap) place(id uint32) {
	i := m.at(id).hash
	for m.slots[i&uint32(len(m.slots)-1)] != 0 {
		i++
	}
	m.slots[i&uint32(len(m.slots)-1)] = id + 1
}

func (m *subjectMap) grow() {
	m.slots = make([]uint32, 2*len(m.slots))
	for id := range uint32(m.n) {
		m.place(id)
	}
}

// stored counts in a message that became live.
func (m *subjectMap) stored(id uint32, seq uint64) { m.count(id, 1, seq, seq) }

// count counts in n messages that became live; first and last are the outermost of them.
func (m *subjectMap) count(id uint32, n, first, last uint64) {
	e := m.at(id)
	if e.count == 0 {
		m.live++
		e.first, e.last, e.stale = first, last, 0
	}
	if first <= e.first {
		e.first = first
		e.stale &^= staleFirst
	}
	if last >= e.last {
		e.last = last
		e.stale &^= staleLast
	}
	e.count += n
}

// removed takes a message out that is live no more. It says whether it was counted.
func (m *subjectMap) removed(name string, seq uint64) bool {
	id, ok := m.find(name)
	return ok && m.less(id, 1, seq, seq)
}

// less takes n messages out that are live no more; first and last are the outermost of them. It says whether
// they were counted.
func (m *subjectMap) less(id uint32, n, first, last uint64) bool {
	e := m.at(id)
	if e.count < n {
		return false
	}
	if e.count -= n; e.count == 0 {
		m.live--
		e.first, e.last, e.stale = 0, 0, 0
		return true
	}
	if first <= e.first {
		e.stale |= staleFirst
	}
	if last >= e.last {
		e.stale |= staleLast
	}
	if e.count > 1 {
		return true
	}
	switch e.stale { // of one message, one bound that is known is both
	case staleFirst:
		e.first, e.stale = e.last, 0
	case staleLast:
		e.last, e.stale = e.first, 0
	}
	return true
}

// sort brings the subjects that are new into order.
func (m *subjectMap) sort() {
	old := len(m.order)
	if old == m.n {
		return
	}
	fresh := sortNames(old, m.n, m.name)
	m.order = slices.Grow(m.order, len(fresh))[:m.n]
	for end, hi := m.n, old; len(fresh) > 0; { // merge from behind
		id := fresh[len(fresh)-1]
		at := m.search(m.order[:hi], m.name(id))
		end -= hi - at
		copy(m.order[end:], m.order[at:hi])
		end--
		m.order[end], hi, fresh = id, at, fresh[:len(fresh)-1]
	}
}

// search returns the place in order of the first subject that is not below name.
func (m *subjectMap) search(order []uint32, name string) int {
	return sort.Search(len(order), func(i int) bool { return m.name(order[i]) >= name })
}

// compacted returns a map of the subjects that have a live message, in the order of their names.
func (m *subjectMap) compacted() *subjectMap {
	m.sort()
	c := &subjectMap{seed: m.seed, slots: make([]uint32, max(64, 1<<bits.Len(uint(m.live*4/3+1))))}
	for _, id := range m.order {
		e := m.at(id)
		if e.count == 0 {
			continue
		}
		to := c.at(c.add(m.name(id)))
		to.count, to.first, to.last, to.stale = e.count, e.first, e.last, e.stale
		c.live++
	}
	c.sort()
	return c
}

// nameArena holds names one behind the other. What it gave out stays where it is.
type nameArena struct{ chunks [][]byte }

const (
	nameChunkSize = 64 << 10
	nameLenBits   = 13 // a subject has at most 4096 bytes
)

// add copies a name, and returns where it is.
func (a *nameArena) add(name string) uint64 {
	k := len(a.chunks) - 1
	if k < 0 || len(a.chunks[k])+len(name) > nameChunkSize {
		a.chunks = append(a.chunks, make([]byte, 0, nameChunkSize))
		k++
	}
	at := k*nameChunkSize + len(a.chunks[k])
	a.chunks[k] = append(a.chunks[k], name...)
	return uint64(at)<<nameLenBits | uint64(len(name))
}

// get returns a name. It is no copy; as bytes that were added never change, it may be kept.
func (a *nameArena) get(place uint64) string {
	at, n := place>>nameLenBits, place&(1<<nameLenBits-1)
	c := a.chunks[at/nameChunkSize]
	return unsafe.String(&c[at%nameChunkSize], int(n))
}
