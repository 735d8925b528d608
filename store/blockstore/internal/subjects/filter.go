package subjects

import (
	"math"
	"slices"
	"strings"

	"jsfs/store"
)

// Filter is the patterns of a query, made ready. It is immutable.
type Filter struct {
	Q        store.Query // that it was made of
	All      bool        // every subject matches
	Literals []string    // the patterns, sorted and each once, if none of them has a wildcard
	Prefix   string      // what every subject that matches begins with
	// tokens is how many tokens a subject with the prefix must have to match; 0 if each with the prefix
	// matches, -1 if more has to be looked at.
	tokens int
	Key    string // tells filters apart
	one    [1]string
}

// NewFilter makes the patterns of q ready, which were checked.
func NewFilter(q store.Query) *Filter {
	f := &Filter{Q: q, tokens: -1, Key: q.Subject, Prefix: q.Subject}
	if len(q.Or) == 0 && q.Subject != "" && IsLiteral(q.Subject) { // most often
		f.one[0] = q.Subject
		f.Literals = f.one[:]
		return f
	}
	patterns := []string{q.Subject}
	if len(q.Or) > 0 {
		patterns = append(patterns, q.Or...)
		f.Key = strings.Join(patterns, "\x00")
	}
	f.All = slices.ContainsFunc(patterns[:1], IsEverything) || slices.ContainsFunc(q.Or, IsEverything)
	if f.All {
		f.Prefix = ""
		return f
	}
	if !slices.ContainsFunc(patterns, func(p string) bool { return !IsLiteral(p) }) {
		slices.Sort(patterns)
		f.Literals = slices.Compact(patterns)
		return f
	}
	f.Prefix, f.tokens = literalPrefix(patterns[0])
	for _, p := range patterns[1:] {
		other, _ := literalPrefix(p)
		n := 0
		for n < len(f.Prefix) && n < len(other) && f.Prefix[n] == other[n] {
			n++
		}
		f.Prefix, f.tokens = f.Prefix[:n], -1
	}
	return f
}

// IsLiteral says whether a pattern has no wildcard.
func IsLiteral(pattern string) bool {
	return strings.IndexByte(pattern, '*') < 0 && strings.IndexByte(pattern, '>') < 0 || store.IsLiteral(pattern)
}

// IsEverything says whether a pattern is that of all subjects.
func IsEverything(pattern string) bool { return pattern == "" || pattern == ">" }

// literalPrefix returns how a pattern begins before its first wildcard, and what Filter.tokens is for it.
func literalPrefix(pattern string) (prefix string, tokens int) {
	if IsLiteral(pattern) {
		return pattern, -1
	}
	rest := pattern
	for token := range strings.SplitSeq(pattern, ".") {
		if token == "*" || token == ">" {
			break
		}
		rest = rest[len(token)+1:]
	}
	prefix = pattern[:len(pattern)-len(rest)]
	if rest == ">" {
		return prefix, 0
	}
	for token := range strings.SplitSeq(rest, ".") {
		if token != "*" {
			return prefix, -1
		}
	}
	return prefix, strings.Count(pattern, ".") + 1
}

// Literal returns the one subject that f is about, if there is just one.
func (f *Filter) Literal() (string, bool) {
	if len(f.Literals) == 1 {
		return f.Literals[0], true
	}
	return "", false
}

// Matches says whether a subject matches.
func (f *Filter) Matches(name string) bool {
	switch {
	case f.All:
		return true
	case f.Literals != nil:
		_, ok := slices.BinarySearch(f.Literals, name)
		return ok
	case f.tokens == 0:
		return strings.HasPrefix(name, f.Prefix)
	}
	return strings.HasPrefix(name, f.Prefix) && f.Q.Matches(name)
}

// MatchesIn says whether e, which is in m, matches. The caller knows that it has the prefix.
func (f *Filter) MatchesIn(m *Map, e *Subject) bool {
	switch {
	case f.All || f.tokens == 0:
		return true
	case f.tokens > 0:
		return int(e.tokens) == f.tokens
	}
	return f.Matches(m.NameOf(e))
}

// Bounds returns the sequences that the query is about, both included.
func (f *Filter) Bounds() (from, to uint64) {
	from, to = max(uint64(f.Q.From), 1), uint64(f.Q.To)
	if to == 0 {
		to = math.MaxUint64
	}
	return from, to
}
