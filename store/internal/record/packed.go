package record

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
)

// featurePacked is the feature of a footer that packed tells (FORMAT.md section 6).
const featurePacked = 1 << 0

// packs says whether section s is compressed.
func (t *Trailer) packs(s Section) bool {
	return t.packed && (s == Offsets || s == Subjects || s == Places)
}

// appendPacked appends plain, compressed, to dst. Of nothing it appends nothing.
func appendPacked(dst, plain []byte) []byte {
	if len(plain) == 0 {
		return dst
	}
	most := s2.MaxEncodedLen(len(plain))
	dst = slices.Grow(dst, most)
	return dst[:len(dst)+len(s2.Encode(dst[len(dst):len(dst)+most], plain))]
}

// unpack is the reverse for section s, which has no more bytes than a block with so many bytes of records can give it.
func (t *Trailer) unpack(b []byte, s Section) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	// A message takes MinRecord bytes at least, and a subject 24 besides its name, which stands in a record.
	n, err := s2.DecodedLen(b)
	if err == nil && int64(n) <= 3*t.DataEnd {
		var plain []byte
		if plain, err = s2.Decode(nil, b); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("footer section %d: %w", s, ErrBad)
}

// relative makes the names of a table that is not packed what they are in one that is: there the first message of a subject
// is counted from 0, and not from that of the subject before.
func relative(names []byte, count int) ([]byte, error) {
	r, out, prev := reader{b: names}, make([]byte, 0, len(names)+len(names)/8), uint64(0)
	for i := range count {
		if i%restartEvery == 0 {
			prev = 0
		}
		shared := r.uvarint()
		rest := r.bytes(r.uvarint())
		n, first := r.uvarint(), r.uvarint()
		out = appendUvarints(out, shared, uint64(len(rest)))
		out = append(out, rest...)
		out = binary.AppendUvarint(out, n)
		out = binary.AppendVarint(out, int64(first-prev))
		prev = first
		if n > 1 {
			span := r.uvarint()
			out = binary.AppendUvarint(out, span)
			if n > 2 && n <= span {
				out = binary.AppendUvarint(out, r.uvarint())
			}
		}
	}
	return out, r.end()
}
