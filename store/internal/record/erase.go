package record

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// ErrErased means that a message's subject, header block and payload were overwritten with zeros.
// For who looks for a live message that is damage.
var ErrErased = fmt.Errorf("message was erased: %w", ErrBad)

var zeros [4096]byte

// AllZero says whether b has no other bytes than zeros.
func AllZero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// Erased says whether rec, a whole, checked record with head h, is that of a message that was erased
// (FORMAT.md section 4.4). No other record has a body of zeros: no subject has a zero byte, and no text that is
// sealed looks so.
func (h *Head) Erased(rec []byte) bool {
	return !h.Control() && AllZero(rec[h.Len:len(rec)-sumSize])
}

// Body returns where the body of the record with head h begins and how long it is. Its sum is right behind it.
func (h *Head) Body(off int64) (begin, size int64) {
	return off + int64(h.Len), h.Size - int64(h.Len) - sumSize
}

// ErasedSum returns the sum that the record at offset off has when it is erased. head is its head's bytes.
func (c *Coder) ErasedSum(h *Head, head []byte, off int64) []byte {
	var d xxhash.Digest
	d.ResetWithSeed(c.bodySeed(off))
	_, _ = d.Write(head[:h.Len])
	_, size := h.Body(off)
	for size > 0 {
		n := min(size, int64(len(zeros)))
		_, _ = d.Write(zeros[:n])
		size -= n
	}
	return binary.LittleEndian.AppendUint64(nil, d.Sum64())
}
