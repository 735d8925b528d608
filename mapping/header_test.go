package mapping

import (
	"errors"
	"slices"
	"testing"

	"jsfs/store"
)

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		name, block string
		want        []Field
		err         error
	}{
		{"no header", "", nil, nil},
		{"no field", "NATS/1.0\r\n\r\n", nil, nil},
		{"a status line", "NATS/1.0 503 No Responders\r\n\r\n", nil, nil},
		{"fields", "NATS/1.0\r\nA: 1\r\nb:2\r\nA: 3\r\n\r\n", []Field{{"A", "1"}, {"b", "2"}, {"A", "3"}}, nil},
		{"an empty value", "NATS/1.0\r\nA: \r\n\r\n", []Field{{"A", ""}}, nil},
		{"a colon in the value", "NATS/1.0\r\nA: b:c\r\n\r\n", []Field{{"A", "b:c"}}, nil},
		{"another protocol", "HTTP/1.1\r\n\r\n", nil, store.ErrInvalid},
		{"no empty line", "NATS/1.0\r\nA: 1\r\n", []Field{{"A", "1"}}, store.ErrInvalid},
		{"a line without a name", "NATS/1.0\r\nA: 1\r\n: 2\r\n\r\n", []Field{{"A", "1"}}, store.ErrInvalid},
		{"a line without a colon", "NATS/1.0\r\nA\r\n\r\n", nil, store.ErrInvalid},
		{"more behind it", "NATS/1.0\r\n\r\nx", nil, store.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseHeader([]byte(c.block))
			if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

func TestAppendHeader(t *testing.T) {
	for _, c := range []struct {
		name, block, field, value string
		want                      string
		err                       error
	}{
		{"to nothing", "", "A", "1", "NATS/1.0\r\nA: 1\r\n\r\n", nil},
		{"to fields", "NATS/1.0\r\nA: 1\r\n\r\n", "B", "2", "NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n", nil},
		{"any byte but line breaks", "", "A", "\xff\x00 ", "NATS/1.0\r\nA: \xff\x00 \r\n\r\n", nil},
		{"a line break in the value", "", "A", "1\r\nB: 2", "", store.ErrInvalid},
		{"white space before the value", "", "A", " 1", "", store.ErrInvalid},
		{"a name with a colon", "", "A:", "1", "", store.ErrInvalid},
		{"an empty name", "", "", "1", "", store.ErrInvalid},
		{"to a malformed block", "x", "A", "1", "", store.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := AppendHeader([]byte(c.block), c.field, c.value)
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v, want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("NATS/1.0\r\nA: 1\r\nb:2\r\n\r\n"), "Nats-Msg-Id", "x")
	f.Add([]byte(""), "A", "\xff")
	f.Add([]byte("NATS/1.0 503\r\n\r\n"), "A", "b: c")
	f.Fuzz(func(t *testing.T, block []byte, name, value string) {
		before, parseErr := ParseHeader(block)
		after, err := AppendHeader(block, name, value)
		if err != nil {
			return
		}
		if parseErr != nil {
			t.Fatalf("a field was added to %q: %v", block, parseErr)
		}
		got, err := ParseHeader(after)
		if want := append(before, Field{name, value}); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q has fields %q, %v, want %q", after, got, err, want)
		}
	})
}

func TestTimes(t *testing.T) {
	for _, ns := range []int64{0, 1, -1, 1767323045000000006, 1<<63 - 1, -1 << 63} {
		s := FormatTime(ns)
		if got, ok := ParseTime(s); got != ns || !ok {
			t.Errorf("%d is written as %s, which is read as %d, %v", ns, s, got, ok)
		}
	}
	if got := FormatTime(1767323045000000006); got != "2026-01-02T03:04:05.000000006Z" {
		t.Errorf("got %s", got)
	}
	for _, s := range []string{"", "yesterday", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2026-01-02"} {
		if ns, ok := ParseTime(s); ok {
			t.Errorf("%q is read as %d", s, ns)
		}
	}
	if ns, ok := ParseTime("2026-01-02T04:04:05+01:00"); !ok || FormatTime(ns) != "2026-01-02T03:04:05.000000000Z" {
		t.Errorf("a time in another zone is read as %d, %v", ns, ok)
	}
}
