package damage

import (
	"math"
	"slices"
	"sync"

	"jsfs/store"
)

// Book is what is known to be damaged in a stream. The zero value knows of nothing. It may be used concurrently.
type Book struct {
	mu    sync.RWMutex // guards the rest; held for a few comparisons, a leaf
	list  []store.Damage
	known map[place]bool  // what list has
	lost  []lostRun       // sorted; sequences that were stored and have no entry any more
	gone  []store.Range   // sorted; likewise, but they were removed before
	bad   map[uint64]bool // sequences with an entry that can't be read
}

// place is where damage is, and the first message that it costs.
type place struct {
	file  string
	off   int64
	first store.Seq
}

// lostRun is a run of sequences that are lost, and why.
type lostRun struct {
	first, last uint64
	why         *store.CorruptError
}

// Add notes damage, once for each place, and says whether it was new.
func (b *Book) Add(e store.Damage) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := place{e.File, e.Offset, e.First}
	if b.known[p] {
		return false
	}
	if b.known == nil {
		b.known = map[place]bool{}
	}
	b.known[p] = true
	b.list = append(b.list, e)
	return true
}

// AddBad notes that message seq can't be read.
func (b *Book) AddBad(seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bad == nil {
		b.bad = map[uint64]bool{}
	}
	b.bad[seq] = true
}

// AddLost notes that sequences first to last were stored and have no entry any more, and why. Runs are added in order.
func (b *Book) AddLost(first, last uint64, why *store.CorruptError) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = append(b.lost, lostRun{first, last, why})
}

// AddGone notes that the sequences of r have no entry any more, and were removed before. Ranges are added in order.
func (b *Book) AddGone(r store.Range) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = append(b.gone, r)
}

// GoneIn returns which sequences of first to last have no entry any more, and were removed before.
func (b *Book) GoneIn(first, last uint64) []store.Range {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var in []store.Range
	for _, r := range b.gone {
		if r := (store.Range{First: max(r.First, store.Seq(first)), Last: min(r.Last, store.Seq(last))}); r.First <= r.Last {
			in = append(in, r)
		}
	}
	return in
}

// LostAt returns why seq is lost, or nil.
func (b *Book) LostAt(seq uint64) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, r := range b.lost {
		if r.first <= seq && seq <= r.last {
			return r.why
		}
	}
	return nil
}

// Count returns how many sequences of first to last have no entry because of damage,
// and how many messages are known to be unreadable in all.
func (b *Book) Count(first, last uint64) (unlisted, lost uint64) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, r := range b.lost {
		lost += r.last - r.first + 1
		if lo, hi := max(r.first, first), min(r.last, last); lo <= hi {
			unlisted += hi - lo + 1
		}
	}
	return unlisted, lost + uint64(len(b.bad))
}

// In says whether any damage is known in a file, or in a message from sequence first to before next.
func (b *Book) In(file string, first, next uint64) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.ContainsFunc(b.list, func(e store.Damage) bool {
		return e.File == file || e.First > 0 && uint64(e.First) < next && uint64(e.Last) >= first
	})
}

// List returns the damaged places that are known.
func (b *Book) List() []store.Damage {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Clone(b.list)
}

// CauseAt says why a sequence that no message has is missing, and up to where that holds as far as damage goes.
func (b *Book) CauseAt(seq uint64) (store.Cause, uint64) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	end := uint64(math.MaxUint64)
	for _, r := range b.lost {
		if r.first <= seq && seq <= r.last {
			return store.CauseLost, r.last
		}
		if r.first > seq {
			end = min(end, r.first-1)
		}
	}
	for _, r := range b.gone {
		first, last := uint64(r.First), uint64(r.Last)
		if first <= seq && seq <= last {
			return store.CauseRemoved, min(end, last)
		}
		if first > seq {
			end = min(end, first-1)
		}
	}
	return store.CauseSkipped, end
}

// IsBad says whether message seq is known to be damaged.
func (b *Book) IsBad(seq uint64) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.bad[seq]
}

// BeforeBad returns the highest sequence so that no message above seq up to it is known to be damaged.
func (b *Book) BeforeBad(seq uint64) uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	end := uint64(math.MaxUint64)
	for bad := range b.bad {
		if bad > seq {
			end = min(end, bad-1)
		}
	}
	return end
}
