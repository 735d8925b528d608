package damage

import (
	"errors"
	"math"
	"slices"
	"testing"

	"jsfs/store"
)

var errTorn = errors.New("torn")

// damaged is a book in which 10 to 12 are lost, 20 to 25 were removed and are lost, and 30 can't be read.
func damaged() *Book {
	var b Book
	b.AddLost(10, 12, &store.CorruptError{File: "f", Offset: 5, Err: errTorn})
	b.AddGone(store.Range{First: 20, Last: 25})
	b.AddBad(30)
	return &b
}

func TestWhyASequenceHasNoMessage(t *testing.T) {
	b := damaged()
	for _, c := range []struct {
		seq   uint64
		cause store.Cause
		end   uint64
	}{
		{1, store.CauseSkipped, 9},
		{10, store.CauseLost, 12},
		{12, store.CauseLost, 12},
		{13, store.CauseSkipped, 19},
		{22, store.CauseRemoved, 25},
		{26, store.CauseSkipped, math.MaxUint64},
	} {
		if cause, end := b.CauseAt(c.seq); cause != c.cause || end != c.end {
			t.Errorf("%d: got %v up to %d, want %v up to %d", c.seq, cause, end, c.cause, c.end)
		}
	}
	if err := b.LostAt(11); !errors.Is(err, errTorn) {
		t.Errorf("11 is lost because of %v, want %v", err, errTorn)
	}
	if err := b.LostAt(13); err != nil {
		t.Errorf("13 is lost because of %v", err)
	}
}

func TestWhatIsLostIsCounted(t *testing.T) {
	b := damaged()
	if unlisted, lost := b.Count(11, 40); unlisted != 2 || lost != 4 {
		t.Errorf("got %d without an entry and %d lost, want 2 and 4", unlisted, lost)
	}
	if !b.IsBad(30) || b.IsBad(29) {
		t.Error("30 is bad, and 29 is not")
	}
	if got := b.BeforeBad(7); got != 29 {
		t.Errorf("what can be read ends at %d, want 29", got)
	}
	if got := b.BeforeBad(30); got != math.MaxUint64 {
		t.Errorf("what can be read behind 30 ends at %d", got)
	}
	if got, want := b.GoneIn(24, 90), []store.Range{{First: 24, Last: 25}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDamageIsListedOnce(t *testing.T) {
	var b Book
	e := store.Damage{File: "one", Offset: 8, First: 3, Last: 4}
	if !b.Add(e) || b.Add(e) {
		t.Error("the same damage is new once")
	}
	e.Offset = 9
	if !b.Add(e) || len(b.List()) != 2 {
		t.Error("damage in another place is other damage")
	}
	for _, c := range []struct {
		file        string
		first, next uint64
		want        bool
	}{{"one", 100, 200, true}, {"two", 4, 9, true}, {"two", 5, 9, false}, {"two", 1, 3, false}} {
		if got := b.In(c.file, c.first, c.next); got != c.want {
			t.Errorf("%s from %d to before %d: got %v", c.file, c.first, c.next, got)
		}
	}
}
