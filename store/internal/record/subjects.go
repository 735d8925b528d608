package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"

	"jsfs/store"
)

// restartEvery is how many entries of the section Subjects share prefixes: the next one is
// written in full (FORMAT.md section 6).
const restartEvery = 16

// Subject is what a footer tells of one subject: which of the block's messages are on it, counted from 0,
// in order. There is at least one.
type Subject struct {
	Name   string
	Places []uint32
}

// SubjectTable tells which messages of a block are on which subject. It is immutable. In memory it is what it
// is on disk before that is compressed, and for each 16 subjects 16 bytes to find them by; with a filter 16 more.
type SubjectTable struct {
	names    []byte // section Subjects
	places   []byte // section Places
	count    int    // of subjects
	restarts []restart
	// All restarts begin with prefix; keys are the eight bytes behind it, so that most of a search stays in one
	// small array.
	prefix string
	keys   []uint64
	filter nameFilter // of the names, if any
}

// restart is where an entry stands that is written in full, and its list.
type restart struct{ name, place uint32 }

// SubjectEntry is one subject of a table.
type SubjectEntry struct {
	Name        []byte // good until the walk goes on
	Count       uint32 // messages
	First, Last uint32 // the first and the last of them, counted in the block
	list        []byte
}

// MakeSubjects returns the table of subjects that are sorted by name.
func MakeSubjects(subs []Subject) *SubjectTable {
	t := &SubjectTable{count: len(subs), names: make([]byte, 0, 10*len(subs)), restarts: make([]restart, 0, restartsOf(len(subs)))}
	prev, first := "", uint32(0)
	for i, e := range subs {
		n := 0
		if i%restartEvery == 0 {
			t.restarts = append(t.restarts, restart{uint32(len(t.names)), uint32(len(t.places))})
			first = 0
		} else {
			n = commonPrefix(prev, e.Name)
		}
		t.names = appendUvarints(t.names, uint64(n), uint64(len(e.Name)-n))
		t.names = append(t.names, e.Name[n:]...)
		t.appendPlaces(e.Places, first)
		prev, first = e.Name, e.Places[0]
	}
	t.index()
	return t
}

// restartsOf is how many of so many entries are written in full.
func restartsOf(count int) int { return (count + restartEvery - 1) / restartEvery }

// index makes the keys.
func (t *SubjectTable) index() {
	n := len(t.restarts)
	if n == 0 {
		return
	}
	first, last := t.restartName(0), t.restartName(n-1) // what these have in common, those between them have
	t.prefix = string(first[:commonPrefix(first, string(last))])
	t.keys = make([]uint64, n)
	for i := range t.keys {
		t.keys[i] = keyOf(t.restartName(i)[len(t.prefix):])
	}
}

// keyOf returns the first eight bytes of a name, so that names with different keys are in the order of these.
func keyOf[name string | []byte](rest name) uint64 {
	var key [8]byte
	copy(key[:], rest)
	return binary.BigEndian.Uint64(key[:])
}

// restartName returns the name of the i-th entry that is written in full.
func (t *SubjectTable) restartName(i int) []byte {
	full := t.names[t.restarts[i].name+1:] // behind the 0 of what is shared
	size, n := binary.Uvarint(full)
	return full[n : n+int(size)]
}

// appendPlaces appends the numbers of an entry to names, and its list, if it needs one, to places. base is the first
// message of the entry before.
func (t *SubjectTable) appendPlaces(places []uint32, base uint32) {
	n := len(places)
	first, last := places[0], places[n-1]
	t.names = binary.AppendUvarint(t.names, uint64(n))
	t.names = binary.AppendVarint(t.names, int64(first)-int64(base))
	if n == 1 {
		return
	}
	t.names = appendUvarints(t.names, uint64(last-first))
	if !hasList(uint32(n), last-first) {
		return
	}
	start := len(t.places)
	for i := 1; i < n-1; i++ {
		t.places = appendUvarints(t.places, uint64(places[i]-places[i-1]))
	}
	t.names = appendUvarints(t.names, uint64(len(t.places)-start))
}

// hasList says whether n messages that span so many are not told by the first and the last alone.
func hasList(n, span uint32) bool { return n > 2 && n <= span }

// ErrDropped means that the names of a block's subjects were overwritten, as one of them belonged to an erased
// message alone. The records have those that are left.
var ErrDropped = fmt.Errorf("names of the subjects were erased: %w", ErrBad)

// Subjects decodes the sections Subjects and Places; ErrDropped if the names were erased. filtered says that the table is to
// have a byte for each subject more, with which it finds out faster that it does not have one.
func (t *Trailer) Subjects(h *Header, names, places []byte, filtered bool) (*SubjectTable, error) {
	n, err := t.section(Subjects, h, names)
	if err != nil {
		return nil, err
	}
	p, err := t.section(Places, h, places)
	if err != nil {
		return nil, err
	}
	s := &SubjectTable{names: n.b, places: p.b, count: int(t.parts[Subjects].count)}
	if !t.packed {
		if s.names, err = relative(s.names, s.count); err != nil {
			return nil, fmt.Errorf("footer subjects: %w", err)
		}
	}
	if filtered {
		s.filter = make(nameFilter, s.count/8+1)
	}
	if err := s.check(uint64(t.All.Messages)); err != nil {
		return nil, fmt.Errorf("footer subjects: %w", err)
	}
	return s, nil
}

