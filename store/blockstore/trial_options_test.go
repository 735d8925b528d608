package blockstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
	"jsfs/store/memstore"
)

// TestTrialTheSameOperationsGiveTheSameListing makes the same operations on stores in all combinations of options, and on
// the memory store (P17): all of them hold the same in the end.
func TestTrialTheSameOperationsGiveTheSameListing(t *testing.T) {
	t.Parallel()
	for seed := range rounds(4, 100) {
		var clock atomic.Int64 // the operation under way sets it
		model := memstore.New(memstore.Options{Now: clock.Load})
		want, err := sameOperations(seed, &clock, func() (store.Store, error) { return model, nil }, false)
		must(t, err)
		must(t, model.Close())
		if n := strings.Count(want, "\n"); n < 8 {
			t.Fatalf("seed %d: the listing has %d lines only", seed, n)
		}
		for _, opt := range everyOption() {
			mem := vfs.NewMem()
			opt.Now = clock.Load
			got, err := sameOperations(seed, &clock, func() (store.Store, error) { return openTrial(mem, opt) }, true)
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, sayOptions(opt), err)
			}
			if got != want {
				t.Fatalf("seed %d, %s: got\n%s\nwant\n%s", seed, sayOptions(opt), got, want)
			}
		}
	}
}

// sameOperations makes operations at random, the same ones for a seed, and lists what is there then.
func sameOperations(seed int, clock *atomic.Int64, open func() (store.Store, error), reopen bool) (string, error) {
	const begin = 1_700_000_000_000_000_000
	clock.Store(begin)
	s, err := open()
	if err != nil {
		return "", err
	}
	st, err := s.Create(bg, store.Config{Name: "S", MaxMsgsPerSubject: 40})
	if err != nil {
		return "", err
	}
	rng := seeded(seed)
	for i := range 200 {
		clock.Store(begin + int64(i)*1e9)
		seq := store.Seq(1 + rng.IntN(250)) //nolint:gosec // small
		var err error
		switch p := rng.IntN(100); {
		case p < 55:
			_, err = st.Append(bg, entry(rng, i, rng.IntN(500)))
		case p < 65:
			_, err = st.AppendAll(bg, []store.Entry{entry(rng, i, 50), entry(rng, -i, 200), entry(rng, i, 10)})
		case p < 80:
			_, err = st.Remove(bg, seq)
		case p < 88:
			err = st.Undelete(bg, seq)
		case p < 91:
			_, err = st.Skip(bg, 1+uint64(seq)%7)
		case p < 94:
			_, err = st.Purge(bg, store.Purge{Subject: "a.*", Keep: 12})
		case p < 96:
			_, err = st.Compact(bg, seq/12)
		default:
			if !reopen {
				continue
			}
			if err = s.Close(); err == nil {
				s, err = open()
			}
			if err == nil {
				st, err = s.Stream(bg, "S")
			}
			if err != nil {
				return "", err
			}
		}
		if err != nil && !errors.Is(err, store.ErrBeyond) && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrLimit) {
			return "", err
		}
	}
	list, err := everything(st)
	if reopen {
		err = errors.Join(err, s.Close())
	}
	return list, err
}

// everything lists what a stream has, byte for byte.
func everything(st store.Stream) (string, error) {
	var b strings.Builder
	for m, err := range st.Scan(bg, store.Query{}) {
		if err != nil {
			return "", err
		}
		msg, err := st.Load(bg, m.Seq, nil)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%d %d %s %q %x\n", m.Seq, msg.Time, msg.Subject, msg.Header, msg.Data)
	}
	for c, err := range st.Subjects(bg, "", "") {
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s %+v\n", c.Subject, c.Count)
	}
	state, err := st.State(bg)
	fmt.Fprintf(&b, "%+v, %d to %d\n", state.Live, state.First, state.Last)
	return b.String(), err
}
