package blockstore

import (
	"time"

	"jsfs/store/internal/record"
)

const (
	// coldRead is how long a short read takes at least if the disk was asked: from memory it takes about 1 µs.
	coldRead = 25 * time.Microsecond
	// So many heads are asked for at first, then twice as many each time that the disk was waited for, up to maxForesight.
	minForesight = 16
	maxForesight = 128
	// fetchSize is how much is asked for at a time for who reads large messages in order. Systems read 128 KiB ahead by
	// themselves, which a disk that others wait for as well takes too long to bring.
	fetchSize = 2 << 20
)

// foresight has the disk fetch the heads that a walk will read soon, where they stand so far apart that each is read by itself: the disk
// brings many at once in little more time than one. What is in memory already is not asked for: that would cost as much as reading it.
type foresight struct {
	cold  bool // the last read had to wait for the disk
	of    *block
	upTo  int // messages of the block below it were asked for
	count int // how many were asked for the last time
}

// read reads, and notes whether that took the disk. Reads that are not short don't matter.
func (a *foresight) read(do func() error, short bool) error {
	if !short {
		return do()
	}
	begun := time.Now()
	err := do()
	a.cold = time.Since(begun) >= coldRead
	return err
}

// foresee asks for the heads of the messages behind i that m finds, up to sequence to, unless it was done before.
func (s *Stream) foresee(a *foresight, v *view, offs offsets, m *matcher, i int, to uint64) {
	a.cold = false
	if a.of == v.block && i < a.upTo {
		return
	}
	a.of, a.count = v.block, min(max(2*a.count, minForesight), maxForesight)
	page := int64(-1)
	for range a.count {
		if i = m.next(i + 1); i >= v.count || v.seqOf(i) > to {
			break
		}
		if off, _ := offs.bounds(v, i); off/4096 != page {
			page = (off + record.MaxHead) / 4096
			s.willNeed(v.block, off, record.MaxHead)
		}
	}
	a.upTo = i + 1
}

// fetched is how far the disk was asked for a block's bytes. It does not change.
type fetched struct {
	b    *block
	upTo int64
}

// fetchNext has the disk bring what is behind message seq, which stands from off to end of v, if it is read in order: next is the one
// that would have been, and begun when that was begun. It begins when a read had to wait, and goes on from there in time.
func (s *Stream) fetchNext(v *view, off, end int64, seq, next uint64, begun time.Time) {
	if seq+1-next > 1 { // next itself, or the one that was looked at before
		return
	}
	f := s.ahead.fetched.Load()
	going := f != nil && f.b == v.block && off < f.upTo
	switch {
	case going && end+fetchSize/2 < f.upTo:
		return // enough is on its way
	case going:
		end = max(end, f.upTo)
	case time.Since(begun) < coldRead+time.Duration(end-off)/2: // memory gives more than 2 bytes a nanosecond
		return
	}
	to := min(end+fetchSize, v.end)
	if end < to {
		s.ahead.fetch(&fetched{v.block, to})
		s.willNeed(v.block, end, to-end)
	}
}

// fetch notes what the disk is asked for, unless the block was replaced.
func (a *ahead) fetch(f *fetched) {
	a.fetched.Store(f)
	if f.b.last.Load() != nil {
		a.fetched.CompareAndSwap(f, nil)
	}
}
