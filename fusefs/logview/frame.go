package logview

import (
	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/jsonl"
)

// Framing is the form in which a log shows messages.
type Framing uint8

// The framings.
const (
	// Payloads shows a message's payload, and a newline if it lacks one. Where messages were removed
	// it shows newlines.
	Payloads Framing = iota
	// JSONLines shows a message as a line of package jsonl. Where messages were removed it shows
	// spaces: they stand before the next line, and mean nothing to who parses it.
	JSONLines
)

// size is how many bytes the framing has for a message.
func (f Framing) size(m store.Meta) int64 {
	if f == JSONLines {
		return m.JSON
	}
	return m.LogSize()
}

// total is how many bytes it has for several.
func (f Framing) total(t store.Totals) int64 {
	if f == JSONLines {
		return t.JSON
	}
	return t.Log
}

// Append appends a message to dst in the form that a log shows it. A large message
// whose memory is the caller's alone may take the place of an empty dst, which saves a copy.
func (f Framing) Append(dst []byte, m store.Msg) []byte {
	switch {
	case f == JSONLines:
		return jsonl.Append(dst, m)
	case len(dst) == 0 && len(m.Data) > maxKept:
		if m.Data[len(m.Data)-1] == '\n' {
			return m.Data
		}
		return append(m.Data, '\n')
	}
	return mapping.AppendFramed(dst, m.Data)
}

// blank fills dst with what stands where messages were removed.
func (f Framing) blank(dst []byte) {
	c := byte('\n')
	if f == JSONLines {
		c = ' '
	}
	for i := range dst {
		dst[i] = c
	}
}
