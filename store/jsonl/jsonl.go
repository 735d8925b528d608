package jsonl

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"jsfs/store"
)

const timeFormat = "2006-01-02T15:04:05.000000000Z"

// timeSize is the length of a time between the years 0 and 9999, which is every
// time that fits in nanoseconds since the Unix epoch.
const timeSize = len(timeFormat)

// Append appends m's line, with its newline, to dst and returns the longer slice.
func Append(dst []byte, m store.Msg) []byte {
	dst = appendBytes(append(appendHead(dst, m), `,"data`...), m.Data)
	return append(dst, '}', '\n')
}

// appendHead appends what stands before the data.
func appendHead(dst []byte, m store.Msg) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, uint64(m.Seq), 10)
	dst = append(dst, `,"time":"`...)
	dst = time.Unix(0, m.Time).UTC().AppendFormat(dst, timeFormat)
	dst = append(dst, `","subject":`...)
	dst = appendString(dst, []byte(m.Subject))
	if len(m.Header) > 0 {
		dst = appendBytes(append(dst, `,"headers`...), m.Header)
	}
	return dst
}

// Size returns len(Append(nil, m)) for a message with these parts, without building it.
func Size(seq store.Seq, subject string, header, data []byte) int64 {
	n := len(`{"seq":,"time":"","subject":}`) + digits(uint64(seq)) + timeSize + textSize(subject) + 1
	if len(header) > 0 {
		n += len(`,"headers`) + bytesSize(header)
	}
	return int64(n + len(`,"data`) + bytesSize(data))
}

// digits is how many digits n has in decimal.
func digits(n uint64) int {
	if n < 10 {
		return 1
	}
	d := bits.Len64(n) * 1233 >> 12 // the logarithm; of those that begin at a power of ten one less
	if n >= powers[d] {
		d++
	}
	return d
}

// powers are the powers of ten.
var powers = func() (t [20]uint64) {
	for i, p := 0, uint64(1); i < len(t); i, p = i+1, p*10 {
		t[i] = p
	}
	return t
}()

// appendBytes ends a key that has been begun, and appends b as its value.
func appendBytes(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return appendString(append(dst, '"', ':'), b)
	}
	dst = append(dst, `_b64":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

func bytesSize(b []byte) int {
	if n, ascii := asciiSize(b); ascii {
		return len(`":`) + n
	}
	if utf8.Valid(b) {
		return len(`":`) + stringSize(b)
	}
	return len(`_b64":""`) + base64.StdEncoding.EncodedLen(len(b))
}

// escapeSize is how many bytes more than one each byte takes in a JSON string.
var escapeSize = func() (t [256]uint8) {
	for c := range 0x20 {
		t[c] = 5 // \u00XX
	}
	for _, c := range "\b\f\n\r\t\"\\" {
		t[c] = 1
	}
	return t
}()

// appendString appends b, which is valid UTF-8, as a JSON string. Only what must be
// escaped is.
func appendString(dst, b []byte) []byte {
	return append(appendEscaped(append(dst, '"'), b), '"')
}

// appendEscaped appends b as it stands in a JSON string; b may end within a character.
func appendEscaped(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i, c := range b {
		if escapeSize[c] == 0 {
			continue
		}
		dst = append(dst, b[start:i]...)
		start = i + 1
		switch c {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '"', '\\':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, b[start:]...)
}

// textSize is stringSize of a text.
func textSize(s string) int {
	b := unsafe.Slice(unsafe.StringData(s), len(s)) // nobody changes it
	if n, ascii := asciiSize(b); ascii {
		return n
	}
	return stringSize(b)
}

// asciiSize is stringSize, eight bytes at a time; ascii says that b has ASCII characters only, without which there
// is no size.
func asciiSize(b []byte) (n int, ascii bool) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n = len(b) + 2
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		// Of bytes below 0x80 no sum below carries: each has its high bit set unless the byte is below 0x20, or 0.
		if (w|^(w+ones*0x60))&highs != 0 {
			k, ascii := escapes(b[:8])
			if !ascii {
				return 0, false
			}
			n += k
			continue
		}
		quote, slash := w^ones*'"', w^ones*'\\'
		n += bits.OnesCount64(^((quote + ones*0x7f) & (slash + ones*0x7f)) & highs)
	}
	k, ascii := escapes(b)
	return n + k, ascii
}

// escapes is how many bytes more than one each the bytes of b take in a JSON string; ascii as in asciiSize.
func escapes(b []byte) (n int, ascii bool) {
	var all byte
	for _, c := range b {
		all |= c
		n += int(escapeSize[c])
	}
	return n, all < 0x80
}

func stringSize(b []byte) int {
	n := len(b) + 2
	for _, c := range b {
		n += int(escapeSize[c])
	}
	return n
}
