package record

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"jsfs/store"
	"jsfs/store/internal/seal"
)

// Errors of decoding.
var (
	// ErrShort means that the bytes end too early; with more of them they may be valid.
	ErrShort = errors.New("cut short")
	// ErrBad means that the bytes are not what they should be.
	ErrBad = errors.New("checksum or form is wrong")
)

// Flags of a record (FORMAT.md section 4.1).
const (
	FlagRemove     = 1 << 0 // the deletion bit: a control that removes messages
	FlagUndelete   = 1 << 1 // a control that brings messages back
	FlagSkip       = 1 << 2 // a control that accounts for sequences without a message
	FlagHeader     = 1 << 3 // the message has a header block
	FlagNoNewline  = 1 << 4 // the payload does not end in a newline
	FlagCompressed = 1 << 5 // header block and payload are one S2 block
	FlagEncrypted  = 1 << 6 // the record is sealed, as all of its block are
	FlagDraft      = 1 << 7 // the message was made of a draft whose new name may not be on disk before it

	flagsControl = FlagRemove | FlagUndelete | FlagSkip
	flagsMessage = FlagHeader | FlagNoNewline | FlagCompressed | FlagDraft // what no control has
)

const (
	checkSize = 4 // of the head check
	sumSize   = 8 // of the sum that ends a record

	// MaxHead is the most that a head takes, its check included.
	MaxHead = 96
	// Overhead is the most that a record takes besides subject, header and payload.
	Overhead = MaxHead + seal.TagSize + sumSize
	// MaxRecord is the most that a record takes.
	MaxRecord = store.MaxMsgSize + store.MaxSubject + Overhead
	// MinRecord is the least that a record takes.
	MinRecord = 7 + checkSize + sumSize
)

// Coder reads and writes the records of one block. It is immutable.
type Coder struct {
	base uint64 // first sequence of the block
	time int64  // base time of the block
	head uint64 // seed of head checks
	body uint64 // seed of record sums

	sealed bool
	block  uint64     // its number
	keys   *blockKeys // nil if it is not sealed, or nobody has the key
}

// Message is a message that is to be encoded.
type Message struct {
	Seq     uint64
	Time    int64
	Durable int64 // as in Head
	JSON    int64
	Subject string
	Header  []byte
	Data    []byte
	// Compress stores header and payload compressed, if that makes the record smaller.
	Compress bool
	// Draft says that the message was made of a draft, and that the draft's new name may not be on disk before it.
	Draft bool
}

// AppendMessage appends the record of m, which is to stand at offset off of the
// block, to dst. The caller has checked m against the limits of package store.
func (c *Coder) AppendMessage(dst []byte, off int64, m *Message) []byte {
	var flags byte
	if len(m.Header) > 0 {
		flags |= FlagHeader
	}
	if n := len(m.Data); n == 0 || m.Data[n-1] != '\n' {
		flags |= FlagNoNewline
	}
	if m.Draft {
		flags |= FlagDraft
	}
	start := len(dst)
	h := Head{
		Flags: flags, Seq: m.Seq, Durable: m.Durable, Time: m.Time,
		Subject: len(m.Subject), Header: len(m.Header), Data: int64(len(m.Data)), JSON: m.JSON - int64(len(m.Data)),
	}
	body := [2][]byte{m.Header, m.Data}
	if m.Compress {
		if p := compress(m); p != nil {
			defer p.free()
			h.Flags |= FlagCompressed
			body = [2][]byte{p.out}
		}
	}
	dst = c.appendHead(dst, off, len(m.Subject)+len(body[0])+len(body[1]), &h)
	dst = append(dst, m.Subject...)
	dst = append(dst, body[0]...)
	dst = append(dst, body[1]...)
	if c.sealed {
		dst = c.sealBody(dst, start, off, &h)
	}
	return c.appendSum(dst, start, off)
}

// appendHead appends a head. Of h, JSON is the excess over the payload here.
func (c *Coder) appendHead(dst []byte, off int64, body int, h *Head) []byte {
	if c.sealed {
		return c.appendSealedHead(dst, off, body, h)
	}
	start, distance := len(dst), uint64(off-h.Durable)
	fields := 1 + uvarintSize(h.Seq-c.base) + uvarintSize(distance) + c.fieldsSize(h)
	dst = binary.AppendUvarint(dst, uint64(fields+checkSize+body+sumSize))
	dst = append(dst, h.Flags)
	dst = binary.AppendUvarint(dst, h.Seq-c.base)
	dst = binary.AppendUvarint(dst, distance)
	dst = c.appendFields(dst, h)
	return binary.LittleEndian.AppendUint32(dst, c.headCheck(dst[start:], off))
}

