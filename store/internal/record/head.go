package record

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"jsfs/store"
	"jsfs/store/internal/seal"
)

// Head is what a record says about itself before its body.
type Head struct {
	Flags   byte
	Seq     uint64 // of the message; of a control, the sequence that comes next
	Durable int64  // the offset below which the block was known to be on disk
	Time    int64
	Subject int   // length
	Header  int   // length
	Data    int64 // length of the payload, or of a control's content
	JSON    int64 // length of the message as a JSON line
	Len     int   // of the head itself, its check included
	Size    int64 // of the whole record
	// Locked says that the record is sealed and the key is not there: then only Flags, Seq, Durable, Len and
	// Size are known.
	Locked bool
	nonce  int // where it stands in a sealed record
}

// Control says whether the record is no message.
func (h *Head) Control() bool { return h.Flags&flagsControl != 0 }

// reserved says whether the flags are those of a record of a later version: what is two kinds of control at once.
func (h *Head) reserved() bool { return bits.OnesCount8(h.Flags&flagsControl) > 1 }

// Meta is what the contract tells of a message.
func (h *Head) Meta() store.Meta {
	return store.Meta{
		Seq: store.Seq(h.Seq), Time: h.Time, Size: h.Data, JSON: h.JSON,
		HasHeader: h.Flags&FlagHeader != 0, NoNewline: h.Flags&FlagNoNewline != 0,
	}
}

// Head decodes the head of the record at offset off, of which b has the first bytes:
// [MaxHead] of them are always enough.
func (c *Coder) Head(b []byte, off int64) (h Head, err error) {
	length, n := uvarint(b)
	switch {
	case n < 0 || n > 0 && (length < MinRecord-1 || length > MaxRecord):
		return h, ErrBad
	case n == 0 || len(b) <= n:
		return h, short(b)
	}
	h.Flags, h.Size = b[n], int64(n)+int64(length)
	if c.sealed != (h.Flags&FlagEncrypted != 0) || bits.OnesCount8(h.Flags&flagsControl) == 1 && h.Flags&flagsMessage != 0 {
		return h, ErrBad
	}
	if c.sealed {
		err = c.sealedHead(&h, b, n+1, off)
	} else {
		err = c.headFields(&h, b, n+1, off)
	}
	return h, err
}

// headFields decodes what follows the flags, from b[p:], into h, which has flags and size.
func (c *Coder) headFields(h *Head, b []byte, p int, off int64) error {
	var f [7]uint64
	for i := range f {
		if i == 4 && h.Flags&FlagHeader == 0 || i == 6 && h.Flags&FlagCompressed == 0 {
			continue
		}
		v, n := uvarint(b[p:])
		if n < 0 {
			return ErrBad
		}
		if n == 0 {
			return short(b)
		}
		f[i], p = v, p+n
	}
	if len(b) < p+checkSize {
		return short(b)
	}
	if binary.LittleEndian.Uint32(b[p:]) != c.headCheck(b[:p], off) || f[1] > uint64(off) {
		return ErrBad
	}
	h.Len = p + checkSize
	h.Seq, h.Durable, h.Time = c.base+f[0], off-int64(f[1]), c.time+int64(f[2])
	return h.setLengths(f[3], f[4], f[5], f[6])
}

// setLengths fills in the lengths of the body's parts, and checks all of them. data counts only if
// the record is compressed.
func (h *Head) setLengths(subject, header, excess, data uint64) error {
	if h.reserved() {
		return fmt.Errorf("record with flags %#02x: %w", h.Flags, store.ErrVersion)
	}
	if subject > store.MaxSubject || header > store.MaxHeader || data > store.MaxMsgSize ||
		h.Control() != (subject == 0) || h.Flags&FlagHeader != 0 && header == 0 {
		return ErrBad
	}
	h.Subject, h.Header, h.Data = int(subject), int(header), int64(data)
	stored := h.Size - int64(h.Len) - sumSize - int64(subject)
	if h.Flags&FlagEncrypted != 0 {
		stored -= seal.TagSize
	}
	if h.Flags&FlagCompressed == 0 {
		h.Data = stored - int64(header)
	} else if stored >= int64(header)+h.Data {
		return ErrBad // it is compressed only where that makes it smaller
	}
	if stored < 0 || h.Data < 0 || excess > 6*uint64(h.Data+int64(header)+int64(subject))+256 {
		return ErrBad
	}
	h.JSON = h.Data + int64(excess)
	return nil
}

// uvarint is binary.Uvarint: n is 0 if b is too short, below 0 if it is no number.
func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return longUvarint(b)
}

// longUvarint is uvarint of more than a byte. Where there are eight it looks at them at once.
func longUvarint(b []byte) (uint64, int) {
	if len(b) < 8 {
		return binary.Uvarint(b)
	}
	x := binary.LittleEndian.Uint64(b)
	ends := ^x & 0x8080808080808080 // the high bit of each byte that may be the last
	if ends == 0 {
		return binary.Uvarint(b)
	}
	x &= ends ^ (ends - 1) // no more than the first of them
	x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
	x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
	x = x&0x000000000fffffff | x&0x0fffffff00000000>>4
	return x, bits.TrailingZeros64(ends)/8 + 1
}

// short tells what it means that a head did not fit into b.
func short(b []byte) error {
	if len(b) >= MaxHead {
		return ErrBad
	}
	return ErrShort
}
