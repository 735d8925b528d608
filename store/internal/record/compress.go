package record

import (
	"sync"

	"github.com/klauspost/compress/s2"
)

const (
	// leastCompress is the least that compressing is tried on: what is shorter hardly ever shrinks.
	leastCompress = 48
	// keepPacked is how large a buffer may be that is kept for the next message.
	keepPacked = 256 << 10
)

// packed is a message's header and payload, compressed.
type packed struct {
	in  []byte // header and payload, where there are both
	out []byte
}

var packs = sync.Pool{New: func() any { return new(packed) }}

// compress compresses header and payload of m, each message by itself. It is nil if that does not
// make the record smaller; else the caller frees it.
func compress(m *Message) *packed {
	size := len(m.Header) + len(m.Data)
	if size < leastCompress {
		return nil
	}
	p := packs.Get().(*packed)
	in := m.Data
	if len(m.Header) > 0 {
		p.in = append(append(p.in[:0], m.Header...), m.Data...)
		in = p.in
	}
	if n := s2.MaxEncodedLen(size); cap(p.out) < n {
		p.out = make([]byte, n)
	}
	p.out = s2.Encode(p.out[:cap(p.out)], in)
	if len(p.out)+maxLength >= size {
		p.free()
		return nil
	}
	return p
}

// maxLength is the most that the payload's length takes in the head.
const maxLength = 5

func (p *packed) free() {
	if cap(p.in) <= keepPacked && cap(p.out) <= keepPacked {
		packs.Put(p)
	}
}

// decompress returns the size bytes that b was made from, in buf's capacity if that suffices. It
// allocates nothing unless b says that it has just that size.
func decompress(b []byte, size int, buf []byte) ([]byte, error) {
	if n, err := s2.DecodedLen(b); err != nil || n != size {
		return nil, ErrBad
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	out, err := s2.Decode(buf[:size], b)
	if err != nil || len(out) != size {
		return nil, ErrBad
	}
	return out[:size:size], nil
}
