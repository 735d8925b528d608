package blockstore

import (
	"cmp"
	"slices"

	"jsfs/store/internal/record"
)

const (
	// mergedUrgently is how much a block may get at most that is to give room at once, also where blocks are smaller: with the pages that only
	// begin or end one, a few per cent of a block give no room.
	mergedUrgently = 256 << 10
	// leastShare is which part of blocks is too little to write them anew for it on a full disk.
	leastShare = 512
)

// renewal is blocks that are to become one.
type renewal struct {
	old  []*block
	need int64 // about how many bytes the new one takes, at most
	gain int64 // about how many bytes less that is, on a full disk in whole pages
}

// plan returns the blocks that are worth being written anew; if room is needed at once, first those that take the least for what
// they give. The caller holds reclaimMu.
func (s *Stream) plan(e *effort) ([]renewal, error) {
	n := s.cur.Load()
	p := s.planning(e)
	if p.least > 0 {
		room := s.st.room(true)
		p.limit = min(p.limit, room-room/8-record.DataStart-diskPage)
	}
	for i, b := range n.blocks[:max(len(n.blocks)-1, 0)] { // the newest one stays as it is
		if !s.renewable(b) {
			p.end()
			continue
		}
		w, err := s.wasteOf(n, i, e.asOf, e.thorough)
		if err != nil {
			return nil, err
		}
		hopeful := w.mostlyControls() && b.judged != s.rewrites.Load()+1
		if p.add(b, &w, hopeful) {
			b.judged = s.rewrites.Load() + 1
		}
	}
	p.end()
	if e.urgent {
		slices.SortStableFunc(p.groups, func(a, b renewal) int {
			return cmp.Compare(float64(a.need)/float64(max(a.gain, 1)), float64(b.need)/float64(max(b.gain, 1)))
		})
	}
	return p.groups, nil
}

// unjudge lets blocks be written anew for their controls after all, as nobody has tried.
func unjudge(blocks []*block) {
	for _, b := range blocks {
		b.judged = 0
	}
}

// renewable says whether a block may be written anew: what is damaged is not touched.
func (s *Stream) renewable(b *block) bool {
	return b.trailer != nil && b.next != 0 && b.trailer.Count(record.Bad) == 0 && !s.damage.In(b.name, b.hdr.First, b.next)
}

// planning gathers blocks into groups.
type planning struct {
	thorough  bool
	blockSize int64
	limit     int64
	least     int64 // a group has to give more than such a part of it, in whole pages, to be worth it; 0 is anything, in bytes
	groups    []renewal
	group     []*block
	stays     int64 // bytes of the group that stay
	hope      int64 // bytes of controls of the group that may be needed no more
	worth     bool  // one of the group is worth it
}

// planning begins to gather blocks.
func (s *Stream) planning(e *effort) planning {
	p := planning{thorough: e.thorough, blockSize: s.opt.BlockSize, limit: s.opt.BlockSize - record.DataStart}
	if e.urgent {
		p.limit = min(p.limit, mergedUrgently)
	}
	if e.onDisk() { // what stays of small blocks, put together, takes fewer pages; the new block may be larger than others
		p.limit, p.least = s.st.merged, leastShare
	}
	return p
}

// add takes the next block in, of which w is waste, and says whether that is for its controls, for which there is hope.
func (p *planning) add(b *block, w *waste, hopeful bool) bool {
	stays, wasteful, hope := w.total-w.dead, w.some && (p.thorough || 2*w.dead >= w.total), int64(0)
	if hopeful = hopeful && !wasteful; hopeful {
		wasteful, hope = true, w.controls
	}
	if k := len(p.group); k > 0 && (p.group[k-1].next != b.hdr.First || p.stays+stays > p.limit) {
		p.end()
	}
	if small := 4*w.total <= p.blockSize || p.least > 0 && 2*w.total <= p.limit; !wasteful && !small {
		p.end()
		return hopeful
	}
	p.group, p.worth = append(p.group, b), p.worth || wasteful
	p.stays, p.hope = p.stays+stays, p.hope+hope
	return hopeful
}

// end ends the group.
func (p *planning) end() {
	if p.worth || len(p.group) >= fewBlocks {
		if g, most := p.renewal(); p.least == 0 || most > (g.need+g.gain)/p.least {
			p.groups = append(p.groups, g)
		}
	}
	p.group, p.stays, p.hope, p.worth = nil, 0, 0, false
}

// renewal is what becomes of the group, and what that gives at most.
func (p *planning) renewal() (g renewal, most int64) {
	size, pages, footers, records := int64(0), int64(0), int64(0), int64(0)
	for _, b := range p.group {
		size, pages = size+b.size, pages+inPages(b.size)
		footers, records = footers+b.size-b.dataEnd, records+b.dataEnd-record.DataStart
	}
	need := record.DataStart + p.stays + int64(float64(footers)*float64(p.stays)/float64(max(records, 1)))
	g = renewal{old: p.group, need: need + diskPage, gain: size - need}
	if p.least == 0 {
		return g, g.gain + p.hope
	}
	g.gain = pages - inPages(need)
	return g, pages - inPages(max(need-p.hope, record.DataStart))
}

// reclaimable is about how many bytes of the stream e gives back: of messages that are removed, and of controls that nobody needs without
// them. The disk gives whole pages, and what is less than a tail is sealed for stays in it.
func (s *Stream) reclaimable(e effort) (sum int64) {
	s.smu.Lock()
	defer s.smu.Unlock()
	n, p := s.cur.Load(), s.planning(&e)
	for i, b := range n.blocks {
		v := n.view(i)
		w := waste{total: v.end - record.DataStart}
		gone := b.dead.Load()
		if n.open && i == len(n.blocks)-1 { // nobody but its writer knows what all messages of the tail are
			if dead := int64(min(1, float64(gone)/float64(max(v.count, 1))) * float64(w.total)); dead >= leastSealed {
				sum += dead - leastSealed/2
			}
			break
		}
		if !s.renewable(b) {
			p.end()
			continue
		}
		if w.some = gone > 0; w.some && b.all.JSON > 0 {
			w.dead = int64(float64(b.all.JSON-b.live.JSON) / float64(b.all.JSON) * float64(w.total))
		}
		w.controls = min(b.controls(), w.total-w.dead)
		hope := w.controls
		if !w.mostlyControls() {
			hope = 0
		}
		w.dead += hope
		p.add(b, &w, hope > 0 && !w.some)
	}
	p.end()
	for i := range p.groups {
		gain := p.groups[i].gain
		if p.least > 0 {
			gain -= diskPage / 2 // what is left of a page is nobody's
		}
		sum += max(0, gain)
	}
	return sum
}
