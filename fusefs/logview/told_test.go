package logview_test

import (
	"errors"
	"fmt"
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

// Who follows a log asks again and again for as much as his buffer has room for. That this once reaches just up to a size that somebody
// was told must not keep from him what was stored later.
func TestASizeThatWasToldKeepsNothingFromWhoFollows(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		const line, buffer = 20, 10 * 20
		s := newStream(t)
		all := numbered(t, s, store.Query{}, 100)
		l := logview.New(s, store.Query{}, logview.Payloads)
		h := open(t, l)
		size, err := l.Size(t.Context())
		if err != nil || size != int64(len(all)) || size != 100*line {
			t.Fatalf("Size is %d, %v, want %d", size, err, 100*line)
		}
		for seq := range store.Seq(30) { // the reader will be 30 lines behind the places
			if _, err := s.Remove(t.Context(), 41+seq); err != nil {
				t.Fatal(err)
			}
		}
		var got []byte
		for stored := 0; ; stored++ {
			p := make([]byte, buffer)
			for ends := 0; ends < 2; { // the end may be met once more than there is one
				n, err := h.ReadAt(t.Context(), p, int64(len(got)))
				if err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				got = append(got, p[:n]...)
				if n == 0 {
					ends++
				}
			}
			if want := all[:40*line] + all[70*line:]; string(got) != want {
				t.Fatalf("after %d more lines it has %d bytes, want %d", stored, len(got), len(want))
			}
			if stored == 40 {
				return
			}
			text := fmt.Sprintf("this is message %3d\n", stored)
			if _, err := s.Append(t.Context(), store.Entry{Subject: "a", Data: []byte(text)}); err != nil {
				t.Fatal(err)
			}
			all += text
		}
	})
}
