package mapping

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"jsfs/store"
)

func TestAppendFramed(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"a missing newline is added", "a", "a\n"},
		{"a newline that is there is enough", "a\n", "a\n"},
		{"an empty message is an empty line", "", "\n"},
		{"empty lines at the end stay", "a\n\n", "a\n\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendFramed([]byte("x"), []byte(c.data))); got != "x"+c.want {
				t.Errorf("got %q, want %q", got, "x"+c.want)
			}
		})
	}
}

// split feeds the cuts and collects the lines, and what is left, as strings.
func split(t *testing.T, l *Lines, cuts ...string) []string {
	t.Helper()
	var all []string
	for _, c := range cuts {
		lines, n, err := l.Feed(nil, []byte(c))
		if err != nil || n != len(c) {
			t.Fatalf("Feed(%q) took %d bytes, %v", c, n, err)
		}
		for _, line := range lines {
			all = append(all, string(line))
		}
	}
	return append(all, string(l.Rest()))
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name string
		cuts []string
		want []string // the last one is the rest
	}{
		{"whole lines", []string{"a\nb\n"}, []string{"a\n", "b\n", ""}},
		{"a line in three cuts", []string{"a", "b", "c\nd"}, []string{"abc\n", "d"}},
		{"a newline by itself", []string{"a", "\n", "\n"}, []string{"a\n", "\n", ""}},
		{"nothing", []string{"", ""}, []string{""}},
		{"no newline at all", []string{"ab", "c"}, []string{"abc"}},
		{"any bytes are a line", []string{"\x00\xff\r\n"}, []string{"\x00\xff\r\n", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := split(t, NewLines(10), c.cuts...)
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("line %d is %q, want %q", i, got[i], c.want[i])
				}
			}
		})
	}
}

func TestALineThatIsTooLong(t *testing.T) {
	for _, c := range []struct {
		name      string
		before, p string
		lines, n  int
		err       error
		rest      string
	}{
		{"just fits with its newline", "", "abcd\n", 1, 5, nil, ""},
		{"is refused with its newline", "", "abcde\n", 0, 0, store.ErrTooLarge, ""},
		{"is refused before its newline comes", "", "abcdef", 0, 0, store.ErrTooLarge, ""},
		{"just fits so far", "", "abcde", 0, 5, nil, "abcde"},
		{"is refused together with what was carried", "abc", "de\n", 0, 0, store.ErrTooLarge, "abc"},
		{"costs nothing of the lines before it", "a", "b\nc\ndefghi\nj\n", 2, 4, store.ErrTooLarge, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := NewLines(5)
			split(t, l, c.before)
			lines, n, err := l.Feed(nil, []byte(c.p))
			if len(lines) != c.lines || n != c.n || !errors.Is(err, c.err) || string(l.Rest()) != c.rest {
				t.Errorf("Feed gives %q, %d, %v and leaves %q, want %d lines, %d, %v, %q",
					lines, n, err, l.Rest(), c.lines, c.n, c.err, c.rest)
			}
		})
	}
}

// TestAnyCutsAndRefusals feeds a text in random cuts to a store that refuses now
// and then, the way a writer that tries again would.
func TestAnyCutsAndRefusals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.StringMatching(`[ab\n]{0,60}`).Draw(t, "text"))
		l := NewLines(100)
		var stored []byte
		for p := text; len(p) > 0; {
			cut := p[:rapid.IntRange(1, len(p)).Draw(t, "cut")]
			lines, n, err := l.Feed(nil, cut)
			if err != nil || n != len(cut) {
				t.Fatalf("Feed took %d of %d bytes, %v", n, len(cut), err)
			}
			k := rapid.IntRange(0, len(lines)).Draw(t, "stored")
			for _, line := range lines[:k] {
				if bytes.IndexByte(line, '\n') != len(line)-1 {
					t.Fatalf("%q is no line", line)
				}
				stored = append(stored, line...)
			}
			if k < len(lines) {
				n = l.Refuse(k)
			}
			p = p[n:]
			if k == 0 && n == 0 && rapid.Bool().Draw(t, "give up") {
				text = text[:len(text)-len(p)]
				break
			}
		}
		if got := string(stored) + string(l.Rest()); got != string(text) {
			t.Fatalf("stored and left is %q, want %q", got, text)
		}
	})
}

func BenchmarkLines(b *testing.B) {
	p := bytes.Repeat([]byte("a line of a usual length, with some words in it\n"), 1365)
	l := NewLines(1 << 20)
	var lines [][]byte
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		lines, _, _ = l.Feed(lines[:0], p)
	}
}