// uvarintSize is how many bytes v takes as a uvarint.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// fieldsSize is how many bytes appendFields appends.
func (c *Coder) fieldsSize(h *Head) int {
	n := uvarintSize(uint64(h.Time-c.time)) + uvarintSize(uint64(h.Subject)) + uvarintSize(uint64(h.JSON))
	if h.Flags&FlagHeader != 0 {
		n += uvarintSize(uint64(h.Header))
	}
	if h.Flags&FlagCompressed != 0 {
		n += uvarintSize(uint64(h.Data))
	}
	return n
}

// appendFields appends the fields of a head that a sealed record hides.
func (c *Coder) appendFields(b []byte, h *Head) []byte {
	b = binary.AppendUvarint(b, uint64(h.Time-c.time))
	b = binary.AppendUvarint(b, uint64(h.Subject))
	if h.Flags&FlagHeader != 0 {
		b = binary.AppendUvarint(b, uint64(h.Header))
	}
	b = binary.AppendUvarint(b, uint64(h.JSON))
	if h.Flags&FlagCompressed != 0 {
		b = binary.AppendUvarint(b, uint64(h.Data))
	}
	return b
}

func (c *Coder) appendSum(dst []byte, start int, off int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, c.sum(dst[start:], off))
}

// Odd constants that spread an offset over the bits of a seed.
const (
	spreadHead = 0x9E3779B97F4A7C15
	spreadBody = 0xC2B2AE3D27D4EB4F
)

func (c *Coder) headCheck(b []byte, off int64) uint32 {
	s := sum64(c.head^uint64(off)*spreadHead, b)
	return uint32(s ^ s>>32)
}

func (c *Coder) sum(b []byte, off int64) uint64 {
	return sum64(c.bodySeed(off), b)
}

func (c *Coder) bodySeed(off int64) uint64 {
	return c.body ^ uint64(off)*spreadBody
}

// Check says whether rec, the whole record at offset off, is what was written.
func (c *Coder) Check(rec []byte, off int64) error {
	n := len(rec) - sumSize
	if n < 0 {
		return ErrShort
	}
	if binary.LittleEndian.Uint64(rec[n:]) != c.sum(rec[:n], off) {
		return ErrBad
	}
	return nil
}

// Sum checks a record that arrives in pieces: write the whole record to it, sum and all.
type Sum struct {
	d    xxhash.Digest
	left int64 // bytes still to come before the sum
	tail []byte
}

// Sum starts checking the record with head h at offset off.
func (c *Coder) Sum(h *Head, off int64) *Sum {
	s := &Sum{left: h.Size - sumSize}
	s.d.ResetWithSeed(c.bodySeed(off))
	return s
}

// Write takes the next piece; bytes behind the record are passed over.
func (s *Sum) Write(p []byte) (int, error) {
	n := min(int64(len(p)), s.left)
	_, _ = s.d.Write(p[:n])
	s.left -= n
	if rest := p[n:]; len(rest) > 0 {
		s.tail = append(s.tail, rest[:min(len(rest), sumSize-len(s.tail))]...)
	}
	return len(p), nil
}

// Check returns nil if the record is whole.
func (s *Sum) Check() error {
	if len(s.tail) < sumSize {
		return ErrShort
	}
	if binary.LittleEndian.Uint64(s.tail) != s.d.Sum64() {
		return ErrBad
	}
	return nil
}

// Open checks rec, the whole record at offset off that has head h, and cuts it into its subject, its
// header and its payload. It is deciphered in place, and decompressed into what rec's capacity has behind the
// record if that suffices. The results alias rec, or have memory of their own.
func (c *Coder) Open(h *Head, rec []byte, off int64) (subject, header, data []byte, err error) {
	if int64(len(rec)) != h.Size {
		return nil, nil, nil, ErrShort
	}
	if err := c.Check(rec, off); err != nil {
		return nil, nil, nil, err
	}
	body := rec[h.Len : len(rec)-sumSize]
	if h.Erased(rec) {
		return nil, nil, nil, ErrErased
	}
	if c.sealed {
		if body, err = c.openBody(body[:0], h, rec, off); err != nil {
			return nil, nil, nil, err
		}
	}
	return h.parts(body, rec[len(rec):cap(rec)])
}

// parts cuts the body of a whole record.
func (h *Head) parts(b, spare []byte) (subject, header, data []byte, err error) {
	subject, b = b[:h.Subject:h.Subject], b[h.Subject:len(b):len(b)]
	if h.Flags&FlagCompressed != 0 {
		if b, err = decompress(b, h.Header+int(h.Data), spare); err != nil {
			return nil, nil, nil, err
		}
	}
	return subject, b[:h.Header:h.Header], b[h.Header:], nil
}
