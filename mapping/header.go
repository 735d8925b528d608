package mapping

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"jsfs/store"
)

// HeaderMtime is a header that jsfs itself gives to messages: the time that utimens(2)
// asked for, as FormatTime writes it.
const HeaderMtime = "Jsfs-Mtime"

// HeaderFilename is another one: the name, as EscapeFile writes it, of the file that became the message.
const HeaderFilename = "Jsfs-Filename"

const headerLine = "NATS/1.0"

// Field is a line of a header block. Names are case-sensitive and may repeat.
type Field struct{ Name, Value string }

// ParseHeader returns the fields of a NATS/1.0 header block, in their order. An
// empty block has none. A malformed one gives the fields before the fault, and an error
// that wraps store.ErrInvalid.
func ParseHeader(block []byte) ([]Field, error) {
	if len(block) == 0 {
		return nil, nil
	}
	line, rest, ok := bytes.Cut(block, []byte("\r\n"))
	if !ok || !bytes.HasPrefix(line, []byte(headerLine)) {
		return nil, fmt.Errorf("header: %w: it does not begin with %s", store.ErrInvalid, headerLine)
	}
	var fields []Field
	for {
		line, rest, ok = bytes.Cut(rest, []byte("\r\n"))
		if !ok {
			return fields, fmt.Errorf("header: %w: it does not end in an empty line", store.ErrInvalid)
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 {
			return fields, fmt.Errorf("header: %w: line %q has no name", store.ErrInvalid, line)
		}
		fields = append(fields, Field{string(name), string(bytes.TrimLeft(value, " \t"))})
	}
	if len(rest) > 0 {
		return fields, fmt.Errorf("header: %w: something follows its empty line", store.ErrInvalid)
	}
	return fields, nil
}

// HeaderValue returns the first value of the field with that name. Of a malformed
// block it sees what ParseHeader returns.
func HeaderValue(block []byte, name string) (string, bool) {
	fields, _ := ParseHeader(block)
	for _, f := range fields {
		if f.Name == name {
			return f.Value, true
		}
	}
	return "", false
}

// AppendHeader returns the header block with a field added at its end, in memory of
// its own; an empty block becomes a new one. It refuses, with an error that wraps
// store.ErrInvalid, a malformed block, a name that is not printable ASCII without
// colon, and a value that a reader would not get back: with a line break, or white space in front.
func AppendHeader(block []byte, name, value string) ([]byte, error) {
	if !headerName(name) {
		return nil, fmt.Errorf("header name %q: %w", name, store.ErrInvalid)
	}
	if strings.ContainsAny(value, "\r\n") || strings.TrimLeft(value, " \t") != value {
		return nil, fmt.Errorf("value %q of header %s: %w", value, name, store.ErrInvalid)
	}
	if len(block) == 0 {
		block = []byte(headerLine + "\r\n\r\n")
	} else if _, err := ParseHeader(block); err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(block)+len(name)+len(value)+4)
	b = append(b, block[:len(block)-2]...)
	b = append(append(append(b, name...), ": "...), value...)
	return append(b, "\r\n\r\n"...), nil
}

// WithoutHeader returns the header block without the fields of a name, in memory of its own if it has any. A
// malformed block is left as it is. A block of which nothing is left is empty.
func WithoutHeader(block []byte, name string) []byte {
	fields, err := ParseHeader(block)
	kept := slices.DeleteFunc(slices.Clone(fields), func(f Field) bool { return f.Name == name })
	if err != nil || len(kept) == len(fields) {
		return block
	}
	return joinHeader(kept)
}

func headerName(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == ':' {
			return false
		}
	}
	return name != ""
}

// FormatTime writes a time, in nanoseconds since the Unix epoch, as RFC 3339 in UTC
// with nine digits of a second.
func FormatTime(ns int64) string {
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
}

// ParseTime reads a time in RFC 3339. ok is false if it is malformed or does not fit
// in nanoseconds since the Unix epoch.
func ParseTime(s string) (ns int64, ok bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, false
	}
	ns = t.UnixNano()
	return ns, time.Unix(0, ns).Equal(t)
}
