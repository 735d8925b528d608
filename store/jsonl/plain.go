package jsonl

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"jsfs/store"
)

// parsePlain reads a line as Append writes it, many times as fast as encoding/json. ok is false for every line in
// which it meets something else; what such a line is, ParseWritten finds out.
func parsePlain(b []byte) (w Written, ok bool) {
	p := plain{rest: bytes.TrimSuffix(b, []byte("\n"))}
	p.skip(`{"seq":`)
	w.Seq = store.Seq(p.number())
	p.skip(`,"time":`)
	text := string(p.text())
	at, err := time.Parse(timeFormat, text)
	if err != nil || at.Before(minTime) || at.After(maxTime) || len(text) != timeSize || text[fraction] == '+' { // package time takes a sign there, and hours of one digit
		return w, false
	}
	w.Time = at.UnixNano()
	p.skip(`,"subject":`)
	w.Subject = string(p.text())
	if bytes.HasPrefix(p.rest, []byte(`,"headers`)) {
		w.Header = p.value(`,"headers`)
	}
	w.Data = p.value(`,"data`)
	p.skip(`}`)
	w.HasSeq, w.HasTime, w.HasSubject = true, true, true
	return w, !p.bad && len(p.rest) == 0 && w.Seq > 0
}

// fraction is where the fraction of a second begins in a time.
const fraction = len("2006-01-02T15:04:05.")

// The times that fit in nanoseconds since the Unix epoch.
var minTime, maxTime = time.Unix(0, -1<<63), time.Unix(0, 1<<63-1)

// plain is what is left of a line. Once bad it stays so.
type plain struct {
	rest []byte
	bad  bool
}

// skip passes over what must stand there.
func (p *plain) skip(lit string) {
	if p.bad = p.bad || !bytes.HasPrefix(p.rest, []byte(lit)); !p.bad {
		p.rest = p.rest[len(lit):]
	}
}

func (p *plain) number() uint64 {
	n := 0
	for n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(p.rest[:n]), 10, 64)
	p.bad = p.bad || err != nil || p.rest[0] == '0'
	p.rest = p.rest[n:]
	return v
}

// value reads the rest of a key, and a text or base64.
func (p *plain) value(key string) []byte {
	p.skip(key)
	if !bytes.HasPrefix(p.rest, []byte(`_b64":`)) {
		p.skip(`":`)
		return p.text()
	}
	p.skip(`_b64":`)
	b, err := base64.StdEncoding.Strict().AppendDecode(nil, p.text())
	p.bad = p.bad || err != nil
	return b
}

// text reads a string, into memory of its own. Of escapes it knows those that Append writes.
func (p *plain) text() []byte {
	p.skip(`"`)
	if p.bad {
		return nil
	}
	n := simple(p.rest)
	out := bytes.Clone(p.rest[:n])
	for p.rest = p.rest[n:]; len(p.rest) > 0 && p.rest[0] == '\\' && !p.bad; p.rest = p.rest[n:] {
		out = p.unescape(out)
		n = simple(p.rest)
		out = append(out, p.rest[:n]...)
	}
	p.skip(`"`)
	p.bad = p.bad || !utf8.Valid(out)
	return out
}

// simple is how many bytes stand before the end of a string, or before one that must not or may not stand there as
// it is.
func simple(b []byte) int {
	for i, c := range b {
		if c < 0x20 || c == '"' || c == '\\' {
			return i
		}
	}
	return len(b)
}

// unescaped are the bytes for which a letter behind a backslash stands.
var unescaped = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\'}

// unescape appends the byte for which the escape stands that comes next.
func (p *plain) unescape(out []byte) []byte {
	const u00 = `\u00`
	switch {
	case len(p.rest) > 1 && unescaped[p.rest[1]] != 0:
		out = append(out, unescaped[p.rest[1]])
		p.rest = p.rest[2:]
	case len(p.rest) >= 6 && bytes.HasPrefix(p.rest, []byte(u00)):
		n, err := strconv.ParseUint(string(p.rest[4:6]), 16, 8)
		p.bad = err != nil || n >= utf8.RuneSelf
		out = append(out, byte(n))
		p.rest = p.rest[6:]
	default:
		p.bad = true
	}
	return out
}
