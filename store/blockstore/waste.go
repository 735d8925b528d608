package blockstore

import "jsfs/store/internal/record"

const (
	// controlCost is about what a pair of controls takes besides its content, and sealedCost that in an encrypted store.
	controlCost, sealedCost = 40, 150
	// fewBlocks is how many small blocks that follow each other are left as they are.
	fewBlocks = 8
	// diskPage is the unit in which disks give space out, about.
	diskPage = 4096
)

// inPages is how many bytes of a disk n bytes of a file take.
func inPages(n int64) int64 { return (n + diskPage - 1) / diskPage * diskPage }

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
