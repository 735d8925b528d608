package legacy

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"jsfs/store"
)

// Form is how a payload is kept.
type Form uint8

// The forms.
const (
	Plain Form = iota
	FSV1
	FSV2
)

// String returns the form's magic, "plain" if it has none.
func (f Form) String() string {
	switch f {
	case FSV1:
		return "FSV1"
	case FSV2:
		return "FSV2"
	}
	return "plain"
}

// The header of an envelope: magic, flags, key check, payload check.
const (
	headerSize = 17
	magicSize  = 4

	flagCompressed = 0x01
	flagEncrypted  = 0x02
)

// ErrEnvelope means that an envelope is damaged: its payload can't be had.
var ErrEnvelope = errors.New("damaged envelope")

// Key is what payloads are encrypted with: 32 bytes for FSV2, one or more for FSV1.
type Key []byte

// check is how an envelope tells which key it wants.
func (k Key) check() (c [4]byte) {
	sum := sha256.Sum256(k)
	copy(c[:], sum[:])
	return c
}

// header is what an envelope begins with.
type header struct {
	form  Form
	flags byte
	key   [4]byte // all zeros if nothing is encrypted
	sum   [8]byte // of the plain payload
}

func payloadSum(payload []byte) (s [8]byte) {
	sum := sha256.Sum256(payload)
	copy(s[:], sum[:])
	return s
}

// parseHeader reads the header of an envelope. ok is false if b can't be one.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < headerSize {
		return h, false
	}
	switch string(b[:magicSize]) {
	case "FSV1":
		h.form = FSV1
	case "FSV2":
		h.form = FSV2
	default:
		return h, false
	}
	h.flags = b[4]
	copy(h.key[:], b[5:9])
	copy(h.sum[:], b[9:17])
	if h.flags&^(flagCompressed|flagEncrypted) != 0 || h.sum == [8]byte{} {
		return header{}, false
	}
	if h.flags&flagEncrypted == 0 && h.key != [4]byte{} {
		return header{}, false
	}
	return h, true
}

func (h header) append(b []byte) []byte {
	b = append(b, h.form.String()...)
	b = append(b, h.flags)
	b = append(b, h.key[:]...)
	return append(b, h.sum[:]...)
}

// FormOf tells what a payload would be taken for: its form, and whether it is encrypted.
func FormOf(b []byte) (form Form, encrypted bool) {
	h, _ := parseHeader(b)
	return h.form, h.flags&flagEncrypted != 0
}

// Open returns the payload that b holds: b itself if it is plain. It gives store.ErrKey if the
// payload is encrypted with none of the keys, and ErrEnvelope if it is damaged, or larger than
// limit bytes. A cipher need not be named: only one of them can agree with the tag.
func Open(b []byte, keys []Key, limit int64) (payload []byte, form Form, err error) {
	h, ok := parseHeader(b)
	if !ok {
		return b, Plain, nil
	}
	body := b[headerSize:]
	if h.flags&flagEncrypted == 0 {
		payload, err = h.open(body, limit)
		return payload, h.form, err
	}
	err = fmt.Errorf("%w: the payload is encrypted with the key whose SHA-256 begins with %x", store.ErrKey, h.key)
	for _, key := range keys {
		if check := key.check(); len(key) == 0 || subtle.ConstantTimeCompare(check[:], h.key[:]) == 0 {
			continue
		}
		if payload, err = h.decrypt(body, key, limit); err == nil {
			return payload, h.form, nil
		}
	}
	return nil, h.form, err
}

// decrypt opens an encrypted body with a key that agrees with the key check.
func (h header) decrypt(body []byte, key Key, limit int64) ([]byte, error) {
	if h.form == FSV1 {
		return h.open(xor(body, key), limit)
	}
	plain, err := openAEAD(body, key)
	if err != nil {
		return nil, err
	}
	return h.open(plain, limit)
}

// open decompresses a body that is not encrypted any more, and compares it with the payload check.
func (h header) open(body []byte, limit int64) ([]byte, error) {
	payload := body
	if h.flags&flagCompressed != 0 {
		inflate := inflateS2
		if h.form == FSV1 {
			inflate = inflateDeflate
		}
		var err error
		if payload, err = inflate(body, limit); err != nil {
			return nil, err
		}
	}
	if int64(len(payload)) > limit {
		return nil, tooLarge(limit)
	}
	if payloadSum(payload) != h.sum {
		return nil, fmt.Errorf("%w: the payload does not agree with its check", ErrEnvelope)
	}
	return payload, nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: the payload is larger than %d bytes", ErrEnvelope, limit)
}
