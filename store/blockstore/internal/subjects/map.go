package subjects

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sort"
	"strings"
	"unsafe"
)

// Map is a set of subjects and what is known of each. A subject has a number, from 0 in the order of
// coming, which stays. It takes about 55 bytes a subject besides the name, none of them a pointer, and
// locks nothing.
type Map struct {
	seed maphash.Seed
	// slots are a power of two. Of the hash of a subject that many bits, the lowest, say where the search for it begins; what is found has
	// its number + 1 in these bits, and its own hash in the others, so that few others are looked at. 0 is none.
	slots []uint32
	pages [][]Subject // by number, pageSubjects in each
	n     int
	live  int // that have a live message
	names nameArena
	order []uint32 // the numbers below len(order), by name
}

// Subject is what is known of one. Without live messages all is 0 but name, hash and tokens.
type Subject struct {
	name        uint64 // where it stands in the arena
	Count       uint64 // live messages
	First, Last uint64 // bounds of their sequences, exact unless Stale says otherwise
	hash        uint32
	tokens      uint16
	Stale       uint8 // StaleFirst, StaleLast or both
}

// What of a subject's bounds is only a bound, as the message that had it was removed.
const (
	StaleFirst uint8 = 1 << iota
	StaleLast
)

const pageSubjects = 1024

// NewMap returns a map without subjects.
func NewMap() *Map {
	return &Map{seed: maphash.MakeSeed(), slots: make([]uint32, 64)}
}

// At returns subject number id. It moves never.
func (m *Map) At(id uint32) *Subject { return &m.pages[id/pageSubjects][id%pageSubjects] }

// Name returns the name of subject number id. Nobody changes it, so it may be kept.
func (m *Map) Name(id uint32) string { return m.NameOf(m.At(id)) }

// NameOf is Name of a subject that At returned.
func (m *Map) NameOf(e *Subject) string { return m.names.get(e.name) }

// Find returns the number of a subject.
func (m *Map) Find(name string) (uint32, bool) {
	h := m.hash(name)
	for i := h; ; i++ {
		id, at, ok := m.alike(h, i)
		if !ok || m.Name(id) == name {
			return id, ok
		}
		i = at
	}
}

// Guess returns the number of a subject that has the hash of name, which is most likely the one with the name. Whether it is, the caller
// can tell; to find out here takes a while.
func (m *Map) Guess(name string) (uint32, bool) {
	h := m.hash(name)
	id, _, ok := m.alike(h, h)
	return id, ok
}

// alike returns the first subject with hash h that is found from place i on, and where.
func (m *Map) alike(h, i uint32) (id, at uint32, ok bool) {
	for mask := uint32(len(m.slots) - 1); ; i++ {
		slot := m.slots[i&mask]
		if slot == 0 {
			return 0, i, false
		}
		if (slot^h)&^mask == 0 {
			if id = slot&mask - 1; m.At(id).hash == h {
				return id, i, true
			}
		}
	}
}

func (m *Map) hash(name string) uint32 { return uint32(maphash.String(m.seed, name)) }

// Add returns the number of a subject, which it gets if it has none. The name is copied.
func (m *Map) Add(name string) uint32 {
	if id, ok := m.Find(name); ok {
		return id
	}
	if m.n*4 >= len(m.slots)*3 {
		m.grow()
	}
	if m.n%pageSubjects == 0 {
		m.pages = append(m.pages, make([]Subject, pageSubjects))
	}
	id := uint32(m.n)
	m.n++
	e := m.At(id)
	e.name, e.hash, e.tokens = m.names.add(name), m.hash(name), uint16(strings.Count(name, ".")+1)
	m.place(id)
	return id
}

func (m *Map) place(id uint32) {
	h, mask := m.At(id).hash, uint32(len(m.slots)-1)
	i := h
	for m.slots[i&mask] != 0 {
		i++
	}
	m.slots[i&mask] = id + 1 | h&^mask
}

func (m *Map) grow() {
	m.slots = make([]uint32, 2*len(m.slots))
	for id := range uint32(m.n) {
		m.place(id)
	}
}

