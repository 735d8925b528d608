package logview_test

import (
	"errors"
	"io"
	"testing"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

// tail(1) looks at the size, reads the last block, and goes on until it has read up to that size. Its last line must be a whole
// one, though what was removed made room for what was stored meanwhile.
func TestWhoReadsUpToTheSizeThatHeWasToldGetsWholeMessages(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		s := newStream(t)
		all := numbered(t, s, store.Query{}, 100)
		l := logview.New(s, store.Query{}, logview.Payloads)
		open(t, l) // keeps the places
		h := open(t, l)
		size, err := l.Size(t.Context())
		if err != nil || size != int64(len(all)) {
			t.Fatalf("Size is %d, %v, want %d", size, err, len(all))
		}
		read := func(from, to int64) string {
			t.Helper()
			p := make([]byte, to-from)
			n, err := h.ReadAt(t.Context(), p, from)
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return string(p[:n])
		}
		begin := size - 200
		got := read(begin, begin+70) // ends in the middle of message 94
		if _, err := s.Remove(t.Context(), 96); err != nil {
			t.Fatal(err)
		}
		const later = "what is stored later is longer\n"
		if _, err := s.Append(t.Context(), store.Entry{Subject: "a", Data: []byte(later)}); err != nil {
			t.Fatal(err)
		}
		got += read(begin+70, size)
		got += read(begin+int64(len(got)), size)
		if want := all[begin:begin+100] + all[begin+120:]; got != want {
			t.Errorf("it got %q, want %q", got, want)
		}
		if got := read(begin+180, size+1000); got != later {
			t.Errorf("who reads on got %q", got)
		}
	})
}
