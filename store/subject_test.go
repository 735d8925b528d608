package store_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jsfs/store"
)

func TestSubjects(t *testing.T) {
	rows := []struct {
		subject          string
		literal, pattern error // what CheckSubject and CheckPattern give
	}{
		{"a", nil, nil},
		{"a.b.c", nil, nil},
		{"日本.é", nil, nil},
		{"a.42.%2F/-~", nil, nil},
		{"a*", nil, nil},
		{"*a.>b.**", nil, nil},
		{strings.Repeat("s", store.MaxSubject), nil, nil},
		{"*", store.ErrSubject, nil},
		{">", store.ErrSubject, nil},
		{"a.*.c.>", store.ErrSubject, nil},
		{"", store.ErrSubject, store.ErrSubject},
		{".", store.ErrSubject, store.ErrSubject},
		{".a", store.ErrSubject, store.ErrSubject},
		{"a.", store.ErrSubject, store.ErrSubject},
		{"a..b", store.ErrSubject, store.ErrSubject},
		{">.a", store.ErrSubject, store.ErrSubject},
		{"a.>.b", store.ErrSubject, store.ErrSubject},
		{"a b", store.ErrSubject, store.ErrSubject},
		{"a\tb", store.ErrSubject, store.ErrSubject},
		{"a\n", store.ErrSubject, store.ErrSubject},
		{"a\x00", store.ErrSubject, store.ErrSubject},
		{"a\x7f", store.ErrSubject, store.ErrSubject},
		{"a\xff", store.ErrSubject, store.ErrSubject},
		{strings.Repeat("s", store.MaxSubject+1), store.ErrNameTooLong, store.ErrNameTooLong},
	}
	for _, r := range rows {
		if err := store.CheckSubject(r.subject); !errors.Is(err, r.literal) {
			t.Errorf("CheckSubject(%.40q): got %v, want %v", r.subject, err, r.literal)
		}
		if err := store.CheckPattern(r.subject); !errors.Is(err, r.pattern) {
			t.Errorf("CheckPattern(%.40q): got %v, want %v", r.subject, err, r.pattern)
		}
		if r.pattern == nil && store.IsLiteral(r.subject) != (r.literal == nil) {
			t.Errorf("IsLiteral(%.40q): got %v, want %v", r.subject, r.literal != nil, r.literal == nil)
		}
	}
}

// TestSubjectsAreLiteralPatterns compares what is checked at a glance with what is checked token by token.
func TestSubjectsAreLiteralPatterns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a*>. ~é]{0,6}`).Draw(t, "subject")
		want := store.CheckPattern(s) == nil && store.IsLiteral(s)
		if err := store.CheckSubject(s); (err == nil) != want {
			t.Fatalf("CheckSubject(%q): got %v, and that it is a literal pattern is %v", s, err, want)
		}
	})
}

func TestMatchSubject(t *testing.T) {
	rows := []struct {
		pattern, subject string
		want             bool
	}{
		{"", "a", true},
		{">", "a", true},
		{">", "a.b.c", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a.b", false},
		{"a.b", "a", false},
		{"*", "a", true},
		{"*", "a.b", false},
		{"a.*", "a.b", true},
		{"a.*", "a", false},
		{"a.*", "a.b.c", false},
		{"a.*.c", "a.b.c", true},
		{"a.*.c", "a.b.d", false},
		{"*.*", "a.b", true},
		{"a.>", "a.b", true},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{"a.>", "b.c", false},
		{"*.>", "a.b", true},
		{"*.>", "a", false},
		{"a*", "a*", true},
		{"a*", "ab", false},
	}
	for _, r := range rows {
		if got := store.MatchSubject(r.pattern, r.subject); got != r.want {
			t.Errorf("MatchSubject(%q, %q): got %v, want %v", r.pattern, r.subject, got, r.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { store.MatchSubject("a.*.c.>", "a.b.c.d.e") }); n > 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}

// TestMatchSubjectAgreesWithItsDefinition compares with matching token by token.
func TestMatchSubjectAgreesWithItsDefinition(t *testing.T) {
	token := rapid.SampledFrom([]string{"a", "b", "ab"})
	rapid.Check(t, func(rt *rapid.T) {
		subject := rapid.SliceOfN(token, 1, 5).Draw(rt, "subject")
		pattern := rapid.SliceOfN(rapid.OneOf(token, rapid.Just("*")), 1, 5).Draw(rt, "pattern")
		if rapid.Bool().Draw(rt, "open end") {
			pattern = append(pattern, ">")
		}
		want := true
		for i, p := range pattern {
			if p == ">" {
				want = want && len(subject) > i
				break
			}
			want = want && i < len(subject) && (p == "*" || p == subject[i])
		}
		if pattern[len(pattern)-1] != ">" {
			want = want && len(pattern) == len(subject)
		}
		if got := store.MatchSubject(strings.Join(pattern, "."), strings.Join(subject, ".")); got != want {
			rt.Errorf("MatchSubject(%q, %q): got %v, want %v", pattern, subject, got, want)
		}
	})
}

func FuzzCheckSubject(f *testing.F) {
	for _, s := range []string{"a.b", "a.*", ">", "a..b", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		literal, pattern := store.CheckSubject(s), store.CheckPattern(s)
		if literal == nil && pattern != nil {
			t.Errorf("%q is a subject and no pattern: %v", s, pattern)
		}
		if pattern == nil && store.IsLiteral(s) != (literal == nil) {
			t.Errorf("%q: IsLiteral says %v, CheckSubject %v", s, store.IsLiteral(s), literal)
		}
		if literal == nil && (!store.MatchSubject(s, s) || !store.MatchSubject(">", s)) {
			t.Errorf("%q does not match itself", s)
		}
	})
}
