package store

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxSubject is the length in bytes that a subject may have at most.
const MaxSubject = 4096

// CheckSubject returns nil if s is a literal subject: tokens of at least one byte,
// joined by dots, valid UTF-8 without white space, control bytes or wildcards.
// Else it returns an error that wraps ErrSubject, or ErrNameTooLong.
func CheckSubject(s string) error {
	if isPlain(s) {
		return nil
	}
	return checkTokens(s, false)
}

// isPlain says whether s is a subject of printable ASCII characters without * and >, as most are: it is good then.
func isPlain(s string) bool {
	if len(s) > MaxSubject {
		return false
	}
	last := byte('.')
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || c == '*' || c == '>' || c == '.' && last == '.' {
			return false
		}
		last = c
	}
	return last != '.'
}

// CheckPattern is CheckSubject for patterns: a token may be * (any one token), the
// last one > (one token or more).
func CheckPattern(s string) error {
	return checkTokens(s, true)
}

func checkTokens(s string, wild bool) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrSubject)
	case len(s) > MaxSubject:
		return fmt.Errorf("subject of %d bytes: %w (at most %d)", len(s), ErrNameTooLong, MaxSubject)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: %q is not valid UTF-8", ErrSubject, s)
	}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			if c := s[i]; c <= ' ' || c == 0x7f {
				return fmt.Errorf("%w: %q contains white space or a control character", ErrSubject, s)
			}
			continue
		}
		switch token := s[start:i]; {
		case token == "":
			return fmt.Errorf("%w: %q has an empty token", ErrSubject, s)
		case token == "*" || token == ">":
			if !wild {
				return fmt.Errorf("%w: %q has a wildcard", ErrSubject, s)
			}
			if token == ">" && i != len(s) {
				return fmt.Errorf("%w: in %q something follows >", ErrSubject, s)
			}
		}
		start = i + 1
	}
	return nil
}

// IsLiteral says whether a valid pattern has no wildcard.
func IsLiteral(pattern string) bool {
	for token := range strings.SplitSeq(pattern, ".") {
		if token == "*" || token == ">" {
			return false
		}
	}
	return true
}

// MatchSubject says whether a pattern matches a literal subject, both valid. The
// pattern "" matches every subject, as ">" does. It does not allocate.
func MatchSubject(pattern, subject string) bool {
	if pattern == "" {
		return true
	}
	for {
		if pattern == ">" {
			return true
		}
		p, restP, moreP := strings.Cut(pattern, ".")
		s, restS, moreS := strings.Cut(subject, ".")
		if p != "*" && p != s || moreP != moreS {
			return false
		}
		if !moreP {
			return true
		}
		pattern, subject = restP, restS
	}
}

// Overlap says whether there is a subject that both patterns match. Both are valid.
func Overlap(p, q string) bool {
	for {
		if p == ">" || q == ">" {
			return true
		}
		a, restP, moreP := strings.Cut(p, ".")
		b, restQ, moreQ := strings.Cut(q, ".")
		if a != b && a != "*" && b != "*" || moreP != moreQ {
			return false
		}
		if !moreP {
			return true
		}
		p, q = restP, restQ
	}
}
