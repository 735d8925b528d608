package replicate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"jsfs/store"
	"jsfs/store/memstore"
	"jsfs/store/replicate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFlaky = errors.New("the line is bad")

// flaky is an origin far away: calls are slow, fail in the middle, and are cut off.
type flaky struct {
	store.Stream
	far *far
}

// far is where origins are.
type far struct {
	s     store.Store
	opens atomic.Int64
	cut   atomic.Bool // nothing works

	mu  sync.Mutex // guards rng
	rng *rand.Rand
}

func (f *far) fails(ctx context.Context, per int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	bad, slow := f.rng.IntN(per) == 0, f.rng.IntN(50) == 0
	f.mu.Unlock()
	if slow {
		time.Sleep(time.Millisecond)
	}
	if bad || f.cut.Load() {
		return errFlaky
	}
	return nil
}

func (f *far) open(ctx context.Context, name string) (replicate.Origin, error) {
	f.opens.Add(1)
	if err := f.fails(ctx, 4); err != nil {
		return nil, err
	}
	st, err := f.s.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	return &flaky{st, f}, nil
}

func (o *flaky) State(ctx context.Context) (store.State, error) {
	if err := o.far.fails(ctx, 10); err != nil {
		return store.State{}, err
	}
	return o.Stream.State(ctx)
}

func (o *flaky) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	if err := o.far.fails(ctx, 100); err != nil {
		return store.Msg{}, err
	}
	return o.Stream.Load(ctx, seq, buf)
}

func (o *flaky) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Meta, error] {
	return func(yield func(store.Meta, error) bool) {
		for m, err := range o.Stream.Scan(ctx, q) {
			if err == nil {
				err = o.far.fails(ctx, 100)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newStore(t *testing.T) store.Store {
	s := memstore.New(memstore.Options{})
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func create(t *testing.T, s store.Store, cfg store.Config) store.Stream {
	t.Helper()
	st, err := s.Create(t.Context(), cfg)
	must(t, err)
	return st
}

func fill(t *testing.T, st store.Stream, n int) {
	t.Helper()
	for range n {
		_, err := st.Append(t.Context(), store.Entry{Subject: "x", Data: []byte("data")})
		must(t, err)
	}
}

func last(t *testing.T, st store.Stream) store.Seq {
	t.Helper()
	state, err := st.State(t.Context())
	must(t, err)
	return state.Last
}

// TestABadLineLosesAndRepeatsNothing follows origins of which every call may fail half-way.
func TestABadLineLosesAndRepeatsNothing(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			there, here := newStore(t), newStore(t)
			f := &far{s: there, rng: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // a test
			r := replicate.New(replicate.Options{Open: f.open, Store: "far"})
			defer r.Close()
			a := create(t, there, store.Config{Name: "A"})
			mirror := create(t, here, store.Config{Name: "M", Mirror: &store.Source{Name: "A"}})
			sourced := create(t, here, store.Config{Name: "S", Sources: []store.Source{{Name: "A"}}})
			r.Start(mirror.(replicate.Target))
			r.Start(sourced.(replicate.Target))
			for range 20 {
				fill(t, a, 150)
				time.Sleep(time.Second)
				if seed%2 == 0 { // the links are stopped, and begin again where they were
					r.Stop(sourced.Incarnation())
					r.Start(sourced.(replicate.Target))
				}
			}
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			for _, st := range []store.Stream{mirror, sourced} {
				seq := store.Seq(0)
				for m, err := range st.Scan(t.Context(), store.Query{}) {
					must(t, err)
					if seq++; m.Seq != seq {
						t.Fatalf("seed %d: stream %s has %d behind %d", seed, st.Config().Name, m.Seq, seq-1)
					}
					msg, err := st.Load(t.Context(), m.Seq, nil)
					must(t, err)
					if st == sourced && !strings.Contains(string(msg.Header), fmt.Sprintf("Source: A %d > > x far-", seq)) {
						t.Fatalf("seed %d: message %d has header %q", seed, seq, msg.Header)
					}
				}
				if seq != 3000 {
					t.Errorf("seed %d: stream %s has %d messages, want 3000", seed, st.Config().Name, seq)
				}
			}
		})
	}
}

// TestPausesGrow counts how often a link calls for an origin that does not answer.
func TestPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		there, here := newStore(t), newStore(t)
		f := &far{s: there, rng: rand.New(rand.NewPCG(1, 1))} //nolint:gosec // a test
		f.cut.Store(true)
		r := replicate.New(replicate.Options{Open: f.open})
		defer r.Close()
		fill(t, create(t, there, store.Config{Name: "A"}), 3)
		m := create(t, here, store.Config{Name: "M", Mirror: &store.Source{Name: "A"}})
		r.Start(m.(replicate.Target))
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := f.opens.Load(); n < 100 || n > 1000 {
			t.Errorf("got %d calls in an hour", n)
		}
		state := r.Origins(m.Incarnation(), m.Config())
		if len(state) != 1 || state[0].Active != 0 || !strings.Contains(state[0].Error, errFlaky.Error()) {
			t.Errorf("got %+v, want the error", state)
		}
		f.cut.Store(false)
		r.Wake("A")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := last(t, m); got != 3 {
			t.Errorf("after the line is good again: got last %d, want 3", got)
		}
		if state := r.Origins(m.Incarnation(), m.Config()); state[0].Error != "" || state[0].Active == 0 {
			t.Errorf("got %+v, want no error", state)
		}
	})
}

// TestNothingIsStoredAfterStop stops links while they are busy.
func TestNothingIsStoredAfterStop(t *testing.T) {
	there, here := newStore(t), newStore(t)
	f := &far{s: there, rng: rand.New(rand.NewPCG(2, 1))} //nolint:gosec // a test
	r := replicate.New(replicate.Options{Open: f.open})
	a := create(t, there, store.Config{Name: "A"})
	fill(t, a, 20_000)
	m := create(t, here, store.Config{Name: "M", Mirror: &store.Source{Name: "A"}})
	r.Start(m.(replicate.Target))
	r.Start(m.(replicate.Target)) // harmless
	for last(t, m) == 0 {
		time.Sleep(time.Millisecond)
	}
	r.Stop(m.Incarnation())
	at := last(t, m)
	fill(t, a, 100)
	time.Sleep(10 * time.Millisecond)
	if got := last(t, m); got != at {
		t.Errorf("got last %d, was %d at stop", got, at)
	}
	r.Close()
	r.Start(m.(replicate.Target))
	time.Sleep(10 * time.Millisecond)
	if got := last(t, m); got != at {
		t.Errorf("after Close: got last %d, was %d", got, at)
	}
}
