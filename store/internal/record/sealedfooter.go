package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"jsfs/store"
)

// mac returns the first half of the HMAC-SHA256 over b, for what what names.
func (h *Header) mac(what string, b []byte) (out [16]byte) {
	m := hmac.New(sha256.New, h.keys.mac)
	_, _ = m.Write([]byte(what))
	_, _ = m.Write(b)
	copy(out[:], m.Sum(nil))
	return out
}

func (h *Header) sameMAC(what string, b, mac []byte) bool {
	want := h.mac(what, b)
	return hmac.Equal(want[:], mac)
}

// placeOf is what binds a section of a footer to its place.
func placeOf(s Section, off int64, count uint32) []byte {
	b := append([]byte(nil), byte(s))
	b = binary.LittleEndian.AppendUint64(b, uint64(off))
	return binary.LittleEndian.AppendUint32(b, count)
}

// sealSection seals what dst has from from on, a section that stands at off of the block.
func (h *Header) sealSection(dst []byte, from int, s Section, off int64, count uint32) []byte {
	plain := append([]byte(nil), dst[from:]...)
	if len(plain) == 0 {
		return dst // that it is empty stands in the trailer, which has a MAC
	}
	return h.keys.foot.Seal(dst[:from], plain, placeOf(s, off, count))
}

func (h *Header) openSection(b []byte, s Section, p part) ([]byte, error) {
	if h.keys == nil {
		return nil, fmt.Errorf("footer section %d: %w", s, store.ErrKey)
	}
	if p.size == 0 {
		return nil, nil
	}
	plain, err := h.keys.foot.Open(nil, b, placeOf(s, p.off, p.count))
	if err != nil {
		return nil, fmt.Errorf("footer section %d: %w", s, ErrBad)
	}
	return plain, nil
}
