package logview

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"jsfs/store"
)

// maxErased is how many erasures are remembered one by one.
const maxErased = 64

// Erasures are the messages that were erased lately, of the streams of one name: what a reader holds of one is given out no more. It may be
// used concurrently; nil has none.
type Erasures struct {
	n atomic.Uint64 // how many there were

	mu   sync.Mutex // guards last. It is a leaf
	last []erased   // the i-th is at i % maxErased
}

// erased is a message. Its time tells it from another one of that sequence in another stream of the name; 0 is any.
type erased struct {
	seq  store.Seq
	time int64
}

// Erasing is a [Source] that knows what was erased.
type Erasing interface {
	// Erasures has what was erased, once it is overwritten; nil if that is not known.
	Erasures() *Erasures
}

func erasuresOf(r Source) *Erasures {
	if e, ok := r.(Erasing); ok {
		return e.Erasures()
	}
	return nil
}

// Add notes that a message was erased. time is when it was stored, 0 if that is not known.
func (e *Erasures) Add(seq store.Seq, time int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.n.Load() % maxErased
	if at == uint64(len(e.last)) {
		e.last = append(e.last, erased{})
	}
	e.last[at] = erased{seq, time}
	e.n.Add(1)
}

// Count is how many there were. Who asks before he loads a message, and whether it is Gone since then before he gives out a part of it,
// gives out nothing that was erased.
func (e *Erasures) Count() uint64 {
	if e == nil {
		return 0
	}
	return e.n.Load()
}

// Gone says whether a message of r, which was stored at time, was erased since Count was since. Where there were too many erasures to know it says
// whether the message was removed.
func (e *Erasures) Gone(ctx context.Context, r store.Reader, since uint64, seq store.Seq, time int64) (bool, error) {
	if e.Count() == since {
		return false, nil
	}
	if gone, known := e.has(since, seq, time); known {
		return gone, nil
	}
	_, err := r.Stat(ctx, seq)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// has says whether a message is among those since then, if that is known.
func (e *Erasures) has(since uint64, seq store.Seq, time int64) (gone, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.n.Load()
	if now-since > maxErased {
		return false, false
	}
	for ; since < now; since++ {
		if m := e.last[since%maxErased]; m.seq == seq && (m.time == 0 || m.time == time) {
			return true, true
		}
	}
	return false, true
}

// torn begins the rest of a JSON line of which the beginning was given out: wherever that ended, it is no JSON in this very line.
const torn = `" erased " erased `

// blankRest fills the rest of a framed message with what stands where messages were removed, up to its last newline. begun says that some of the message
// was given out.
func (f Framing) blankRest(rest []byte, begun bool) {
	if len(rest) == 0 {
		return
	}
	rest = rest[:len(rest)-1]
	f.blank(rest)
	if begun && f == JSONLines {
		copy(rest, torn)
	}
}
