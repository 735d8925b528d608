// Package jsonl writes and reads messages as JSON lines: the lossless form of a
// message as text, one object a line,
//
//	{"seq":1,"time":"2026-01-02T03:04:05.000000006Z","subject":"orders.new","headers":"…","data":"…"}
//
// "headers" is missing when the message has none. Header and data are JSON strings
// where they are valid UTF-8; else the key is "headers_b64" or "data_b64" and the
// value base64 in the standard alphabet with padding.
//
// Engines keep sums of [Size], so the form of a line is part of their formats: it
// can't change without a new version of theirs.
package jsonl

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"jsfs/store"
)

const timeFormat = "2006-01-02T15:04:05.000000000Z"

// timeSize is the length of a time between the years 0 and 9999, which is every
// time that fits in nanoseconds since the Unix epoch.
const timeSize = len(timeFormat)

// Append appends m's line, with its newline, to dst and returns the longer slice.
func Append(dst []byte, m store.Msg) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, uint64(m.Seq), 10)
	dst = append(dst, `,"time":"`...)
	dst = time.Unix(0, m.Time).UTC().AppendFormat(dst, timeFormat)
	dst = append(dst, `","subject":`...)
	dst = appendString(dst, []byte(m.Subject))
	if len(m.Header) > 0 {
		dst = appendBytes(append(dst, `,"headers`...), m.Header)
	}
	dst = appendBytes(append(dst, `,"data`...), m.Data)
	return append(dst, '}', '\n')
}

// Size returns len(Append(nil, m)) for a message with these parts, without building it.
func Size(seq store.Seq, subject string, header, data []byte) int64 {
	n := len(`{"seq":,"time":"","subject":}`) + digits(uint64(seq)) + timeSize + stringSize([]byte(subject)) + 1
	if len(header) > 0 {
		n += len(`,"headers`) + bytesSize(header)
	}
	return int64(n + len(`,"data`) + bytesSize(data))
}

func digits(n uint64) int {
	d := 1
	for p := uint64(10); n >= p; p *= 10 {
		d++
		if p > math.MaxUint64/10 {
			break
		}
	}
	return d
}

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
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
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
	dst = append(dst, b[start:]...)
	return append(dst, '"')
}

// asciiSize is stringSize, eight bytes at a time; ascii says that b has ASCII characters only, without which there
// is no size.
func asciiSize(b []byte) (n int, ascii bool) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n = len(b) + 2
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		if w&highs != 0 {
			return 0, false
		}
		// Of a byte below 0x80 the high bit is set in the difference where it is below 0x20, or has become 0 by the
		// xor. A borrow may set that of a byte above one that is such, never another: all eight are counted then.
		quote, slash := w^ones*'"', w^ones*'\\'
		if ((w-ones*0x20)|(quote-ones)|(slash-ones))&highs == 0 {
			continue
		}
		for _, c := range b[:8] {
			n += int(escapeSize[c])
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return 0, false
		}
		n += int(escapeSize[c])
	}
	return n, true
}

func stringSize(b []byte) int {
	n := len(b) + 2
	for _, c := range b {
		n += int(escapeSize[c])
	}
	return n
}