// Stored counts in a message that became live.
func (m *Map) Stored(id uint32, seq uint64) { m.Count(id, 1, seq, seq) }

// Count counts in n messages that became live; first and last are the outermost of them.
func (m *Map) Count(id uint32, n, first, last uint64) {
	e := m.At(id)
	if e.Count == 0 {
		m.live++
		e.First, e.Last, e.Stale = first, last, 0
	}
	if first <= e.First {
		e.First = first
		e.Stale &^= StaleFirst
	}
	if last >= e.Last {
		e.Last = last
		e.Stale &^= StaleLast
	}
	e.Count += n
}

// Removed takes a message out that is live no more. It says whether it was counted.
func (m *Map) Removed(name string, seq uint64) bool {
	id, ok := m.Find(name)
	return ok && m.Less(id, 1, seq, seq)
}

// Less takes n messages out that are live no more; first and last are the outermost of them. It says whether
// they were counted.
func (m *Map) Less(id uint32, n, first, last uint64) bool {
	e := m.At(id)
	if e.Count < n {
		return false
	}
	if e.Count -= n; e.Count == 0 {
		m.live--
		e.First, e.Last, e.Stale = 0, 0, 0
		return true
	}
	if first <= e.First {
		e.Stale |= StaleFirst
	}
	if last >= e.Last {
		e.Stale |= StaleLast
	}
	if e.Count > 1 {
		return true
	}
	switch e.Stale { // of one message, one bound that is known is both
	case StaleFirst:
		e.First, e.Stale = e.Last, 0
	case StaleLast:
		e.Last, e.Stale = e.First, 0
	}
	return true
}

// Sort brings the subjects that are new into order.
func (m *Map) Sort() {
	old := len(m.order)
	if old == m.n {
		return
	}
	fresh := SortNames(old, m.n, m.Name)
	m.order = slices.Grow(m.order, len(fresh))[:m.n]
	for end, hi := m.n, old; len(fresh) > 0; { // merge from behind
		id := fresh[len(fresh)-1]
		at := m.search(m.order[:hi], m.Name(id))
		end -= hi - at
		copy(m.order[end:], m.order[at:hi])
		end--
		m.order[end], hi, fresh = id, at, fresh[:len(fresh)-1]
	}
}

// Sorted says whether all subjects are in order.
func (m *Map) Sorted() bool { return len(m.order) == m.n }

// Behind returns the numbers of the subjects with a prefix that come behind the name after, if that is not empty, in the
// order of their names. Those that came since they were sorted are not among them. It is not to be changed.
func (m *Map) Behind(prefix, after string) []uint32 {
	i, end := 0, len(m.order)
	if prefix != "" {
		i, end = m.search(m.order, prefix), m.search(m.order, prefix+"\xff")
	}
	if after != "" {
		i = max(i, m.search(m.order, after+"\x00"))
	}
	return m.order[min(i, end):end]
}

// Live is how many subjects have a live message.
func (m *Map) Live() int { return m.live }

// Wasteful says whether so many subjects have no live message that a compacted map takes much less.
func (m *Map) Wasteful() bool { return m.n > 2*m.live+pageSubjects }

// search returns the place in order of the first subject that is not below name.
func (m *Map) search(order []uint32, name string) int {
	return sort.Search(len(order), func(i int) bool { return m.Name(order[i]) >= name })
}

// Compacted returns a map of the subjects that have a live message, in the order of their names.
func (m *Map) Compacted() *Map {
	m.Sort()
	c := &Map{seed: m.seed, slots: make([]uint32, max(64, 1<<bits.Len(uint(m.live*4/3+1))))}
	for _, id := range m.order {
		e := m.At(id)
		if e.Count == 0 {
			continue
		}
		to := c.At(c.Add(m.Name(id)))
		to.Count, to.First, to.Last, to.Stale = e.Count, e.First, e.Last, e.Stale
		c.live++
	}
	c.Sort()
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

// StringOf is b as a string, as long as b does not change.
func StringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