// check reads a whole table, finds its restarts, and looks at what nobody will look at again.
func (t *SubjectTable) check(messages uint64) error {
	t.restarts = make([]restart, 0, restartsOf(t.count))
	names, places := reader{b: t.names}, reader{b: t.places}
	var prev, name []byte
	first := uint64(0)
	for i := range t.count {
		if i%restartEvery == 0 {
			first = 0
			t.restarts = append(t.restarts, restart{uint32(len(t.names) - len(names.b)), uint32(len(t.places) - len(places.b))})
		}
		shared := names.uvarint()
		rest := names.bytes(names.uvarint())
		if names.err != nil || shared > uint64(len(prev)) || shared > 0 && i%restartEvery == 0 ||
			int(shared)+len(rest) > store.MaxSubject {
			return ErrBad
		}
		name = append(append(name[:0], prev[:shared]...), rest...)
		if i > 0 && bytes.Compare(prev, name) >= 0 {
			return ErrBad
		}
		prev, name = name, prev
		t.filter.add(prev)
		var ok bool
		if first, ok = checkPlaces(&names, &places, first, messages); !ok {
			return ErrBad
		}
	}
	if len(names.b)+len(places.b) > 0 {
		return ErrBad
	}
	t.index()
	return nil
}

// checkPlaces takes the numbers of one entry, and its list, and says whether they make sense. It returns its first message;
// base is that of the entry before.
func checkPlaces(names, places *reader, base, messages uint64) (first uint64, ok bool) {
	n, step, span := names.uvarint(), names.uvarint(), uint64(0)
	first = base + uint64(signed(step))
	if n > 1 {
		span = names.uvarint()
	}
	if names.err != nil || step > math.MaxUint32 ||
		n < 1 || n > messages || first >= messages || span >= messages-first || n > span+1 || n == 1 && span > 0 {
		return 0, false
	}
	if !hasList(uint32(n), uint32(span)) {
		return first, n != 2 || span > 0
	}
	list := reader{b: places.bytes(names.uvarint())}
	at := uint64(0)
	for range n - 2 {
		step := list.uvarint()
		if at += step; step == 0 || at >= span {
			return 0, false
		}
	}
	return first, names.err == nil && places.err == nil && list.err == nil && len(list.b) == 0
}

// signed is the number that v stands for, whose lowest bit says that it is the complement of the others.
func signed(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// Len is how many subjects the table has, Size how many bytes it takes in memory.
func (t *SubjectTable) Len() int { return t.count }

// Size is how many bytes the table takes in memory.
func (t *SubjectTable) Size() int {
	return len(t.names) + len(t.places) + 16*len(t.restarts) + 8*len(t.filter) + 128
}

// Equal says whether two tables tell the same.
func (t *SubjectTable) Equal(u *SubjectTable) bool {
	return bytes.Equal(t.names, u.names) && bytes.Equal(t.places, u.places)
}

// Prefixed walks the subjects that begin with prefix, sorted by name. What it yields is good until
// it goes on.
func (t *SubjectTable) Prefixed(prefix string) iter.Seq[*SubjectEntry] {
	return func(yield func(*SubjectEntry) bool) {
		var c cursor
		c.seek(t, prefix)
		for c.next() {
			if len(c.e.Name) >= len(prefix) && string(c.e.Name[:len(prefix)]) == prefix {
				if !yield(&c.e) {
					return
				}
			} else if string(c.e.Name) > prefix {
				return
			}
		}
	}
}

// Places appends the messages on the subject, in order, to dst.
func (e *SubjectEntry) Places(dst []uint32) []uint32 {
	if !hasList(e.Count, e.Last-e.First) {
		if e.Count == 2 {
			return append(dst, e.First, e.Last)
		}
		dst = slices.Grow(dst, int(e.Count))
		for i := e.First; i <= e.Last; i++ {
			dst = append(dst, i)
		}
		return dst
	}
	dst = append(slices.Grow(dst, int(e.Count)), e.First)
	at := e.First
	for list := e.list; len(list) > 0; {
		step, n := binary.Uvarint(list)
		at += uint32(step)
		dst, list = append(dst, at), list[n:]
	}
	return append(dst, e.Last)
}

// cursor walks a table that was checked.
type cursor struct {
	names, places []byte // what is left
	name          []byte
	e             SubjectEntry
	left          int // entries before the next one that is written in full
}

// number takes a number of an entry.
func (c *cursor) number() uint32 {
	if b := c.names[0]; b < 0x80 {
		c.names = c.names[1:]
		return uint32(b)
	}
	v, n := binary.Uvarint(c.names)
	c.names = c.names[n:]
	return uint32(v)
}

// next takes the next entry, and says whether there is one.
func (c *cursor) next() bool {
	if len(c.names) == 0 {
		return false
	}
	shared, rest := c.number(), c.number()
	c.name = append(c.name[:shared], c.names[:rest]...)
	c.names = c.names[rest:]
	c.e.Name = c.name
	c.numbers()
	return true
}

// numbers takes the numbers of an entry, and its list.
func (c *cursor) numbers() {
	e := &c.e
	if c.left == 0 {
		c.left, e.First = restartEvery, 0
	}
	c.left--
	e.Count = c.number()
	e.First += uint32(signed(uint64(c.number())))
	e.Last, e.list = e.First, nil
	if e.Count > 1 {
		e.Last += c.number()
	}
	if hasList(e.Count, e.Last-e.First) {
		n := c.number()
		e.list, c.places = c.places[:n], c.places[n:]
	}
}
