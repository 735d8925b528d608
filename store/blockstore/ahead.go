package blockstore

import (
	"sync"
	"sync/atomic"
)

const (
	aheadRead  = 64 << 10 // what is read at once for who reads in order
	aheadLimit = 8 << 10  // records above it are read by themselves
	aheadSlack = 256      // how far from what is in order a sequence is likely to be in memory
	maxPieces  = 256      // how many streams of a store have a piece at a time: 16 MiB
)

// ahead holds what is likely to be read next, for who reads in order.
type ahead struct {
	next atomic.Uint64 // the sequence that would be in order
	// piece is nil while somebody has taken it.
	piece atomic.Pointer[piece]
	// counted says that it is among the store's pieces, as it must be to have one.
	counted atomic.Bool
	// erased counts the erasures: a piece that was read before the last one is not used.
	erased atomic.Uint64
	// fetched is what the disk was asked for, for who reads large messages in order; nil if it was not.
	fetched atomic.Pointer[fetched]
}

// piece is a copy of some of a block's bytes below its published end, where bytes never
// change but by an erasure. Only who has taken it looks at it, so its memory is used again.
type piece struct {
	b      *block
	off    int64
	bytes  []byte
	erased uint64 // ahead.erased before it was read
}

// has says whether the piece has the n bytes of b from off on.
func (c *piece) has(b *block, off int64, n int) bool {
	return c.b == b && off >= c.off && off+int64(n) <= c.off+int64(len(c.bytes))
}

// put gives back a piece that was taken, unless it is to go.
func (a *ahead) put(c *piece) {
	b, erased := c.b, c.erased
	a.piece.Store(c) // from here on it is another's
	if a.erased.Load() != erased || !a.counted.Load() || b.last.Load() != nil {
		a.piece.CompareAndSwap(c, nil)
	}
}

// forget makes sure that nothing is served from memory that was erased before.
func (a *ahead) forget() {
	a.erased.Add(1)
	a.piece.Store(nil)
}

// forgetBlock drops what is of b, which was replaced: who can reach it keeps its space.
func (a *ahead) forgetBlock(b *block) {
	if f := a.fetched.Load(); f != nil && f.b == b {
		a.fetched.CompareAndSwap(f, nil)
	}
	if c := a.piece.Swap(nil); c != nil && c.b != b {
		a.put(c)
	}
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
		old.counted.Store(false)
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
	a.counted.Store(false)
	a.piece.Store(nil)
}

// readRecord fills p from off of v, where message seq stands, which takes size bytes; from memory, if it is there, or
// messages are being read in order and are small.
func (s *Stream) readRecord(v *view, p []byte, off, size int64, seq uint64) error {
	a := &s.ahead
	next := a.next.Load()
	a.next.Store(seq + 1)
	if seq+aheadSlack-next > 2*aheadSlack {
		return s.readAt(v.block, p, off) // it is not worth a look
	}
	c, erased := a.piece.Swap(nil), a.erased.Load()
	if c == nil || c.erased != erased || !c.has(v.block, off, len(p)) {
		if seq != next || size > aheadLimit {
			if c != nil {
				a.put(c)
			}
			return s.readAt(v.block, p, off)
		}
		if c = s.readPiece(v, c, off, erased); c == nil {
			return s.readAt(v.block, p, off)
		}
	}
	copy(p, c.bytes[off-c.off:])
	a.put(c)
	return nil
}

// readPiece reads what stands at off of v into c, or a new piece if that is nil. It returns nil if that fails.
func (s *Stream) readPiece(v *view, c *piece, off int64, erased uint64) *piece {
	if c == nil {
		c = new(piece)
	}
	n := int(min(aheadRead, v.end-off))
	*c = piece{v.block, off, sized(c.bytes, n), erased}
	if err := s.readAt(v.block, c.bytes, off); err != nil {
		return nil
	}
	if a := &s.ahead; !a.counted.Swap(true) {
		s.cache.pieces.add(a)
	}
	return c
}
