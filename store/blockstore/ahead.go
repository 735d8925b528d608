package blockstore

import (
	"sync"
	"sync/atomic"
)

const (
	aheadRead  = 64 << 10 // what is read at once for who reads in order
	aheadLimit = 8 << 10  // records above it are read by themselves
	maxPieces  = 256      // how many streams of a store have a piece at a time: 16 MiB
)

// ahead holds what is likely to be read next, for who reads in order.
type ahead struct {
	next  atomic.Uint64 // the sequence that would be in order
	piece atomic.Pointer[piece]
	// erased counts the erasures: a piece that was read before the last one is not used.
	erased atomic.Uint64
}

// forget makes sure that nothing is served from memory that was erased before.
func (a *ahead) forget() {
	a.erased.Add(1)
	a.piece.Store(nil)
}

// piece is a copy of some of a block's bytes below its published end, where bytes never
// change but by an erasure. It is immutable.
type piece struct {
	b      *block
	off    int64
	bytes  []byte
	erased uint64 // ahead.erased before it was read
}

// pieces are the streams that have a piece, or had one: the oldest loses it when there are too many.
type pieces struct {
	// mu guards all below. It is a leaf.
	mu   sync.Mutex
	of   []*ahead // a ring of maxPieces, the oldest at next once it is full
	next int
}

// add notes that a has a piece.
func (p *pieces) add(a *ahead) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.of) < maxPieces {
		p.of = append(p.of, a)
		return
	}
	if old := p.of[p.next]; old != nil {
		old.piece.Store(nil)
	}
	p.of[p.next] = a
	p.next = (p.next + 1) % maxPieces
}

// drop forgets a, whose stream is closed.
func (p *pieces) drop(a *ahead) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.of {
		if p.of[i] == a {
			p.of[i] = nil
		}
	}
	a.piece.Store(nil)
}

// readRecord fills p from off of v, where message seq stands; from memory, if it is there, or messages are
// being read in order and are small.
func (s *Stream) readRecord(v *view, p []byte, off int64, seq uint64) error {
	inOrder := s.ahead.next.Load() == seq
	s.ahead.next.Store(seq + 1)
	c := s.ahead.piece.Load()
	erased := s.ahead.erased.Load()
	if c == nil || c.b != v.block || c.erased != erased || off < c.off || off+int64(len(p)) > c.off+int64(len(c.bytes)) {
		if !inOrder || len(p) > aheadLimit {
			return s.readAt(v.block, p, off)
		}
		c = &piece{v.block, off, make([]byte, min(aheadRead, v.end-off)), erased}
		if err := s.readAt(v.block, c.bytes, off); err != nil {
			return s.readAt(v.block, p, off)
		}
		if s.ahead.piece.Swap(c) == nil {
			s.cache.pieces.add(&s.ahead)
		}
	}
	copy(p, c.bytes[off-c.off:])
	return nil
}
