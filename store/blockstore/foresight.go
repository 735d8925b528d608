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
