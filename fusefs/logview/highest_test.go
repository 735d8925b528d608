package logview_test

import (
	"errors"
	"io"
	"math"
	"testing"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

// A log ends, and who follows gets nothing twice, where no number is left for another message.
func TestTheHighestNumberIsTheEnd(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		s := newStream(t)
		for i, seq := range []store.Seq{1, math.MaxUint64 - 1, math.MaxUint64} {
			m := store.Msg{Meta: store.Meta{Seq: seq}, Subject: "x", Data: []byte("abc"[i : i+1])}
			if err := s.Restore(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		for from, want := range map[store.Seq]string{0: "a\nb\nc\n", 2: "b\nc\n"} {
			q := store.Query{From: from}
			h := open(t, logview.New(s, q, logview.Payloads))
			defer h.Close()
			got, p := "", make([]byte, 3)
			for range 9 {
				n, err := h.ReadAt(t.Context(), p, int64(len(got)))
				if got += string(p[:n]); errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if got != want {
				t.Errorf("the log of %+v is %q, want %q", q, got, want)
			}
			b := logview.NewBell(s)
			l := tail(t, s, q, logview.Payloads, b)
			defer l.Close()
			b.End()
			if n, err := l.Read(t.Context(), p); n > 0 || !errors.Is(err, io.EOF) {
				t.Errorf("who follows %+v gets %q, %v", q, p[:n], err)
			}
		}
	})
}
