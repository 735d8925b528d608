package blockstore

import (
	"cmp"
	"slices"

	"jsfs/store/internal/record"
)

const (
	// controlCost is about what a pair of controls takes besides its content, and sealedCost that in an encrypted store.
	controlCost, sealedCost = 40, 150
	// fewBlocks is how many small blocks that follow each other are left as they are.
	fewBlocks = 8
	// mergedUrgently is how much a block may get that is to give room at once.
	mergedUrgently = 64 << 10
	// leastShare is which part of blocks is too little to write them anew for it on a full disk.
	leastShare = 512
	// diskPage is the unit in which disks give space out, about.
	diskPage = 4096
)

// waste is what a sealed block takes, and what it need not take.
type waste struct {
	total    int64 // bytes of its records
	dead     int64 // of messages that need not be kept
	controls int64 // of controls, about; nobody knows how many of them are needed
	some     bool  // there is a message that need not be kept
}

// wasteOf finds out what the i-th block of n, which is sealed, need not take: what is kept until asOf at most is not
// kept. Unless thorough it does not look closely where it is not much. The caller holds reclaimMu.
func (s *Stream) wasteOf(n *snapshot, i int, asOf int64, thorough bool) (waste, error) {
	v := n.view(i)
	w := waste{total: v.end - record.DataStart}
	w.controls = v.controls()
	if v.dead.Load() == 0 || !thorough && !s.seemsDead(&v) {
		return w, nil
	}
	offs, err := s.indexOf(&v)
	if err != nil {
		return w, err
	}
	for at := v.nextDeleted(0); at < v.count; at = v.nextDeleted(at + 1) {
		if v.stays(at, asOf) {
			continue
		}
		end := v.end
		if at+1 < offs.len() {
			end = offs.at(at + 1)
		}
		w.dead, w.some = w.dead+end-offs.at(at), true
	}
	return w, nil
}

// controlBytes is about how many bytes n pairs of controls take in b that a footer lists in so many.
func (b *block) controlBytes(listed, n int) int64 {
	cost := int64(controlCost)
	if b.hdr.Sealed {
		cost = sealedCost
	}
	return 2*int64(listed) + cost*int64(n)
}

// controls is about how many bytes of a sealed block are controls.
func (b *block) controls() int64 {
	_, size := b.trailer.Place(record.Controls)
	return b.controlBytes(size, b.trailer.Count(record.Controls))
}

// mostlyControls says whether the block may be worth to be written anew for its controls.
func (w *waste) mostlyControls() bool {
	return 2*(w.dead+w.controls) >= w.total && w.controls > controlCost*fewBlocks
}

// seemsDead says whether a third of what the block's messages take seems to be removed.
func (s *Stream) seemsDead(v *view) bool {
	s.smu.Lock()
	live := v.live
	s.smu.Unlock()
	return 3*(v.all.JSON-live.JSON) >= v.all.JSON
}

// renewal is blocks that are to become one.
type renewal struct {
	old  []*block
	need int64 // about how many bytes the new one takes, at most
	gain int64 // about how many bytes less that is
}

// plan returns the blocks that are worth being written anew; if room is needed at once, first those that take the least for what
// they give.
func (s *Stream) plan(e *effort) ([]renewal, error) {
	n := s.cur.Load()
	p := planning{s: s, limit: s.opt.BlockSize - record.DataStart}
	if e.urgent {
		p.limit = min(p.limit, mergedUrgently)
	}
	if e.urgent && !e.limited {
		p.least = leastShare
	}
	for i, b := range n.blocks[:max(len(n.blocks)-1, 0)] { // the newest one stays as it is
		if b.trailer == nil || b.next == 0 || b.trailer.Count(record.Bad) > 0 || s.damage.In(b.name, b.hdr.First, b.next) {
			p.end() // what is damaged is not touched
			continue
		}
		w, err := s.wasteOf(n, i, e.asOf, e.thorough)
		if err != nil {
			return nil, err
		}
		wasteful, hope := w.some && (e.thorough || 2*w.dead >= w.total), int64(0)
		if !wasteful && w.mostlyControls() && b.judged != s.rewrites.Load()+1 {
			b.judged, wasteful = s.rewrites.Load()+1, true
			hope = w.controls
		}
		p.add(b, w.total-w.dead, hope, wasteful, 4*w.total <= s.opt.BlockSize)
	}
	p.end()
	if e.urgent {
		slices.SortStableFunc(p.groups, func(a, b renewal) int {
			return cmp.Compare(float64(a.need)/float64(max(a.gain, 1)), float64(b.need)/float64(max(b.gain, 1)))
		})
	}
	return p.groups, nil
}

// planning gathers blocks into groups.
type planning struct {
	s      *Stream
	limit  int64
	least  int64 // a group has to give more than such a part of it to be worth it; 0 is anything
	groups []renewal
	group  []*block
	stays  int64 // bytes of the group that stay
	hope   int64 // bytes of controls of the group that may be needed no more
	worth  bool  // one of the group is worth it
}

// add takes the next block in, of which so many bytes stay, some of which there is hope for.
func (p *planning) add(b *block, stays, hope int64, wasteful, small bool) {
	if k := len(p.group); k > 0 && (p.group[k-1].next != b.hdr.First || p.stays+stays > p.limit) {
		p.end()
	}
	if !wasteful && !small {
		p.end()
		return
	}
	p.group, p.worth = append(p.group, b), p.worth || wasteful
	p.stays, p.hope = p.stays+stays, p.hope+hope
}

// end ends the group.
func (p *planning) end() {
	if p.worth || len(p.group) >= fewBlocks {
		size, footers, records := int64(0), int64(0), int64(0)
		for _, b := range p.group {
			size, footers, records = size+b.size, footers+b.size-b.dataEnd, records+b.dataEnd-record.DataStart
		}
		need := record.DataStart + p.stays + int64(float64(footers)*float64(p.stays)/float64(max(records, 1)))
		if p.least == 0 || size-need+p.hope > size/p.least {
			p.groups = append(p.groups, renewal{old: p.group, need: need + diskPage, gain: size - need})
		}
	}
	p.group, p.stays, p.hope, p.worth = nil, 0, 0, false
}
