package record

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"sync"

	"jsfs/store"
	"jsfs/store/internal/seal"
)

// blockKeys are the keys of one sealed block (FORMAT.md section 11).
type blockKeys struct {
	head, body cipher.AEAD // of records; one nonce serves both, as their keys differ
	foot       *seal.Box   // of a footer's sections
	mac        []byte      // of trailers
}

// Unlock gives h the keys of its block, which must be sealed. Coders and footers that come from h use
// them from then on.
func (h *Header) Unlock(k *seal.Key) {
	b := k.Derive(h.Salt[:], "jsfs block\x00"+string(h.Append(nil)), 4*seal.KeySize)
	defer clear(b)
	c := k.Cipher()
	h.keys = &blockKeys{
		head: c.AEAD(b[:seal.KeySize]),
		body: c.AEAD(b[seal.KeySize : 2*seal.KeySize]),
		foot: seal.NewBox(c.AEAD(b[2*seal.KeySize : 3*seal.KeySize])),
		mac:  append([]byte(nil), b[3*seal.KeySize:]...),
	}
}

// Same says whether o says the same as h, whatever keys they have.
func (h *Header) Same(o *Header) bool {
	a, b := *h, *o
	a.keys, b.keys = nil, nil
	return a == b
}

const (
	// sealedUnit is what the length of the sealed fields of a head is a multiple of.
	sealedUnit = 16
	maxSealed  = 2 * sealedUnit
	aadSize    = 4 + 1 + 5*8
)

// scratch is what sealing and opening a record needs besides: what is given to an AEAD would else be
// allocated each time.
type scratch struct {
	aad    [aadSize]byte
	fields [maxSealed]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// bind returns what binds a record to its place: it is authenticated with the head and with the body.
func (s *scratch) bind(c *Coder, h *Head, off int64) []byte {
	b := binary.LittleEndian.AppendUint32(s.aad[:0], Version)
	b = append(b, h.Flags&^flagsMessage)
	for _, v := range [5]uint64{c.block, uint64(off), h.Seq, uint64(h.Size), uint64(h.Durable)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// pack returns the fields of h that are sealed, in whole units.
func (s *scratch) pack(c *Coder, h *Head) []byte {
	clear(s.fields[:])
	b := append(s.fields[:0], h.Flags&flagsMessage)
	b = c.appendFields(b, h)
	return s.fields[:(len(b)+sealedUnit-1)/sealedUnit*sealedUnit]
}

// appendSealedHead is appendHead for a sealed block.
func (c *Coder) appendSealedHead(dst []byte, off int64, body int, h *Head) []byte {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	h.Flags |= FlagEncrypted
	fields := s.pack(c, h)
	var a [MaxHead]byte
	b := append(a[:0], h.Flags&^flagsMessage)
	b = binary.AppendUvarint(b, h.Seq-c.base)
	b = binary.AppendUvarint(b, uint64(off-h.Durable))
	b = append(b, byte(len(fields)))
	length := len(b) + seal.Overhead + len(fields) + checkSize + body + seal.TagSize + sumSize
	start := len(dst)
	dst = binary.AppendUvarint(dst, uint64(length))
	h.Size = int64(len(dst) - start + length)
	dst = append(dst, b...)
	h.nonce = len(dst) - start
	dst = seal.AppendNonce(dst)
	nonce := dst[start+h.nonce:]
	dst = c.keys.head.Seal(dst, nonce, fields, s.bind(c, h, off))
	dst = binary.LittleEndian.AppendUint32(dst, c.headCheck(dst[start:], off))
	h.Len = len(dst) - start
	return dst
}

// sealBody seals what stands behind the head of the record that begins at start.
func (c *Coder) sealBody(dst []byte, start int, off int64, h *Head) []byte {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	at, end := start+h.Len, len(dst)
	var room [seal.TagSize]byte
	dst = append(dst, room[:]...) // so that it is sealed in place
	c.keys.body.Seal(dst[at:at], dst[start+h.nonce:][:seal.NonceSize], dst[at:end], s.bind(c, h, off))
	return dst
}

// sealedHead is headFields in a sealed block. Without keys it leaves out what is
// sealed, and sets Locked.
func (c *Coder) sealedHead(h *Head, b []byte, p int, off int64) error {
	var f [3]uint64
	for i := range f {
		v, n := uvarint(b[p:])
		if n < 0 {
			return ErrBad
		}
		if n == 0 {
			return short(b)
		}
		f[i], p = v, p+n
	}
	n := int(f[2])
	if f[2] > maxSealed || n == 0 || n%sealedUnit != 0 || f[1] > uint64(off) {
		return ErrBad
	}
	h.nonce = p
	p += seal.Overhead + n
	if len(b) < p+checkSize {
		return short(b)
	}
	if binary.LittleEndian.Uint32(b[p:]) != c.headCheck(b[:p], off) {
		return ErrBad
	}
	h.Len, h.Seq, h.Durable = p+checkSize, c.base+f[0], off-int64(f[1])
	switch {
	case h.reserved():
		return fmt.Errorf("record with flags %#02x: %w", h.Flags, store.ErrVersion)
	case h.Flags&flagsMessage != 0 || h.Size < int64(h.Len+seal.TagSize+sumSize):
		return ErrBad
	case c.keys == nil:
		h.Locked = true
		return nil
	}
	return c.openHead(h, b[h.nonce:p], off)
}

// openHead opens the sealed fields of h.
func (c *Coder) openHead(h *Head, sealed []byte, off int64) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	nonce, text := sealed[:seal.NonceSize], sealed[seal.NonceSize:]
	b, err := c.keys.head.Open(s.fields[:0], nonce, text, s.bind(c, h, off))
	if err != nil {
		return ErrBad
	}
	if b[0]&^flagsMessage != 0 || b[0] != 0 && h.Control() {
		return ErrBad
	}
	h.Flags |= b[0]
	r := reader{b: b[1:]}
	time, subject := r.uvarint(), r.uvarint()
	var header, data uint64
	if h.Flags&FlagHeader != 0 {
		header = r.uvarint()
	}
	excess := r.uvarint()
	if h.Flags&FlagCompressed != 0 {
		data = r.uvarint()
	}
	for _, zero := range r.b {
		if zero != 0 {
			r.fail()
		}
	}
	if r.err != nil {
		return r.err
	}
	h.Time = c.time + int64(time)
	return h.setLengths(subject, header, excess, data)
}

// openBody appends the plain body of a record that was checked to dst, which may be where it stands.
func (c *Coder) openBody(dst []byte, h *Head, rec []byte, off int64) ([]byte, error) {
	if c.keys == nil {
		return nil, store.ErrKey
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	b, err := c.keys.body.Open(dst, rec[h.nonce:][:seal.NonceSize], rec[h.Len:len(rec)-sumSize], s.bind(c, h, off))
	if err != nil {
		return nil, ErrBad
	}
	return b, nil
}

// Nonce returns the nonce of rec, a sealed record with head h.
func (h *Head) Nonce(rec []byte) []byte { return rec[h.nonce:][:seal.NonceSize] }

// Plain returns rec, a whole record that was checked, with its body opened if it is sealed: then in dst, which
// it overwrites and may replace. The subject begins behind the head then, as in any record.
func (c *Coder) Plain(dst []byte, h *Head, rec []byte, off int64) ([]byte, error) {
	if !c.sealed {
		return rec, nil
	}
	dst, err := c.openBody(append(dst[:0], rec[:h.Len]...), h, rec, off)
	if err != nil {
		return nil, err
	}
	return append(dst, rec[len(rec)-sumSize:]...), nil
}
