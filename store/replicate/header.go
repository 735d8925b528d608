package replicate

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"jsfs/store"
)

const statusLine = "NATS/1.0"

// dropped are the beginnings of headers that mean something to the origin only. Those of a batch and what a
// publisher expected would be held against the target.
var dropped = []string{store.HeaderSource + ":", "Nats-Expected-", "Nats-Batch-"}

// place is where a message came from.
type place struct {
	Seq   store.Seq `json:"seq"`
	Ident string    `json:"ident,omitempty"` // of the origin's incarnation
}

// entry returns the message m of an origin as its target stores it. It fails for a header block
// that is malformed, as nothing can be added to that.
func entry(m store.Msg, src store.Source, ident string) (store.Entry, error) {
	lines := []byte(statusLine + "\r\n")
	if len(m.Header) > 0 {
		first, rest, ok := bytes.Cut(m.Header, []byte("\r\n"))
		if !ok || !bytes.HasPrefix(first, []byte(statusLine)) || !bytes.HasSuffix(m.Header, []byte("\r\n\r\n")) {
			return store.Entry{}, fmt.Errorf("message %d of %s: header: %w", m.Seq, src.Name, store.ErrInvalid)
		}
		lines = append(append(lines[:0], first...), "\r\n"...)
		for line := range bytes.SplitSeq(bytes.TrimSuffix(rest, []byte("\r\n")), []byte("\r\n")) {
			if len(line) > 0 && !isDropped(line) {
				lines = append(append(lines, line...), "\r\n"...)
			}
		}
	}
	name, filter, _ := strings.Cut(src.Key(), " ")
	lines = fmt.Appendf(lines, "%s: %s %d %s > %s %s\r\n\r\n", store.HeaderSource, name, m.Seq, filter, m.Subject, ident)
	return store.Entry{Subject: m.Subject, Header: lines, Data: m.Data, Sourced: true}, nil
}

func isDropped(line []byte) bool {
	for _, prefix := range dropped {
		if bytes.HasPrefix(line, []byte(prefix)) {
			return true
		}
	}
	return false
}

// origin returns the key of the source that a message came from, and its place there, from its
// header block. ok is false if it came from none.
func origin(header []byte) (key string, p place, ok bool) {
	for line := range bytes.SplitSeq(header, []byte("\r\n")) {
		value, found := bytes.CutPrefix(line, []byte(store.HeaderSource+":"))
		if !found {
			continue
		}
		fields := strings.FieldsFunc(string(value), func(r rune) bool { return r == ' ' }) // other white space may be part of a name
		if len(fields) < 4 {
			return "", place{}, false
		}
		seq, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return "", place{}, false
		}
		p.Seq = store.Seq(seq)
		if len(fields) > 5 {
			p.Ident = fields[5]
		}
		return fields[0] + " " + fields[2], p, true
	}
	return "", place{}, false
}

// identOf is what an origin's incarnation is called in headers, in the store with that identity.
func identOf(store string, incarnation uint64) string {
	return store + "-" + strconv.FormatUint(incarnation, 36)
}

// sameStore says whether two identities are of the same store, so that they tell incarnations apart.
func sameStore(a, b string) bool {
	x, _, _ := strings.Cut(a, "-")
	y, _, _ := strings.Cut(b, "-")
	return x == y
}
