package blockstore

import (
	"fmt"
	"math/bits"
	"slices"
	"sync/atomic"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// block is a file of records. Only the newest block of a stream, the tail, grows; what
// readers know of the tail is in the snapshot.
type block struct {
	name  string // of the file, in the store
	hdr   record.Header
	coder record.Coder

	// Set when the block is sealed, before a snapshot shows it so; immutable then.
	trailer *record.Trailer // nil if there is no whole footer: then index is pinned
	size    int64           // of the file
	dataEnd int64
	next    uint64 // the sequence that came next when it was sealed
	runs    []record.Run
	all     store.Totals // of all messages in it, removed ones included

	// rewritten says that a compaction wrote the block anew: sequences that it has no message for were removed, but for
	// those of skips, which are sorted. Both are set before a snapshot shows the block.
	rewritten bool
	skips     []store.Range

	// last is the open file of a block that was replaced, or was about to be.
	last atomic.Pointer[lastFile]

	// index is where the messages stand: nil while nobody uses it, unless pinned.
	index atomic.Pointer[index]
	// table is which messages are on which subject: nil while nobody uses it.
	table atomic.Pointer[subjectTable]
	// times are what is remembered of the messages' times: nil while nobody seeks a time in it.
	times atomic.Pointer[blockTimes]
	// file is open while the block is in use.
	file atomic.Pointer[blockFile]

	// deleted has a bit for each message of the block that was removed, by its place in
	// the block; nil as long as none was. It is changed under Stream.wmu.
	deleted atomic.Pointer[bitset]
	// dead counts the bits in deleted.
	dead atomic.Int64
	// kept is which of them are kept for whoever wants them back; nil if none is. It is replaced under Stream.wmu.
	kept atomic.Pointer[[]*keptBatch]

	live store.Totals // guarded by Stream.smu
	// judged is when it was last written anew for its controls, one more than Stream.rewrites; guarded by Stream.reclaimMu.
	judged int64
}

// index is where the messages of a sealed block stand, in order of sequence.
type index struct {
	offs offsets
	used atomic.Bool // since the cache looked last
}

// blockFile is a block's open file.
type blockFile struct {
	vfs.File
	used atomic.Bool // since the cache looked last
}

func blockName(dir string, num uint64) string { return fmt.Sprintf("%s/%08d.blk", dir, num) }

func newBlock(name string, hdr record.Header) *block {
	return &block{name: name, hdr: hdr, coder: hdr.Coder()}
}

// isDeleted says whether message i of the block was removed.
func (b *block) isDeleted(i int) bool {
	d := b.deleted.Load()
	return d != nil && d.get(i)
}

// setDeleted changes whether message i of the block, which has room for n, was removed. It is
// called under Stream.wmu.
func (b *block) setDeleted(i, n int, gone bool) {
	if b.isDeleted(i) == gone {
		return
	}
	d := b.deleted.Load()
	if d == nil || len(d.words)*64 <= i {
		d = d.grown(max(i+1, n))
		b.deleted.Store(d)
	}
	if gone {
		d.words[i/64].Or(1 << (i % 64))
		b.dead.Add(1)
	} else {
		d.words[i/64].And(^uint64(1 << (i % 64)))
		b.dead.Add(-1)
	}
}

// setRange is setDeleted for the messages from lo to before hi; it returns how many changed.
func (v *view) setRange(lo, hi int, gone bool) int {
	if lo >= hi {
		return 0
	}
	b := v.block
	d := b.deleted.Load()
	if d == nil || len(d.words)*64 < hi {
		if !gone && d == nil {
			return 0
		}
		d = d.grown(max(hi, v.count))
		b.deleted.Store(d)
	}
	changed := d.set(lo, hi, gone)
	if gone {
		b.dead.Add(int64(changed))
	} else {
		b.dead.Add(-int64(changed))
	}
	return changed
}

// bitset is a set of small numbers. Its words may be read while they are changed.
type bitset struct{ words []atomic.Uint64 }

// grown returns a larger copy of d, which may be nil, for n bits.
func (d *bitset) grown(n int) *bitset {
	c := &bitset{words: make([]atomic.Uint64, (n+63)/64)}
	if d != nil {
		for i := range d.words {
			c.words[i].Store(d.words[i].Load())
		}
	}
	return c
}

// len is how many bits d, which may be nil, has room for.
func (d *bitset) len() int {
	if d == nil {
		return 0
	}
	return 64 * len(d.words)
}

// set changes the bits from lo to before hi, for which there is room, and returns how many it changed.
func (d *bitset) set(lo, hi int, to bool) (changed int) {
	for i := lo; i < hi; {
		n := min(64-i%64, hi-i)
		mask := ^uint64(0) >> (64 - n) << (i % 64)
		word := &d.words[i/64]
		old := word.Load()
		if to {
			word.Or(mask)
			changed += bits.OnesCount64(mask &^ old)
		} else {
			word.And(^mask)
			changed += bits.OnesCount64(mask & old)
		}
		i += n
	}
	return changed
}

func (d *bitset) get(i int) bool {
	return i/64 < len(d.words) && d.words[i/64].Load()&(1<<(i%64)) != 0
}

// view is what it takes to find the messages of one block. Runs and count never change
// in it; deletions do, in the block.
type view struct {
	*block
	runs  []record.Run
	count int
	next  uint64 // the sequence behind the block, as far as the view reaches
	end   int64  // of the records
	tail  []uint32
	known bool // tail holds the offsets
}

// place returns the lowest i such that message i has a sequence of seq or more; i is count
// if there is none. exact says that it has just this one.
func (v *view) place(seq uint64) (i int, exact bool) {
	if len(v.runs) == 1 { // most often
		if seq < v.runs[0].Seq {
			return 0, false
		}
		d := seq - v.runs[0].Seq
		return int(min(d, uint64(v.count))), d < uint64(v.count)
	}
	r, found := slices.BinarySearchFunc(v.runs, seq, func(r record.Run, s uint64) int {
		switch {
		case r.Seq < s:
			return -1
		case r.Seq > s:
			return 1
		}
		return 0
	})
	if found {
		return int(v.runs[r].Index), true
	}
	if r == 0 {
		return 0, false
	}
	end := v.count
	if r < len(v.runs) {
		end = int(v.runs[r].Index)
	}
	run := v.runs[r-1]
	if d := seq - run.Seq; d < uint64(end)-uint64(run.Index) {
		return int(run.Index) + int(d), true
	}
	return end, false
}

// align returns the offsets of v's messages as a scan found them, 0 for those it did not find.
func (v *view) align(c *scan.Contents) []uint32 {
	offs := make([]uint32, v.count)
	for _, m := range c.Msgs {
		if i, exact := v.place(m.Seq); exact {
			offs[i] = m.Off
		}
	}
	return offs
}

// runOf returns the number of the run that has message i.
func (v *view) runOf(i int) int {
	r, found := slices.BinarySearchFunc(v.runs, i, func(r record.Run, i int) int { return int(r.Index) - i })
	if !found {
		r--
	}
	return r
}

// seqOf returns the sequence of message i.
func (v *view) seqOf(i int) uint64 {
	r := 0
	if len(v.runs) > 1 {
		r = v.runOf(i)
	}
	return v.runs[r].Seq + uint64(i) - uint64(v.runs[r].Index)
}

// allDead says whether it is known that no message of the view is live. In the tail nothing is: there the
// block counts what was removed behind the view's end, too.
func (v *view) allDead() bool { return !v.known && v.dead.Load() >= int64(v.count) }

// nextLive returns the lowest live message from i on, or count.
func (v *view) nextLive(i int) int {
	d := v.deleted.Load()
	if d == nil {
		return min(i, v.count)
	}
	if v.allDead() {
		return v.count
	}
	for i < v.count {
		if i/64 >= len(d.words) {
			return i
		}
		w := d.words[i/64].Load() >> (i % 64)
		if w == 0 {
			return i
		}
		if w == ^uint64(0)>>(i%64) {
			i += 64 - i%64
			continue
		}
		for ; w&1 != 0; w >>= 1 {
			i++
		}
		return min(i, v.count)
	}
	return v.count
}

// deletedIn returns how many messages from i to before end were removed.
func (b *block) deletedIn(i, end int) uint64 {
	d := b.deleted.Load()
	if d == nil {
		return 0
	}
	n := 0
	for end = min(end, 64*len(d.words)); i < end; {
		w := d.words[i/64].Load() >> (i % 64)
		k := min(64-i%64, end-i)
		n += bits.OnesCount64(w << (64 - k))
		i += k
	}
	return uint64(n)
}

// nextDeleted returns the lowest removed message from i on, or count.
func (v *view) nextDeleted(i int) int {
	d := v.deleted.Load()
	if d == nil || v.dead.Load() == 0 {
		return v.count
	}
	for end := min(v.count, 64*len(d.words)); i < end; i += 64 - i%64 {
		if w := d.words[i/64].Load() >> (i % 64); w != 0 {
			return min(i+bits.TrailingZeros64(w), v.count)
		}
	}
	return v.count
}

// prevLive returns the highest live message up to i, or -1.
func (v *view) prevLive(i int) int {
	d := v.deleted.Load()
	if d == nil || i < 0 {
		return i
	}
	if v.allDead() {
		return -1
	}
	for i >= 0 && i/64 < len(d.words) {
		w := ^d.words[i/64].Load() << (63 - i%64)
		if w != 0 {
			return i - bits.LeadingZeros64(w)
		}
		i -= i%64 + 1
	}
	return i
}
