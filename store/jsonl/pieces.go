package jsonl

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"unicode/utf8"

	"jsfs/store"
)

// pieceSize is how much of a line is in memory at once, in bytes, more or less. What stands before the data has room in it, however it is escaped: a header has
// [store.MaxHeader] bytes at most, a subject [store.MaxSubject]. And it is a multiple of 4, the characters that stand for 3 bytes in base64.
const pieceSize = 512 << 10

// Write writes m's line in pieces, for a message that is too large to be in memory twice, and returns how many bytes it has. It is a line as Append
// makes it, but that data which is shorter in base64, as it would have to be escaped, is that. [Read] reads it.
func Write(w io.Writer, m store.Msg) (int64, error) {
	p := pieces{w: w, buf: appendHead(nil, m)}
	asText := utf8.Valid(m.Data) && stringSize(m.Data) <= base64.StdEncoding.EncodedLen(len(m.Data))+len(`_b64""`)
	if asText {
		p.buf = append(p.buf, `,"data":"`...)
	} else {
		p.buf = append(p.buf, `,"data_b64":"`...)
	}
	for rest := m.Data; len(rest) > 0; {
		n := min(len(rest), pieceSize/8*3) // a multiple of 3
		if asText {
			p.buf = appendEscaped(p.buf, rest[:n])
		} else {
			p.buf = base64.StdEncoding.AppendEncode(p.buf, rest[:n])
		}
		rest = rest[n:]
		if len(p.buf) >= pieceSize {
			p.flush()
		}
	}
	p.buf = append(p.buf, '"', '}', '\n')
	p.flush()
	return p.n, p.err
}

// pieces writes what is in its buffer, unless that failed before.
type pieces struct {
	w   io.Writer
	buf []byte
	n   int64
	err error
}

func (p *pieces) flush() {
	if p.err == nil {
		var n int
		n, p.err = p.w.Write(p.buf)
		p.n += int64(n)
	}
	p.buf = p.buf[:0]
}

// Read reads a line of size bytes as [Append] or [Write] writes it, in pieces, and gives ErrInvalid for every other. The Msg has its whole Meta.
func Read(r io.Reader, size int64) (store.Msg, error) {
	l := pieceReader{br: bufio.NewReaderSize(io.LimitReader(r, size), pieceSize), left: size}
	m, err := l.read()
	if err != nil {
		return store.Msg{}, err
	}
	m.Size, m.JSON = int64(len(m.Data)), Size(m.Seq, m.Subject, m.Header, m.Data)
	m.HasHeader, m.NoNewline = len(m.Header) > 0, !bytes.HasSuffix(m.Data, []byte("\n"))
	return m, nil
}

// pieceReader reads a line. Once there is an error it reads nothing.
type pieceReader struct {
	br   *bufio.Reader
	left int64 // of the line
	err  error
}

func (l *pieceReader) read() (m store.Msg, err error) {
	// What stands before the data is short: it is read as a line of its own.
	head := l.peek(pieceSize)
	cut := bytes.Index(head, []byte(`,"data`)) // in a header it stands with its quotation mark escaped
	if cut < 0 {
		return m, cmp.Or(l.err, invalid("it has no data"))
	}
	w, ok := parsePlain(append(bytes.Clone(head[:cut]), `,"data":""}`...))
	if !ok {
		return m, invalid("what stands before its data is not in the form that jsfs writes")
	}
	m = w.Msg
	l.discard(cut + len(`,"data`))
	switch {
	case l.skip(`_b64":"`):
		m.Data = l.base64()
	case l.skip(`":"`):
		m.Data = l.text()
	default:
		return m, cmp.Or(l.err, invalid("its data is no string"))
	}
	ended := l.skip("}")
	l.skip("\n")
	if l.err != nil || !ended || l.left > 0 {
		return m, cmp.Or(l.err, invalid("its data does not end as it should"))
	}
	return m, nil
}

func invalid(why string) error { return fmt.Errorf("JSON line: %w: %s", store.ErrInvalid, why) }

// peek returns what comes next: n bytes at least, or all that is left.
func (l *pieceReader) peek(n int) []byte {
	if _, err := l.br.Peek(int(min(l.left, int64(n)))); err != nil && l.err == nil {
		l.err = err
	}
	if l.err != nil {
		return nil
	}
	b, _ := l.br.Peek(int(min(l.left, int64(l.br.Buffered())))) // without reading
	return b
}

func (l *pieceReader) discard(n int) {
	k, _ := l.br.Discard(n) // it was peeked at
	l.left -= int64(k)
}

// skip passes over lit, and says whether it stands there.
func (l *pieceReader) skip(lit string) bool {
	ok := bytes.HasPrefix(l.peek(len(lit)), []byte(lit))
	if ok {
		l.discard(len(lit))
	}
	return ok
}

// text reads a string to its end.
func (l *pieceReader) text() []byte {
	out := make([]byte, 0, l.left)
	for {
		b := l.peek(1)
		n := simple(b)
		out = append(out, b[:n]...)
		l.discard(n)
		switch {
		case n == len(b) && n > 0:
		case n < len(b) && b[n] == '"':
			l.discard(1)
			if !utf8.Valid(out) {
				l.fail("its data is not UTF-8")
			}
			return out
		default:
			esc := plain{rest: l.peek(len(`\u0000`))}
			had := len(esc.rest)
			esc.bad = had == 0 || esc.rest[0] != '\\'
			if !esc.bad {
				out = esc.unescape(out)
			}
			if esc.bad {
				l.fail("its data is not escaped as jsfs does it")
				return out
			}
			l.discard(had - len(esc.rest))
		}
	}
}

// base64 reads a string in base64 to its end.
func (l *pieceReader) base64() []byte {
	out := make([]byte, 0, base64.StdEncoding.DecodedLen(int(l.left)))
	for {
		b := l.peek(pieceSize)
		n := bytes.IndexByte(b, '"')
		last := n >= 0
		if !last {
			n = len(b) / 4 * 4
		}
		had := len(out)
		var err error
		out, err = base64.StdEncoding.Strict().AppendDecode(out, b[:n])
		if err != nil || !last && (n == 0 || len(out)-had != n/4*3) { // padding stands at the end only
			l.fail("its data is not base64")
			return out
		}
		l.discard(n)
		if last {
			l.discard(1)
			return out
		}
	}
}

// fail notes that the line is not valid, unless it could not be read.
func (l *pieceReader) fail(why string) {
	if l.err == nil {
		l.err = invalid(why)
	}
}
