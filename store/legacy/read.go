package legacy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"jsfs/store"
)

// MaxPayload is the size in bytes that a payload may have, headers included: what a stream takes that
// has no other configuration.
const MaxPayload = store.DefaultMaxMsgSize

// maxLine bounds the length of a line: a message of MaxPayload in base64, and half as much again for what
// JSON escapes.
const maxLine = MaxPayload / 3 * 4 / 2 * 3

// Line is a line of a file.
type Line struct {
	Number int   // from 1
	Offset int64 // where it begins
	Length int64 // its newline included
	// Msg is the message, if Err is nil. Header and Data are the caller's.
	Msg store.Msg
	// Form is how the payload was kept, Encrypted whether it was.
	Form      Form
	Encrypted bool
	// Raised says that the time in the line is below that of the message before it, which Msg
	// has instead: inside a stream, times never go backwards.
	Raised bool
	// Err says why the line is not one message. It wraps ErrLine or ErrEnvelope, or what
	// store.Config.CheckEntry gives.
	Err error
	// Torn says that Err is due to a write that a crash cut off: it is the last line, and has no
	// newline.
	Torn bool
}

// Read walks the lines of a file that holds the stream of that name. Empty lines are passed over. What
// is wrong with a line stands in the line; an error ends the walk. It is r's, or wraps store.ErrKey
// and comes with the line that needs a key which is not there.
func Read(r io.Reader, stream string, keys []Key) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		rd := reader{in: bufio.NewReaderSize(r, 64<<10), keys: keys}
		rd.config = store.Config{Name: stream}.WithDefaults()
		for {
			l, err := rd.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// reader is a walk over a file.
type reader struct {
	in     *bufio.Reader
	config store.Config
	keys   []Key

	buf    []byte // the line, without its newline
	number int
	offset int64
	last   store.Seq // of the last good line
	time   int64
}

// next returns the next line that is not empty, or io.EOF.
func (r *reader) next() (Line, error) {
	for {
		l := Line{Number: r.number + 1, Offset: r.offset}
		whole, err := r.readLine(&l)
		if err != nil {
			return l, err
		}
		r.number, r.offset = l.Number, l.Offset+l.Length
		text := r.buf
		if l.Number == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // some writers begin UTF-8 so
		}
		if l.Length <= maxLine && len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		l.Err = r.take(&l, text, whole)
		if errors.Is(l.Err, store.ErrKey) {
			return l, l.Err
		}
		return l, nil
	}
}

// take puts the message that a line is into l, or says why it is none.
func (r *reader) take(l *Line, text []byte, whole bool) error {
	if l.Length > maxLine {
		l.Torn = !whole
		return bad("it is longer than %d bytes", maxLine)
	}
	m, err := parseLine(text)
	if err != nil {
		l.Torn = !whole
		return err
	}
	if m.Subject == "" {
		m.Subject = r.config.Name
	}
	l.Form, l.Encrypted = FormOf(m.Data)
	if m.Data, _, err = Open(m.Data, r.keys, MaxPayload); err != nil {
		return err
	}
	if err := r.check(m); err != nil {
		return err
	}
	if m.Time < r.time {
		m.Time, l.Raised = r.time, true
	}
	r.last, r.time = m.Seq, m.Time
	l.Msg = m
	return nil
}

// check says what keeps a message from being the next one of its stream.
func (r *reader) check(m store.Msg) error {
	if m.Seq <= r.last {
		return bad("sequence %d does not rise above %d", m.Seq, r.last)
	}
	if h := m.Header; len(h) > 0 && !(bytes.HasPrefix(h, []byte("NATS/1.0")) && bytes.HasSuffix(h, []byte("\r\n\r\n"))) {
		return bad("%s is no NATS/1.0 header block", keyHeaders)
	}
	return r.config.CheckEntry(&store.Entry{Subject: m.Subject, Header: m.Header, Data: m.Data})
}

// readLine reads a line into buf, and says whether it ends in a newline. Of a line that is too long
// nothing is kept.
func (r *reader) readLine(l *Line) (whole bool, err error) {
	r.buf = r.buf[:0]
	for {
		piece, err := r.in.ReadSlice('\n')
		l.Length += int64(len(piece))
		if l.Length <= maxLine {
			r.buf = append(r.buf, piece...)
		} else {
			r.buf = nil
		}
		switch {
		case err == nil:
			r.buf = bytes.TrimSuffix(r.buf, []byte("\n"))
			return true, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && l.Length > 0:
			return false, nil
		case errors.Is(err, io.EOF):
			return false, io.EOF
		default:
			return false, fmt.Errorf("at offset %d: %w", l.Offset+l.Length, err)
		}
	}
}
