package policy

import (
	"cmp"
	"hash/maphash"
	"slices"
	"time"

	"jsfs/store"
)

// MaxIDs is how many ids a Window remembers at most, some 64 MiB of memory. Where more come in one
// duplicate_window the oldest are forgotten early.
const MaxIDs = 1 << 20

// Window remembers which ids messages had. It keeps 128 bits of each, salted at random by the process.
type Window struct {
	salt [2]maphash.Seed
	seqs map[idHash]store.Seq
	ring []sighting // in the order of sequences, and so of times
	head int        // of ring
}

type idHash [2]uint64

type sighting struct {
	id   idHash
	seq  store.Seq
	time int64
}

// NewWindow returns an empty Window.
func NewWindow() *Window {
	return &Window{salt: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, seqs: map[idHash]store.Seq{}}
}

func (w *Window) hash(id string) idHash {
	return idHash{maphash.String(w.salt[0], id), maphash.String(w.salt[1], id)}
}

// Add notes that message seq has that id. Messages are added in order; of two with one id, of which one was
// restored, the later counts.
func (w *Window) Add(id string, seq store.Seq, ns int64) {
	h := w.hash(id)
	if w.Len() >= MaxIDs {
		w.forget()
	}
	w.seqs[h] = seq
	w.ring = append(w.ring, sighting{h, seq, ns})
}

// Len is how many ids are remembered.
func (w *Window) Len() int { return len(w.ring) - w.head }

func (w *Window) forget() {
	w.drop(w.ring[w.head])
	if w.head++; w.head > 1024 && w.head > len(w.ring)/2 {
		w.ring = append([]sighting(nil), w.ring[w.head:]...)
		w.head = 0
	}
}

func (w *Window) drop(s sighting) {
	if w.seqs[s.id] == s.seq {
		delete(w.seqs, s.id)
	}
}

// Seen returns the sequence of the message with that id, if it is less than span old at the time now,
// in nanoseconds since the Unix epoch; else 0. What is older is forgotten.
func (w *Window) Seen(id string, now int64, span time.Duration) store.Seq {
	for w.head < len(w.ring) && now-w.ring[w.head].time >= int64(span) {
		w.forget()
	}
	return w.seqs[w.hash(id)]
}

// Erase forgets message seq: the message before it with the same id counts again, if there is one.
func (w *Window) Erase(seq store.Seq) {
	live := w.ring[w.head:]
	i, ok := slices.BinarySearchFunc(live, seq, func(s sighting, seq store.Seq) int { return cmp.Compare(s.seq, seq) })
	if !ok {
		return
	}
	id := live[i].id
	live[i].id = idHash{} // what no id has
	if w.seqs[id] != seq {
		return
	}
	delete(w.seqs, id)
	for _, s := range live[:i] {
		if s.id == id {
			w.seqs[id] = s.seq
		}
	}
}

// Cut forgets the messages from seq on, which were not stored after all: those before them with the same ids count again.
func (w *Window) Cut(seq store.Seq) {
	end := len(w.ring)
	for end > w.head && w.ring[end-1].seq >= seq {
		end--
		w.drop(w.ring[end])
	}
	if end == len(w.ring) {
		return
	}
	gone := map[idHash]bool{}
	for _, s := range w.ring[end:] {
		gone[s.id] = true
	}
	w.ring = w.ring[:end]
	for _, s := range w.ring[w.head:] {
		if gone[s.id] {
			w.seqs[s.id] = s.seq
		}
	}
}
