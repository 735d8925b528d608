package record

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sort"
	"strings"
)

// NameHash is what [SubjectTable.May] tells names by. It differs from process to process.
func NameHash(name string) uint64 { return maphash.String(filterSeed, name) }

// May says whether the table may have a subject, whose name has that hash: most that it has not are told so with one look
// at memory, if it has a filter.
func (t *SubjectTable) May(hash uint64) bool { return t.filter.may(hash) }

// Find returns the entry of a subject, without its name.
func (t *SubjectTable) Find(name string) (SubjectEntry, bool) {
	if t.filter != nil && !t.filter.may(NameHash(name)) {
		return SubjectEntry{}, false
	}
	var c cursor
	c.seek(t, name)
	// All entries up to name are below it. same is how many bytes the last one that was passed begins with name: the
	// next one is on the same side of it if they share more than that, and above it if less. No name is put together.
	same, b, lists, first := 0, c.names, 0, uint32(0)
	for p := 0; p < len(b); {
		shared, n := uvarint(b[p:])
		p += n
		size, n := uvarint(b[p:])
		p += n
		rest := b[p : p+int(size)]
		p += len(rest)
		if int(shared) < same {
			break
		}
		if int(shared) == same {
			k := commonPrefix(rest, name[same:])
			if same += k; k == len(rest) && same == len(name) {
				c.names, c.places = b[p:], c.places[lists:]
				c.e.First, c.left = first, restartEvery // the next one that is written in full is above name
				c.numbers()
				return c.e, true
			}
			if k < len(rest) && (same == len(name) || rest[k] > name[same]) {
				break
			}
		}
		next, step, list := skipNumbers(b, p)
		p, first, lists = next, first+step, lists+list
	}
	return SubjectEntry{}, false
}

// skipNumbers passes over the numbers of an entry at p. It returns where the next entry is, by how much the first message
// is above that of the entry before, and the length of the list.
func skipNumbers(b []byte, p int) (next int, step uint32, list int) {
	count, n := uvarint(b[p:])
	p += n
	above, n := uvarint(b[p:])
	p += n
	step = uint32(signed(above))
	if count == 1 {
		return p, step, 0
	}
	span, n := uvarint(b[p:])
	p += n
	if hasList(uint32(count), uint32(span)) {
		size, n := uvarint(b[p:])
		return p + n, step, int(size)
	}
	return p, step, 0
}

// seek sets c before the entries of t of which name may be one, or the first one behind it.
func (c *cursor) seek(t *SubjectTable, name string) {
	lo, hi := t.around(name)
	for lo < hi { // the first restart above name
		mid := int(uint(lo+hi) / 2)
		if string(t.restartName(mid)) <= name {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	var r restart
	if lo > 0 {
		r = t.restarts[lo-1]
	}
	c.names, c.places = t.names[r.name:], t.places[r.place:]
}

// around returns bounds of where the first restart above name is.
func (t *SubjectTable) around(name string) (lo, hi int) {
	if !strings.HasPrefix(name, t.prefix) {
		return 0, len(t.restarts)
	}
	key := keyOf(name[len(t.prefix):])
	lo, found := slices.BinarySearch(t.keys, key)
	if !found {
		return lo, lo
	}
	if lo+1 == len(t.keys) || t.keys[lo+1] != key { // most often
		return lo, lo + 1
	}
	return lo, lo + sort.Search(len(t.keys)-lo, func(i int) bool { return t.keys[lo+i] > key })
}

// nameFilter says of most names that are not in a table that they are not, with one look at memory: a Bloom filter in
// which each name has its bits in one word. There is a word for eight names, so one in 25 others is not told.
// A nil filter says nothing.
type nameFilter []uint64

var filterSeed = maphash.MakeSeed()

// add puts a name in.
func (f nameFilter) add(name []byte) {
	if f != nil {
		word, mask := f.place(maphash.Bytes(filterSeed, name))
		f[word] |= mask
	}
}

// may says whether a name with that hash may have been put in.
func (f nameFilter) may(hash uint64) bool {
	if f == nil {
		return true
	}
	word, mask := f.place(hash)
	return f[word]&mask == mask
}

// place returns the word that a name has its bits in, and these.
func (f nameFilter) place(hash uint64) (word, mask uint64) {
	word, _ = bits.Mul64(hash, uint64(len(f)))
	return word, 1<<(hash&63) | 1<<(hash>>6&63) | 1<<(hash>>12&63)
}
