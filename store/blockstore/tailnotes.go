package blockstore

import (
	"hash/maphash"

	"jsfs/store/internal/record"
)

// tailNotes is what the writer has put into the tail besides what it keeps anyway: subjects and controls, for the footer,
// so that sealing needs no look at the records. It takes 4 bytes a message, each subject once, and less than half of what
// controls take in the block.
type tailNotes struct {
	whole    bool     // it has all that is in the tail; if not, the tail was there when the stream was opened, or one of its messages erased
	ids      []uint32 // of the subjects of the tail's messages, in order
	controls record.ControlList
	written  record.Listed // how much of controls was written

	// The subjects: number i ends at ends[i] of names.
	names []byte
	ends  []uint32
	last  uint32   // the one that was met last
	slots []uint32 // number + 1 of the subject whose hash begins its search there; a power of two
	seed  maphash.Seed
}

// begin begins a new tail.
func (t *tailNotes) begin() {
	if t.slots == nil {
		t.seed = maphash.MakeSeed()
	}
	t.whole, t.last = true, 0
	t.ids, t.names, t.ends = t.ids[:0], t.names[:0], t.ends[:0]
	t.controls.Reset()
	t.written = t.controls.Mark()
	if n := 64; len(t.slots) < n {
		t.slots = make([]uint32, n)
	} else {
		clear(t.slots)
	}
}

// drop forgets all: the records have to be read when the tail is sealed.
func (t *tailNotes) drop() {
	clear(t.names[:cap(t.names)])
	t.whole, t.ids, t.ends, t.names = false, t.ids[:0], t.ends[:0], t.names[:0]
}

// message notes that the next message is on a subject.
func (t *tailNotes) message(subject string) {
	if !t.whole {
		return
	}
	if len(t.ends) == 0 || t.name(t.last) != subject {
		t.last = t.number(subject)
	}
	t.ids = append(t.ids, t.last)
}

// control notes that ct comes next.
func (t *tailNotes) control(h *record.Header, ct *record.Control) {
	if t.whole {
		t.controls.Add(h, ct)
	}
}

// flushed notes that what was noted is written.
func (t *tailNotes) flushed() { t.written = t.controls.Mark() }

// forget drops what was not written; that many messages stay.
func (t *tailNotes) forget(messages int) {
	if t.whole {
		t.ids = t.ids[:messages]
		t.controls.Cut(t.written)
	}
}

// name returns a subject, as long as none is added.
func (t *tailNotes) name(id uint32) string {
	start := uint32(0)
	if id > 0 {
		start = t.ends[id-1]
	}
	return stringOf(t.names[start:t.ends[id]])
}

// number returns the number of a subject, which it gets if it has none.
func (t *tailNotes) number(subject string) uint32 {
	at := uint32(maphash.String(t.seed, subject))
	for ; ; at++ {
		slot := t.slots[at&uint32(len(t.slots)-1)]
		if slot == 0 {
			break
		}
		if t.name(slot-1) == subject {
			return slot - 1
		}
	}
	t.names = append(t.names, subject...)
	t.ends = append(t.ends, uint32(len(t.names)))
	n := uint32(len(t.ends))
	t.slots[at&uint32(len(t.slots)-1)] = n
	if 2*len(t.ends) > len(t.slots) {
		t.grow()
	}
	return n - 1
}

func (t *tailNotes) grow() {
	t.slots = make([]uint32, 4*len(t.slots))
	for id := range uint32(len(t.ends)) {
		at := uint32(maphash.String(t.seed, t.name(id)))
		for t.slots[at&uint32(len(t.slots)-1)] != 0 {
			at++
		}
		t.slots[at&uint32(len(t.slots)-1)] = id + 1
	}
}

// subjects returns the subjects of the tail's messages, sorted by name. Their names are good until the next tail begins.
func (t *tailNotes) subjects() []record.Subject {
	counts := make([]uint32, len(t.ends))
	for _, id := range t.ids {
		counts[id]++
	}
	all, start := make([]uint32, len(t.ids)), uint32(0)
	subs := make([]record.Subject, 0, len(counts))
	next := make([]uint32, len(counts)) // by number, where in all its next place stands
	for _, id := range sortNames(0, len(counts), t.name) {
		if n := counts[id]; n > 0 { // else what was on it was not written
			subs = append(subs, record.Subject{Name: t.name(id), Places: all[start : start+n : start+n]})
			next[id] = start
			start += n
		}
	}
	for i, id := range t.ids {
		all[next[id]] = uint32(i)
		next[id]++
	}
	return subs
}
