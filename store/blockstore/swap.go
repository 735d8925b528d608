package blockstore

import (
	"fmt"
	"math"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// swap puts the new block in place, unless something was brought back meanwhile that it lacks, and shows it.
func (r *rewriting) swap(name string) error {
	s := r.s
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	at, err := s.placeOfLocked(r.old)
	if err != nil {
		return err
	}
	for i, b := range r.old {
		for m := range int(b.all.Messages) {
			if !r.stay[i].get(m) && b.stays(m, r.asOf) {
				return errBusy
			}
		}
	}
	for _, b := range r.old {
		if _, err := s.cache.hold(b, &s.st.held); err != nil {
			s.letGo(r.old)
			return err
		}
	}
	if err := s.fs.Rename(name, r.b.name); err != nil {
		if isNoSpace(err) { // else nobody knows what the name leads to now: they are read by the files that are held
			s.letGo(r.old)
		}
		return err
	}
	r.takeOver()
	n := *s.cur.Load()
	n.blocks = slices.Concat(n.blocks[:at], []*block{r.b}, n.blocks[at+len(r.old):])
	s.smu.Lock()
	for _, b := range r.old {
		r.b.live = r.b.live.Plus(b.live)
	}
	s.cur.Store(&n)
	s.smu.Unlock()
	s.checkInvariants()
	size := r.b.size
	for _, b := range r.old {
		size -= b.size
	}
	s.grow(size)
	return nil
}

// placeOfLocked returns where blocks stand among all. They must follow each other there, and not be the newest.
func (s *Stream) placeOfLocked(old []*block) (int, error) {
	blocks := s.cur.Load().blocks
	at := slices.Index(blocks, old[0])
	if at < 0 || at+len(old) >= len(blocks) || !slices.Equal(blocks[at:at+len(old)], old) {
		return 0, errBusy
	}
	return at, nil
}

// takeOver gives the new block what is known of the old ones' messages that stay.
func (r *rewriting) takeOver() {
	nb := r.b
	nb.markRewritten(r.own)
	v := view{block: nb, runs: nb.runs, count: len(r.offs)}
	to, never := 0, func() int64 { return math.MinInt64 } // what is over stays, too
	for i, b := range r.old {
		for m := range int(b.all.Messages) {
			if !r.stay[i].get(m) {
				continue
			}
			if b.isDeleted(m) {
				if e := b.keptWith(m); e != nil {
					v.keepRange(to, to+1, e.last.Load(), e.due, never)
				}
				nb.setDeleted(to, v.count, true)
			}
			to++
		}
	}
}

// finish makes the new block durable, takes the others away that it stands for, and returns how many bytes that
// gave back.
func (r *rewriting) finish() (int64, error) {
	s := r.s
	s.rewrites.Add(1)
	if err := s.fs.SyncDir(s.dir); err != nil {
		s.unsure = fmt.Errorf("sync the directory of %s: %w", r.b.name, err)
		return 0, s.unsure
	}
	for _, b := range r.old[:len(r.old)-1] { // the new one has the last one's name
		s.leave(b, r.b)
	}
	return r.gained(), s.removeLeft()
}

// gained is how many bytes the new block gives back.
func (r *rewriting) gained() int64 {
	gained := -r.takes(r.b)
	for _, b := range r.old {
		gained += r.takes(b)
	}
	return gained
}

// takes is how many bytes b takes, as they are counted.
func (r *rewriting) takes(b *block) int64 {
	if r.inPages {
		return inPages(b.size)
	}
	return b.size
}

// markRewritten takes in what the block's own controls say of it.
func (b *block) markRewritten(controls []record.Control) {
	for i := range controls {
		switch ct := &controls[i]; {
		case ct.Rewritten:
			b.rewritten = true
		case ct.Kind == record.FlagSkip:
			b.skips = append(b.skips, store.Range{First: store.Seq(ct.Seq), Last: store.Seq(ct.Seq + ct.Skip - 1)})
		}
	}
	b.skips = store.MergeRanges(b.skips)
}

// skipAt says whether sequence seq, for which the block has no message, was skipped rather than removed, and up to
// where the answer holds.
func (b *block) skipAt(seq uint64) (skipped bool, end uint64) {
	i, _ := slices.BinarySearchFunc(b.skips, store.Seq(seq), func(r store.Range, seq store.Seq) int {
		if r.Last < seq {
			return -1
		}
		return 1
	})
	switch {
	case i == len(b.skips):
		return false, b.next - 1
	case b.skips[i].First > store.Seq(seq):
		return false, uint64(b.skips[i].First) - 1
	}
	return true, uint64(b.skips[i].Last)
}
