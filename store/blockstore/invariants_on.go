//go:build invariants

package blockstore

import (
	"fmt"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
)

// checkInvariants panics if the snapshot that was just published contradicts itself.
func (s *Stream) checkInvariants() {
	s.smu.Lock()
	defer s.smu.Unlock()
	n := s.cur.copied() // looking at it must not make it
	var live store.Totals
	for i, b := range n.blocks {
		live = live.Plus(b.live)
		if i > 0 && b.hdr.First < n.blocks[i-1].hdr.First {
			panic(fmt.Sprintf("block %s begins before the one before it", b.name))
		}
	}
	if live != n.live {
		panic(fmt.Sprintf("blocks have %+v live, the stream %+v", live, n.live))
	}
	if n.live.Messages == 0 && n.first != n.last+1 {
		panic(fmt.Sprintf("no message is live, but first is %d and last %d", n.first, n.last))
	}
	if n.live.Messages < 0 || n.first-1 > n.last {
		panic(fmt.Sprintf("%d live messages from %d to %d", n.live.Messages, n.first, n.last))
	}
}

// copied returns a copy of the snapshot.
func (c *current) copied() snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.behind.Load() {
		return c.grown
	}
	return *c.shown.Load()
}

// checkNotes panics if a footer that was made without a look at the records, all of them whole, says anything else
// than they do. wmu is held.
func (s *Stream) checkNotes(f *record.Footer) {
	w := &s.w
	c, err := scan.Block(w.file, &w.tail.hdr, w.end, scan.WantSubjects)
	if err != nil || len(c.Bad) > 0 || c.End != w.end {
		return // the disk fails
	}
	scanned := *f
	scanned.Listed, scanned.Controls, scanned.Subjects = nil, c.Controls, c.Subjects.At(w.offs)
	if !f.Same(&scanned, &w.tail.hdr) {
		panic(fmt.Sprintf("footer of %s: noted are %d subjects and %d controls, the records have %d and %d",
			w.tail.name, len(f.Subjects), f.Listed.Len(), len(scanned.Subjects), len(scanned.Controls)))
	}
}
