package blockstore

import (
	"jsfs/store/internal/record"
)

const (
	// controlCost is about what a control takes besides its content, which a block has three times.
	controlCost = 40
	// fewBlocks is how many small blocks that follow each other are left as they are.
	fewBlocks = 8
	// mergedUrgently is how much a block may get that is to give room at once.
	mergedUrgently = 64 << 10
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
	w.controls = 2*int64(sectionSize(v.trailer, record.Controls)) + controlCost*int64(v.trailer.Count(record.Controls))
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

func sectionSize(t *record.Trailer, sec record.Section) int {
	_, size := t.Place(sec)
	return size
}

// seemsDead says whether a third of what the block's messages take seems to be removed.
func (s *Stream) seemsDead(v *view) bool {
	s.smu.Lock()
	live := v.live
	s.smu.Unlock()
	return 3*(v.all.JSON-live.JSON) >= v.all.JSON
}

// plan returns the blocks that are worth being written anew, in groups that are to become one block each.
func (s *Stream) plan(asOf int64, urgent, thorough bool) ([][]*block, error) {
	n := s.cur.Load()
	p := planning{s: s, limit: s.opt.BlockSize - record.DataStart}
	if urgent {
		p.limit = mergedUrgently
	}
	for i, b := range n.blocks[:max(len(n.blocks)-1, 0)] { // the newest one stays as it is
		if b.trailer == nil || b.next == 0 || b.trailer.Count(record.Bad) > 0 || s.damage.In(b.name, b.hdr.First, b.next) {
			p.end() // what is damaged is not touched
			continue
		}
		w, err := s.wasteOf(n, i, asOf, thorough)
		if err != nil {
			return nil, err
		}
		wasteful := w.some && (thorough || 2*w.dead >= w.total)
		if !wasteful && 2*(w.dead+w.controls) >= w.total && w.controls > controlCost*fewBlocks && b.judged != s.rewrites.Load()+1 {
			b.judged, wasteful = s.rewrites.Load()+1, true
		}
		p.add(b, w.total-w.dead, wasteful, 4*w.total <= s.opt.BlockSize)
	}
	p.end()
	return p.groups, nil
}

// planning gathers blocks into groups.
type planning struct {
	s      *Stream
	limit  int64
	groups [][]*block
	group  []*block
	stays  int64 // bytes of the group that stay
	worth  bool  // one of the group is worth it
}

// add takes the next block in, of which so many bytes stay.
func (p *planning) add(b *block, stays int64, wasteful, small bool) {
	if k := len(p.group); k > 0 && (p.group[k-1].next != b.hdr.First || p.stays+stays > p.limit) {
		p.end()
	}
	if !wasteful && !small {
		p.end()
		return
	}
	p.group, p.stays, p.worth = append(p.group, b), p.stays+stays, p.worth || wasteful
}

// end ends the group.
func (p *planning) end() {
	if p.worth || len(p.group) >= fewBlocks {
		p.groups = append(p.groups, p.group)
	}
	p.group, p.stays, p.worth = nil, 0, false
}
