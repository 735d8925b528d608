package blockstore

import "sync/atomic"

const (
	aheadRead  = 64 << 10 // what is read at once for who reads in order
	aheadLimit = 8 << 10  // records above it are read by themselves
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
		s.ahead.piece.Store(c)
	}
	copy(p, c.bytes[off-c.off:])
	return nil
}
