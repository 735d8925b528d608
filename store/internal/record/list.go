package record

import "bytes"

// ControlList is controls as a footer lists them, encoded as they come. The zero list is empty, and so is nil for who reads.
type ControlList struct {
	b []byte
	n int
}

// Listed is how much of a list there is at some moment.
type Listed struct{ size, n int }

// Add appends a control, of which a pair stands in the block with header h.
func (l *ControlList) Add(h *Header, ct *Control) {
	l.b = h.appendListed(l.b, ct)
	l.n++
}

// Mark returns how much there is now.
func (l *ControlList) Mark() Listed { return Listed{len(l.b), l.n} }

// Cut takes away what was added since m was returned.
func (l *ControlList) Cut(m Listed) { l.b, l.n = l.b[:m.size], m.n }

// Reset empties the list.
func (l *ControlList) Reset() { l.Cut(Listed{}) }

// Len returns how many controls are in the list.
func (l *ControlList) Len() int {
	if l == nil {
		return 0
	}
	return l.n
}

// Size returns how many bytes the list takes.
func (l *ControlList) Size() int { return len(l.bytes()) }

func (l *ControlList) bytes() []byte {
	if l == nil {
		return nil
	}
	return l.b
}

// appendListed appends a control as the footer of h's block lists it.
func (h *Header) appendListed(b []byte, ct *Control) []byte {
	var a [roomBody]byte
	body := ct.appendBody(a[:0])
	b = append(b, ct.Kind)
	b = appendUvarints(b, ct.Seq-h.First, uint64(ct.Time-h.Time), uint64(len(body)))
	return append(b, body...)
}

// Same says whether both footers, of a block with header h, list the same controls and subjects.
func (f *Footer) Same(g *Footer, h *Header) bool {
	return f.count(Controls, 0) == g.count(Controls, 0) &&
		bytes.Equal(f.appendSection(nil, Controls, h), g.appendSection(nil, Controls, h)) &&
		MakeSubjects(f.Subjects).Equal(MakeSubjects(g.Subjects))
}
