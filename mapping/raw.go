package mapping

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"jsfs/store"
)

// HeaderApply is a line that comes before the subject of a raw message, with the value true: the headers of the
// message may act.
const HeaderApply = "Jsfs-Apply"

const rawSubject = "Subject"

// Raw is a message in the form that people write and "raw" shows:
//
//	Subject: orders.new
//	Nats-Msg-Id: 42
//
//	the payload
type Raw struct {
	Subject string
	Header  []byte // a NATS/1.0 header block, or empty
	Data    []byte
	Apply   bool // the first line was Jsfs-Apply: true
}

// AppendRaw appends a message in its raw form to dst, without Jsfs-Apply. Lines end in a newline. If they could not
// hold the header so (it has a line break in a value, a status, or is no block at all) they end in
// CR and LF, and the block follows the subject as it is. ParseRaw reads it back to the same message unless its header
// is malformed.
func AppendRaw(dst []byte, subject string, header, data []byte) []byte {
	dst = append(append(dst, rawSubject+": "...), subject...)
	fields, err := ParseHeader(header)
	if err != nil || !plainHeader(header, fields) {
		dst = append(dst, "\r\n"...)
		dst = append(dst, header...)
		return append(dst, data...)
	}
	dst = append(dst, '\n')
	for _, f := range fields {
		dst = append(append(append(append(dst, f.Name...), ": "...), f.Value...), '\n')
	}
	return append(append(dst, '\n'), data...)
}

// plainHeader says whether a block is just what its fields make it, and lines can hold them.
func plainHeader(header []byte, fields []Field) bool {
	for _, f := range fields {
		if strings.ContainsAny(f.Value, "\n\r") || !headerName(f.Name) {
			return false
		}
	}
	return bytes.Equal(header, joinHeader(fields))
}

// joinHeader makes a block of fields; none for none.
func joinHeader(fields []Field) []byte {
	if len(fields) == 0 {
		return nil
	}
	b := []byte(headerLine + "\r\n")
	for _, f := range fields {
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// RawHead returns where the head of a raw message ends, the blank line included; ok is false if b does not
// reach so far.
func RawHead(b []byte) (end int, ok bool) {
	_, rest, _ := cutApply(b)
	at := len(b) - len(rest)
	blank := "\n\n"
	if endsInCR(rest) {
		blank = "\r\n\r\n"
	}
	i := bytes.Index(rest, []byte(blank))
	return at + i + len(blank), i >= 0
}

// cutApply takes the line Jsfs-Apply from the beginning of a raw message.
func cutApply(b []byte) (value string, rest []byte, ok bool) {
	if !bytes.HasPrefix(b, []byte(HeaderApply+":")) {
		return "", b, false
	}
	line, rest, _ := bytes.Cut(b[len(HeaderApply)+1:], []byte("\n"))
	return string(bytes.TrimSpace(line)), rest, true
}

// endsInCR says whether the first line of b does.
func endsInCR(b []byte) bool {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return bytes.HasSuffix(line, []byte("\r"))
}

// ParseRaw reads a raw message. The lines of its head end in a newline, or from Subject on all in CR and LF. Its data
// shares memory with b. The error wraps store.ErrInvalid or store.ErrSubject, and names the line.
func ParseRaw(b []byte) (Raw, error) {
	end, ok := RawHead(b)
	if !ok {
		return Raw{}, fmt.Errorf("%w: there is no blank line between head and payload", store.ErrInvalid)
	}
	r := Raw{Data: b[end:]}
	n := 1
	value, head, ok := cutApply(b[:end])
	if ok {
		if value != "true" {
			return Raw{}, fmt.Errorf("line 1: %w: %s is true, or left out", store.ErrInvalid, HeaderApply)
		}
		r.Apply = true
		n++
	}
	eol := "\n"
	if endsInCR(head) {
		eol = "\r\n"
	}
	lines := strings.Split(strings.TrimSuffix(string(head), eol+eol), eol)
	subject, ok := strings.CutPrefix(lines[0], rawSubject+":")
	if !ok {
		return Raw{}, fmt.Errorf("line %d: %w: it is to be \"Subject: \" and a subject", n, store.ErrInvalid)
	}
	r.Subject = strings.Trim(subject, " \t") // other white space may be part of it
	if err := store.CheckSubject(r.Subject); err != nil {
		return Raw{}, fmt.Errorf("line %d: %w", n, err)
	}
	var err error
	r.Header, err = parseRawHeader(lines[1:], n+1, eol == "\r\n")
	return r, err
}

// parseRawHeader makes a block of the lines, the first of which is line n.
func parseRawHeader(lines []string, n int, exact bool) ([]byte, error) {
	if exact && len(lines) > 0 && strings.HasPrefix(lines[0], headerLine) {
		block := []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
		_, err := ParseHeader(block)
		return block, err
	}
	fields := make([]Field, 0, len(lines))
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !headerName(name) {
			return nil, fmt.Errorf("line %d: %w: %q is no header: it is to be a name, a colon and a value", n+i, store.ErrInvalid, line)
		}
		fields = append(fields, Field{name, strings.TrimLeft(value, " \t")})
	}
	return joinHeader(fields), nil
}

// acting are the headers by which a message does something to a stream, or is refused by it.
var acting = []string{
	"Nats-Rollup", "Nats-Expected-Stream", "Nats-Expected-Last-Msg-Id", "Nats-Expected-Last-Sequence",
	"Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Subject-Sequence-Subject",
}

// ActingHeader returns the name of the first header in a block by which the message removes others, or is refused
// unless the stream is in some state. Of a malformed block it sees what ParseHeader returns.
func ActingHeader(block []byte) (name string, ok bool) {
	fields, _ := ParseHeader(block)
	i := slices.IndexFunc(fields, func(f Field) bool { return slices.Contains(acting, f.Name) })
	if i < 0 {
		return "", false
	}
	return fields[i].Name, true
}
