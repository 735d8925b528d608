package scan

import (
	"cmp"
	"slices"

	"jsfs/store/internal/record"
)

// SubjectList collects which messages of a block are on which subject.
type SubjectList struct {
	names []string
	marks []marked
	known map[string]uint32 // where a name is in names
	named uint32            // that was met last
	// Erased are the offsets of the messages that were erased, in order.
	Erased []uint32
}

// marked says that the message at an offset is on a subject.
type marked struct{ off, name uint32 }

// NewSubjectList returns a list of nothing.
func NewSubjectList() *SubjectList { return &SubjectList{known: map[string]uint32{}} }

// Mark notes which subject the message at off is on.
func (l *SubjectList) Mark(subject []byte, off uint32) {
	if len(subject) > 0 && record.AllZero(subject) {
		l.Erased = append(l.Erased, off)
		return
	}
	if int(l.named) >= len(l.names) || l.names[l.named] != string(subject) {
		n, ok := l.known[string(subject)]
		if !ok {
			n = uint32(len(l.names))
			l.names = append(l.names, string(subject))
			l.known[l.names[n]] = n
		}
		l.named = n
	}
	l.marks = append(l.marks, marked{off, l.named})
}

// At returns the subjects of the messages at offs, which are in order, sorted by name. Whole messages that
// are at none of them don't count.
func (l *SubjectList) At(offs []uint32) []record.Subject {
	slices.SortStableFunc(l.marks, func(a, b marked) int { return cmp.Compare(a.off, b.off) }) // most often they are
	places := make([]uint32, 0, len(l.marks))
	counts, at := make([]uint32, len(l.names)), 0
	marks := l.marks[:0]
	for _, m := range l.marks {
		for at < len(offs) && offs[at] < m.off {
			at++
		}
		if at < len(offs) && offs[at] == m.off {
			counts[m.name]++
			places, marks = append(places, uint32(at)), append(marks, m)
		}
	}
	subs := make([]record.Subject, len(l.names))
	all := make([]uint32, len(places))
	for i, n := range counts {
		subs[i], all = record.Subject{Name: l.names[i], Places: all[:0:n]}, all[n:]
	}
	for i, m := range marks {
		subs[m.name].Places = append(subs[m.name].Places, places[i])
	}
	subs = slices.DeleteFunc(subs, func(e record.Subject) bool { return len(e.Places) == 0 })
	slices.SortFunc(subs, func(a, b record.Subject) int { return cmp.Compare(a.Name, b.Name) })
	return subs
}
