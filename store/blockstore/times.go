package blockstore

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

// timeGroup is how many messages' times are remembered together.
const timeGroup = 16

// blockTimes are the times of a block's messages, as far as they were read: in groups, of each the time of the first
// message, and those of the others rounded. They take a byte and a half each.
type blockTimes struct {
	used    atomic.Bool    // since the cache looked last
	counted bool           // by the cache; set before the block has them
	first   []atomic.Int64 // of each group; 0 is not read yet
	// later has two words for each group, bytes from the low ones up: by how many bits the others were shifted, plus one, 0
	// for a group that was not read yet; then of each of the others its time − the first one's, shifted to fit.
	later []atomic.Uint64
}

func newBlockTimes(groups int) *blockTimes {
	return &blockTimes{first: make([]atomic.Int64, groups), later: make([]atomic.Uint64, 2*groups)}
}

// grown returns a copy of x, which may be nil, for more groups.
func (x *blockTimes) grown(groups int) *blockTimes {
	y := newBlockTimes(groups)
	if x != nil {
		for g := range x.first {
			y.first[g].Store(x.first[g].Load())
		}
		for i := range x.later { // the second word of a group is there if the first one was
			y.later[i].Store(x.later[i].Load())
		}
	}
	return y
}

// size is how many bytes x takes in memory.
func (x *blockTimes) size() int64 { return int64(8 * (len(x.first) + len(x.later))) }

// groupsOf returns how many groups n messages are.
func groupsOf(n int) int { return (n + timeGroup - 1) / timeGroup }

// put notes the time of the first message of a group.
func (x *blockTimes) put(g int, t int64) { x.first[g].Store(t) }

// get returns the time of the first message of a group; ok says whether it is known.
func (x *blockTimes) get(g int) (t int64, ok bool) {
	t = x.first[g].Load()
	return t, t != 0
}

// learn notes the times of all messages of a group behind the first one, whose time is noted. Whoever learns it again
// must say the same.
func (x *blockTimes) learn(g int, times []int64) {
	first, _ := x.get(g)
	if len(times) == 0 || times[0] < first || !slices.IsSorted(times) {
		return
	}
	shift := max(0, bits.Len64(uint64(times[len(times)-1]-first))-8)
	words := [2]uint64{uint64(shift) + 1}
	for k := 1; k < timeGroup; k++ {
		d := uint64(times[min(k, len(times))-1]-first) >> shift
		words[k/8] |= d << (k % 8 * 8)
	}
	x.later[2*g+1].Store(words[1])
	x.later[2*g].Store(words[0]) // says that both are there
}

// seek returns which messages of group g may be the first one with the time ns or later, which the group's first one does not
// have: one from lo to before hi, or, if all these are earlier, hi. ok says whether that is known.
func (x *blockTimes) seek(g int, ns int64) (lo, hi int, ok bool) {
	word := x.later[2*g].Load()
	if word == 0 {
		return 0, 0, false
	}
	first, _ := x.get(g)
	shift := word&0xff - 1
	since := uint64(ns - first)
	want := since >> shift
	lo, hi = 1, 1
	for k := 1; k < timeGroup; k++ {
		if k == 8 {
			word = x.later[2*g+1].Load()
		}
		d := word >> (k % 8 * 8) & 0xff
		if d < want {
			lo++
		}
		if d <= want {
			hi++
		}
	}
	if want<<shift == since { // nothing that was rounded to it is earlier
		hi = lo
	}
	return lo, hi, true
}
