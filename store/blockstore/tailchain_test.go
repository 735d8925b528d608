package blockstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestSubjectsInTheTailAgreeWithAPlainList has a tail with dense and sparse subjects, which change at random, and finds by
// subject from everywhere. Skips make gaps, and the index is made anew now and then.
func TestSubjectsInTheTailAgreeWithAPlainList(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		st, s := openBlocks(t, vfs.NewMem(), 1<<20)
		list := &plainList{t: t, s: s, on: map[store.Seq]string{}, live: map[store.Seq]bool{}}
		for range 40 {
			for range rng.IntN(120) {
				list.put(subjectAtRandom(rng))
			}
			if list.last == 0 {
				continue
			}
			back := rng.IntN(4) == 0 && seed > 2 // from then on the links are not followed
			for range rng.IntN(30) {
				list.flip(store.Seq(rng.Uint64N(uint64(list.last))+1), back)
			}
			switch rng.IntN(12) {
			case 0:
				list.skip(uint64(rng.IntN(100) + 1))
			case 1:
				s.subjects.drop()
			}
			for range 20 {
				list.compare(subjectAtRandom(rng), store.Seq(rng.Uint64N(uint64(list.last))+1), store.Seq(rng.Uint64N(uint64(list.last))+1))
			}
			for _, subject := range []string{"dense", "sparse.1", "none"} {
				list.compare(subject, 1, list.last)
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func subjectAtRandom(rng *rand.Rand) string {
	if rng.IntN(4) == 0 {
		return "dense"
	}
	return fmt.Sprintf("sparse.%d", rng.IntN(60))
}

// plainList is what is in a stream.
type plainList struct {
	t    *testing.T
	s    *Stream
	on   map[store.Seq]string
	live map[store.Seq]bool
	last store.Seq
}

func (l *plainList) put(subject string) {
	l.t.Helper()
	l.last = put(l.t, l.s, subject)
	l.on[l.last], l.live[l.last] = subject, true
}

// flip removes a message, or brings it back if it may.
func (l *plainList) flip(seq store.Seq, back bool) {
	l.t.Helper()
	switch {
	case l.live[seq]:
		if ok, err := l.s.Remove(l.t.Context(), seq); !ok || err != nil {
			l.t.Fatalf("remove %d: %v, %v", seq, ok, err)
		}
		l.live[seq] = false
	case back && l.on[seq] != "":
		if err := l.s.Undelete(l.t.Context(), seq); err != nil {
			l.t.Fatal(err)
		}
		l.live[seq] = true
	}
}

func (l *plainList) skip(n uint64) {
	l.t.Helper()
	last, err := l.s.Skip(l.t.Context(), n)
	if err != nil {
		l.t.Fatal(err)
	}
	l.last = last
}

// compare asks for the messages on a subject from from to to.
func (l *plainList) compare(subject string, from, to store.Seq) {
	l.t.Helper()
	var first, last store.Seq
	n := uint64(0)
	for seq := from; seq <= to; seq++ {
		if !l.live[seq] || l.on[seq] != subject {
			continue
		}
		if n++; n == 1 {
			first = seq
		}
		last = seq
	}
	q := store.Query{Subject: subject, From: from, To: to}
	if from > to {
		return
	}
	got, err := l.s.Next(l.t.Context(), q, nil)
	l.same("first", q, got.Seq, err, first)
	got, err = l.s.Prev(l.t.Context(), q, nil)
	l.same("last", q, got.Seq, err, last)
	k, _, err := l.s.Pending(l.t.Context(), q, false)
	if err != nil || k != n {
		l.t.Fatalf("%+v: got %d messages, %v, want %d", q, k, err, n)
	}
	seq := first
	for m, err := range l.s.Scan(l.t.Context(), q) {
		if err != nil || m.Seq != seq {
			l.t.Fatalf("%+v: the scan got %d, %v, want %d", q, m.Seq, err, seq)
		}
		for seq++; seq <= last && (!l.live[seq] || l.on[seq] != subject); seq++ {
		}
		n--
	}
	if n != 0 {
		l.t.Fatalf("%+v: the scan has %d messages too few", q, n)
	}
}

func (l *plainList) same(which string, q store.Query, got store.Seq, err error, want store.Seq) {
	l.t.Helper()
	if want == 0 && errors.Is(err, store.ErrNotFound) {
		return
	}
	if err != nil || got != want {
		l.t.Fatalf("%+v: the %s is %d, %v, want %d", q, which, got, err, want)
	}
}

// TestAMessageOfTheTailThatComesBackIsFound: when the second message on its subject came, the first was removed, so no link leads to it.
func TestAMessageOfTheTailThatComesBackIsFound(t *testing.T) {
	st, s := openBlocks(t, vfs.NewMem(), 1<<20)
	defer st.Close()
	list := &plainList{t: t, s: s, on: map[store.Seq]string{}, live: map[store.Seq]bool{}}
	list.put("a")
	list.compare("a", 1, 1) // has the index made
	list.flip(1, false)
	for range 3 * tailStep {
		list.put("other")
	}
	list.put("a")
	list.compare("a", 1, list.last)
	list.flip(1, true)
	list.compare("a", 1, list.last)
	list.compare("a", 1, list.last-1)
}
