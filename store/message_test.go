package store_test

import (
	"errors"
	"io"
	"testing"

	"jsfs/store"
)

func TestTotals(t *testing.T) {
	a := store.Totals{}.Add(store.Meta{Size: 3, JSON: 100, NoNewline: true})
	if want := (store.Totals{Messages: 1, Payload: 3, Log: 4, JSON: 100}); a != want {
		t.Errorf("a message without a newline: got %+v, want %+v", a, want)
	}
	b := store.Totals{}.Add(store.Meta{Size: 3, JSON: 100})
	if want := (store.Totals{Messages: 1, Payload: 3, Log: 3, JSON: 100}); b != want {
		t.Errorf("a message with a newline: got %+v, want %+v", b, want)
	}
	if want := (store.Totals{Messages: 2, Payload: 6, Log: 7, JSON: 200}); a.Plus(b) != want {
		t.Errorf("sum: got %+v, want %+v", a.Plus(b), want)
	}
	if a.Plus(b).Minus(b) != a {
		t.Errorf("difference: got %+v, want %+v", a.Plus(b).Minus(b), a)
	}
}

func TestErrorsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for i, a := range store.Sentinels() {
		if seen[a.Error()] {
			t.Errorf("two errors say %q", a)
		}
		seen[a.Error()] = true
		for j, b := range store.Sentinels() {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("errors.Is(%v, %v) is %v", a, b, errors.Is(a, b))
			}
		}
	}
}

func TestCorruptErrorTellsTheCause(t *testing.T) {
	err := error(&store.CorruptError{File: "f.blk", Offset: 7, Err: io.ErrUnexpectedEOF})
	if got, want := err.Error(), "damaged: f.blk at offset 7: unexpected EOF"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&store.CorruptError{Err: io.EOF}).Error(), "damaged: EOF"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is not wrapped")
	}
}
