package mapping

import (
	"strings"
	"testing"

	"jsfs/store"
)

func TestEscapeSubject(t *testing.T) {
	for _, c := range []struct{ name, subject, want string }{
		{"a plain subject stays as it is", "orders.eu.new", "orders.eu.new"},
		{"letters of other languages stay", "größe.日本", "größe.日本"},
		{"a slash", "src/fmt/print.go", "src%2Ffmt%2Fprint.go"},
		{"the escape itself", "100%.x", "100%25.x"},
		{"digits only", "2026", "%32026"},
		{"digits in a token", "a.2026", "a.2026"},
		{"an editor's backup", "a~", "a%7E"},
		{"a tilde elsewhere", "~a", "~a"},
		{"a swap file", "a.swp", "a.sw%70"},
		{"another", "a.swx", "a.sw%78"},
		{"a leading dot", ".log", "%2Elog"},
		{"white space", "a b\n", "a%20b%0A"},
		{"no UTF-8", "a\xffb", "a%FFb"},
		{"just fits", strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{
			"too long", strings.Repeat("x", 256),
			strings.Repeat("x", 221) + "%~85e62acd750c4eb56b7b6a1d66dca5bf",
		},
		{
			"too long, and no escape is cut in two", strings.Repeat("/", 100),
			strings.Repeat("%2F", 73) + "%~4aaecdd8a94cb7abb5c9283a5825c5d2",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := EscapeSubject(c.subject)
			if got != c.want {
				t.Errorf("EscapeSubject(%q) is %q, want %q", c.subject, got, c.want)
			}
			if got, want := IsHashed(got), len(c.subject)+2*strings.Count(c.subject, "/") > MaxName; got != want {
				t.Errorf("IsHashed is %v, want %v", got, want)
			}
		})
	}
}

func TestEveryByteEscapes(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			checkEscape(t, string([]byte{byte(a), byte(b)}))
		}
	}
}

// checkEscape demands what EscapeSubject promises of any string.
func checkEscape(t *testing.T, s string) {
	t.Helper()
	name := EscapeSubject(s)
	if len(name) > MaxName {
		t.Fatalf("EscapeSubject(%q) has %d bytes", s, len(name))
	}
	if !IsHashed(name) {
		if back, err := UnescapeSubject(name); err != nil || back != s {
			t.Fatalf("%q is escaped to %q, which is unescaped to %q, %v", s, name, back, err)
		}
	}
	if store.CheckSubject(s) != nil {
		return
	}
	n, err := ParseName(name, 12)
	if err != nil || n.Kind != NameSubject || n.Hashed != IsHashed(name) || !n.Hashed && n.Subject != s {
		t.Fatalf("subject %q has name %q, which is read as %+v, %v", s, name, n, err)
	}
}

func FuzzEscapeSubject(f *testing.F) {
	for _, s := range []string{"orders.new", "42", "a/b", "100%", "x~", "a.swp", ".x", "\xff", strings.Repeat("日", 90)} {
		f.Add(s, "a"+s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		checkEscape(t, a)
		checkEscape(t, b)
		if (EscapeSubject(a) == EscapeSubject(b)) != (a == b) {
			t.Fatalf("%q and %q are both escaped to %q", a, b, EscapeSubject(a))
		}
	})
}
