package mapping

import (
	"strconv"
	"strings"

	"jsfs/store"
)

// Filter says which messages of a stream a directory shows. The zero Filter is all of
// them. Two Filters are of the same messages for certain if they are equal.
type Filter struct {
	// Subject is a pattern as store.CheckPattern accepts it, "" for every subject.
	Subject string
	// From and To bound the sequences, both included; 0 is no bound.
	From, To store.Seq
	// Since is the earliest time, in nanoseconds since the Unix epoch; 0 is no bound.
	Since int64
}

// And returns the filter of the messages that f and g both show; ok is false if there
// can't be any.
func (f Filter) And(g Filter) (both Filter, ok bool) {
	both.Subject, ok = intersect(f.Subject, g.Subject)
	both.From, both.Since = max(f.From, g.From), max(f.Since, g.Since)
	switch {
	case f.To == 0:
		both.To = g.To
	case g.To == 0:
		both.To = f.To
	default:
		both.To = min(f.To, g.To)
	}
	return both, ok && (both.To == 0 || both.From <= both.To)
}

// Literal returns the subject if f shows all messages on one, and no others: then a
// message can be written to where f's are.
func (f Filter) Literal() (subject string, ok bool) {
	ok = f.Subject != "" && f.From == 0 && f.To == 0 && f.Since == 0 && store.IsLiteral(f.Subject)
	return f.Subject, ok
}

// Shows says whether f shows a message.
func (f Filter) Shows(m store.Meta, subject string) bool {
	return f.ShowsMeta(m) && store.MatchSubject(f.Subject, subject)
}

// ShowsMeta says whether f shows a message, whatever its subject.
func (f Filter) ShowsMeta(m store.Meta) bool {
	return m.Seq >= f.From && (f.To == 0 || m.Seq <= f.To) && (f.Since == 0 || m.Time >= f.Since)
}

// String is f as a line, different for different filters.
func (f Filter) String() string {
	var b strings.Builder
	b.WriteString(f.Subject) // has no white space
	b.WriteByte(' ')
	if f.From != 0 || f.To != 0 {
		b.WriteString(FormatRange(f.From, f.To))
	}
	b.WriteByte(' ')
	if f.Since != 0 {
		b.WriteString(strconv.FormatInt(f.Since, 10))
	}
	return b.String()
}

// intersect returns the pattern that matches what both patterns match; ok is false if
// they have nothing in common. "" matches everything, and is what ">" becomes.
func intersect(a, b string) (both string, ok bool) {
	if a == "" || a == ">" {
		return strings.TrimPrefix(b, ">"), true // nothing follows a token >
	}
	if b == "" || b == ">" {
		return a, true
	}
	var tokens []string
	for {
		if a == ">" || b == ">" { // one token or more on either side
			rest := b
			if b == ">" {
				rest = a
			}
			return strings.Join(append(tokens, rest), "."), true
		}
		ta, restA, moreA := strings.Cut(a, ".")
		tb, restB, moreB := strings.Cut(b, ".")
		if moreA != moreB || ta != tb && ta != "*" && tb != "*" {
			return "", false
		}
		if ta == "*" {
			ta = tb
		}
		tokens = append(tokens, ta)
		if !moreA {
			return strings.Join(tokens, "."), true
		}
		a, b = restA, restB
	}
}
