package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"jsfs/store"
)

// Version is the version of all files that this package writes.
const Version = 1

// Layout of a block (FORMAT.md section 3).
const (
	// HeaderSize is the length of a block header.
	HeaderSize = 128
	// HeaderCopy is where the second copy of the header stands.
	HeaderCopy = 4096
	// DataStart is where the first record stands.
	DataStart = HeaderCopy + 256
)

// ID tells stores apart: 16 random bytes.
type ID [16]byte

// Header opens a block and says what it belongs to.
type Header struct {
	Store       ID
	Incarnation uint64 // of the stream
	Block       uint64 // its number in the stream, from 1
	First       uint64 // the sequence that came next when the block was made
	Mark        uint64 // no sequence above it had been handed out then
	Time        int64  // base time: no message in the block is older
	Salt        [32]byte
	// Sealed says that every record and section of the block is encrypted.
	Sealed bool
	// Chain is Trailer.Chain of the block before it, in a sealed block; zeros if there is none, or
	// nobody knew it.
	Chain [16]byte

	keys *blockKeys // see Unlock
}

// featureSealed is the feature bit of a sealed block.
const featureSealed = 1

const blockMagic = "JSFSBLK\x00"

// Append appends the encoded header to dst.
func (h *Header) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, blockMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, Version)
	var features uint32
	if h.Sealed {
		features = featureSealed
	}
	dst = binary.LittleEndian.AppendUint32(dst, features)
	dst = append(dst, h.Store[:]...)
	for _, v := range []uint64{h.Incarnation, h.Block, h.First, h.Mark, uint64(h.Time)} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	dst = append(dst, h.Salt[:]...)
	dst = append(dst, h.Chain[:]...)
	return binary.LittleEndian.AppendUint64(dst, sum64(0, dst[start:]))
}

// ParseHeader decodes one copy of a header. A whole header of a later version, or with
// features that this one does not have, gives store.ErrVersion.
func ParseHeader(b []byte) (Header, error) {
	var h Header
	if len(b) < HeaderSize {
		return h, fmt.Errorf("block header: %w", ErrShort)
	}
	b = b[:HeaderSize]
	if string(b[:8]) != blockMagic || binary.LittleEndian.Uint64(b[120:]) != sum64(0, b[:120]) {
		return h, fmt.Errorf("block header: %w", ErrBad)
	}
	version, features := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if version != Version || features&^featureSealed != 0 {
		return h, fmt.Errorf("block of version %d with features %#x: %w", version, features, store.ErrVersion)
	}
	copy(h.Store[:], b[16:])
	h.Incarnation = binary.LittleEndian.Uint64(b[32:])
	h.Block = binary.LittleEndian.Uint64(b[40:])
	h.First = binary.LittleEndian.Uint64(b[48:])
	h.Mark = binary.LittleEndian.Uint64(b[56:])
	h.Time = int64(binary.LittleEndian.Uint64(b[64:]))
	copy(h.Salt[:], b[72:])
	h.Sealed = features&featureSealed != 0
	copy(h.Chain[:], b[104:])
	if h.First == 0 || h.Block == 0 {
		return h, fmt.Errorf("block header: %w", ErrBad)
	}
	return h, nil
}

// Start returns the first DataStart bytes of a block with this header: both copies of it.
func (h *Header) Start() []byte {
	b := make([]byte, DataStart)
	one := h.Append(nil)
	copy(b, one)
	copy(b[HeaderCopy:], one)
	return b
}

// Coder returns the coder for the block's records.
func (h *Header) Coder() Coder {
	salt := sum64(h.Incarnation, h.Salt[:])
	return Coder{
		base: h.First, time: h.Time,
		head:   sum64(salt, append(h.Salt[:16:16], "head"...)),
		body:   sum64(salt, append(h.Salt[16:32:32], "body"...)),
		sealed: h.Sealed, block: h.Block, keys: h.keys,
	}
}

// IsVersion says whether err tells of a later version rather than of damage.
func IsVersion(err error) bool { return errors.Is(err, store.ErrVersion) }
