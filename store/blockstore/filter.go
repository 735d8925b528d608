package blockstore

import (
	"slices"
	"strings"

	"jsfs/store"
)

// filter is the patterns of a query, made ready. It is immutable.
type filter struct {
	q        store.Query
	all      bool     // every subject matches
	literals []string // the patterns, sorted and each once, if none of them has a wildcard
	prefix   string   // what every subject that matches begins with
	// tokens is how many tokens a subject with the prefix must have to match; 0 if each with the prefix
	// matches, -1 if more has to be looked at.
	tokens int
	key    string // tells filters apart
	one    [1]string
}

// newFilter makes the patterns of q ready, which were checked.
func newFilter(q store.Query) *filter {
	f := &filter{q: q, tokens: -1, key: q.Subject, prefix: q.Subject}
	if len(q.Or) == 0 && q.Subject != "" && literal(q.Subject) { // most often
		f.one[0] = q.Subject
		f.literals = f.one[:]
		return f
	}
	patterns := []string{q.Subject}
	if len(q.Or) > 0 {
		patterns = append(patterns, q.Or...)
		f.key = strings.Join(patterns, "\x00")
	}
	f.all = slices.ContainsFunc(patterns[:1], everything) || slices.ContainsFunc(q.Or, everything)
	if f.all {
		f.prefix = ""
		return f
	}
	if !slices.ContainsFunc(patterns, func(p string) bool { return !literal(p) }) {
		slices.Sort(patterns)
		f.literals = slices.Compact(patterns)
		return f
	}
	f.prefix, f.tokens = literalPrefix(patterns[0])
	for _, p := range patterns[1:] {
		other, _ := literalPrefix(p)
		n := 0
		for n < len(f.prefix) && n < len(other) && f.prefix[n] == other[n] {
			n++
		}
		f.prefix, f.tokens = f.prefix[:n], -1
	}
	return f
}

// literal says whether a pattern has no wildcard.
func literal(pattern string) bool {
	return strings.IndexByte(pattern, '*') < 0 && strings.IndexByte(pattern, '>') < 0 || store.IsLiteral(pattern)
}

func everything(pattern string) bool { return pattern == "" || pattern == ">" }

// literalPrefix returns how a pattern begins before its first wildcard, and what filter.tokens is for it.
func literalPrefix(pattern string) (prefix string, tokens int) {
	if literal(pattern) {
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

// literal returns the one subject that f is about, if there is just one.
func (f *filter) literal() (string, bool) {
	if len(f.literals) == 1 {
		return f.literals[0], true
	}
	return "", false
}

// matches says whether a subject matches.
func (f *filter) matches(name string) bool {
	switch {
	case f.all:
		return true
	case f.literals != nil:
		_, ok := slices.BinarySearch(f.literals, name)
		return ok
	case f.tokens == 0:
		return strings.HasPrefix(name, f.prefix)
	}
	return strings.HasPrefix(name, f.prefix) && f.q.Matches(name)
}

// matchesIn says whether e, which is in m, matches. The caller knows that it has the prefix.
func (f *filter) matchesIn(m *subjectMap, e *subject) bool {
	switch {
	case f.all || f.tokens == 0:
		return true
	case f.tokens > 0:
		return int(e.tokens) == f.tokens
	}
	return f.matches(m.nameOf(e))
}
