package blockstore

import (
	"hash/maphash"

	"jsfs/store/blockstore/internal/subjects"
	"jsfs/store/internal/record"
)

// tailNotes is what the writer has put into the tail besides what it keeps anyway: subjects and controls, for the footer,
// so that sealing needs no look at the records. It takes 4 bytes a message, less than half of what controls take in the
// block, and each subject: once if there are not many, else again when many others came in between.
type tailNotes struct {
	whole    bool     // it has all that is in the tail; if not, the tail was there when the stream was opened, or one of its messages erased
	ids      []uint32 // of the subjects of the tail's messages, in order
	controls record.ControlList
	written  record.Listed // how much of controls was written

	// The subjects: number i ends at ends[i] of names. Of the numbers that one has, only the highest is in slots, or
	// last: so each has messages before those of the next one.
	names []byte
	ends  []uint32
	last  uint32     // the one that was met last
	slots []noteSlot // a subject is in the one that its hash says, until another one comes there; a power of two
	seed  maphash.Seed
}

// noteSlot is a subject that was met.
type noteSlot struct {
	hash uint32
	id   uint32 // number + 1; 0 is none
}

// There are as many slots as subjects, but no fewer and no more than these: a table of all of them would be out of the
// processor's caches, and waiting for it is most of what noting a message costs.
const (
	fewestSlots = 64
	mostSlots   = 4096
)

// begin begins a new tail.
func (t *tailNotes) begin() {
	if t.slots == nil {
		t.seed, t.slots = maphash.MakeSeed(), make([]noteSlot, fewestSlots)
	}
	t.whole, t.last = true, 0
	t.ids, t.names, t.ends = t.ids[:0], t.names[:0], t.ends[:0]
	t.controls.Reset()
	t.written = t.controls.Mark()
	clear(t.slots)
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
	return subjects.StringOf(t.names[start:t.ends[id]])
}

// number returns the number of a subject, which it gets if it has none that is known.
func (t *tailNotes) number(subject string) uint32 {
	hash := uint32(maphash.String(t.seed, subject))
	slot := &t.slots[hash&uint32(len(t.slots)-1)]
	if slot.id > 0 && slot.hash == hash && t.name(slot.id-1) == subject {
		return slot.id - 1
	}
	t.names = append(t.names, subject...)
	t.ends = append(t.ends, uint32(len(t.names)))
	n := uint32(len(t.ends))
	*slot = noteSlot{hash, n}
	if len(t.ends) > len(t.slots) && len(t.slots) < mostSlots {
		t.grow()
	}
	return n - 1
}

func (t *tailNotes) grow() {
	t.slots = make([]noteSlot, 4*len(t.slots))
	for id := range uint32(len(t.ends)) { // of two numbers of a subject the higher one stays
		hash := uint32(maphash.String(t.seed, t.name(id)))
		t.slots[hash&uint32(len(t.slots)-1)] = noteSlot{hash, id + 1}
	}
}

// subjects returns the subjects of the tail's messages, sorted by name. Their names are good until the next tail begins.
func (t *tailNotes) subjects() []record.Subject {
	counts := make([]uint32, len(t.ends)) // by number, the messages on it, and then where in all the next of them stands
	for _, id := range t.ids {
		counts[id]++
	}
	all, start := make([]uint32, len(t.ids)), uint32(0)
	subs := make([]record.Subject, 0, len(counts))
	for _, id := range subjects.SortNames(0, len(counts), t.name) {
		n := counts[id]
		if n == 0 {
			continue // what was on it was not written
		}
		counts[id] = start
		places := all[start : start+n : start+n]
		if last := len(subs) - 1; last >= 0 && subs[last].Name == t.name(id) {
			k := uint32(len(subs[last].Places))
			places = all[start-k : start+n : start+n]
			subs = subs[:last]
		}
		subs = append(subs, record.Subject{Name: t.name(id), Places: places})
		start += n
	}
	for i, id := range t.ids {
		all[counts[id]] = uint32(i)
		counts[id]++
	}
	return subs
}
