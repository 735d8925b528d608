package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
	"jsfs/store/jsonl"
)

// Engine is what the suite needs to know of an engine.
type Engine struct {
	// Open opens the store at dir: an empty directory at first, the same one again to
	// reopen the store. An engine that is not on disk may take it as a mere key.
	Open func(tb testing.TB, dir string) store.Store
	// Durable says that what a store holds is there again when it is reopened.
	Durable bool
	// Compression is what streams get that are created without saying: none unless set.
	Compression store.Compression
	// Few leaves out the cases about a great many messages, for one of several forms of an engine.
	Few bool
}

// testCase is one row of the suite.
type testCase struct {
	name    string // what must hold
	durable bool   // the case reopens the store, so it is for durable engines
	many    bool   // the case is about a great many messages
	run     func(b *bench)
}

// Run runs every case that fits the engine, each on a fresh store.
func Run(t *testing.T, e Engine) {
	cases := slices.Concat(
		adminCases, updateCases,
		appendCases, readCases, loadRunCases, scanCases, findCases, countCases, placeCases, removeCases, eraseCases, truncateCases, keptCases, atticCases, purgeCases,
		restoreCases, restoreAllCases,
		limitCases, subjectLimitCases, dedupeCases, expectCases, rollupCases, ageCases, ttlCases,
		watchCases, draftCases, publishCases, durableCases, concurrentCases,
		mirrorCases, sourceCases,
		consumerCases, redeliveryCases, retentionCases, consumerStateCases,
	)
	for _, c := range cases {
		if c.durable && !e.Durable || c.many && e.Few {
			continue
		}
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			b := newBench(t, e)
			c.run(b)
			b.finish()
		})
	}
}

// bench is a store under test, with what makes cases short.
type bench struct {
	*testing.T
	engine Engine
	dir    string
	s      store.Store
	ctx    context.Context
}

func newBench(t *testing.T, e Engine) *bench {
	b := &bench{T: t, engine: e, dir: t.TempDir(), ctx: t.Context()}
	b.s = e.Open(t, b.dir)
	t.Cleanup(func() { _ = b.s.Close() })
	return b
}

// reopen closes the store and opens it again.
func (b *bench) reopen() {
	b.Helper()
	b.must(b.s.Close())
	b.s = b.engine.Open(b.T, b.dir)
}

// finish checks every stream, and that reopening a durable store changes none.
func (b *bench) finish() {
	b.Helper()
	names, err := b.s.Streams(b.ctx)
	if errors.Is(err, store.ErrClosed) {
		return
	}
	b.must(err)
	before := map[string]store.State{}
	for _, name := range names {
		before[name] = b.check(b.open(name))
	}
	if !b.engine.Durable {
		return
	}
	b.reopen()
	again, err := b.s.Streams(b.ctx)
	b.must(err)
	if d := cmp.Diff(names, again); d != "" {
		b.Errorf("streams after reopening (-before +after):\n%s", d)
	}
	for _, name := range again {
		got, want := durablePart(b.check(b.open(name))), durablePart(before[name])
		if d := cmp.Diff(want, got); d != "" {
			b.Errorf("state of %s after reopening (-before +after):\n%s", name, d)
		}
	}
}

// durablePart is a state without the numbers that count since the store was opened.
func durablePart(s store.State) store.State {
	s.Rev, s.Appended = 0, store.Totals{}
	return s
}

// defaults is what Create makes of a configuration.
func (b *bench) defaults(cfg store.Config) store.Config {
	if cfg.Compression == "" {
		cfg.Compression = b.engine.Compression
	}
	return cfg.WithDefaults()
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

// wantErr demands that err is target.
func (b *bench) wantErr(err, target error) {
	b.Helper()
	if !errors.Is(err, target) {
		b.Errorf("got error %v, want %v", err, target)
	}
}

func (b *bench) create(name string, subjects ...string) store.Stream {
	b.Helper()
	st, err := b.s.Create(b.ctx, store.Config{Name: name, Subjects: subjects})
	b.must(err)
	return st
}

func (b *bench) open(name string) store.Stream {
	b.Helper()
	st, err := b.s.Stream(b.ctx, name)
	b.must(err)
	return st
}

func (b *bench) append(st store.Stream, subject, data string) store.Seq {
	b.Helper()
	seq, err := st.Append(b.ctx, store.Entry{Subject: subject, Data: []byte(data)})
	b.must(err)
	return seq
}

// fill appends n messages with a payload of a few bytes, in batches.
func (b *bench) fill(st store.Stream, n int) {
	b.Helper()
	for n > 0 {
		es := make([]store.Entry, min(n, 10_000))
		for i := range es {
			es[i] = store.Entry{Subject: "fill", Data: []byte("x\n")}
		}
		got, err := st.AppendAll(b.ctx, es)
		b.must(err)
		if got != len(es) {
			b.Fatalf("AppendAll stored %d, want %d", got, len(es))
		}
		n -= got
	}
}

func (b *bench) remove(st store.Stream, seqs ...store.Seq) {
	b.Helper()
	for _, seq := range seqs {
		live, err := st.Remove(b.ctx, seq)
		b.must(err)
		if !live {
			b.Errorf("Remove(%d) says that it was not live", seq)
		}
	}
}

func (b *bench) restore(st store.Stream, seq store.Seq, data string) {
	b.Helper()
	b.must(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: seq, Time: 1}, Subject: "restored", Data: []byte(data)}))
}

func (b *bench) state(st store.Stream) store.State {
	b.Helper()
	s, err := st.State(b.ctx)
	b.must(err)
	return s
}

func (b *bench) load(st store.Stream, seq store.Seq) store.Msg {
	b.Helper()
	m, err := st.Load(b.ctx, seq, nil)
	b.must(err)
	return m
}

func (b *bench) wantData(st store.Stream, seq store.Seq, want string) {
	b.Helper()
	if got := string(b.load(st, seq).Data); got != want {
		b.Errorf("data of %d: got %q, want %q", seq, got, want)
	}
}

// wantGone demands that all ways to reach a message give target.
func (b *bench) wantGone(st store.Stream, seq store.Seq, target error) {
	b.Helper()
	_, err := st.Load(b.ctx, seq, nil)
	b.wantErr(err, target)
	_, err = st.Stat(b.ctx, seq)
	b.wantErr(err, target)
}

func (b *bench) scan(st store.Stream, q store.Query) []store.Meta {
	b.Helper()
	return all(b, st.Scan(b.ctx, q))
}

// all returns what a walk without an error gives.
func all[T any](b *bench, walk iter.Seq2[T, error]) []T {
	b.Helper()
	var out []T
	for x, err := range walk {
		b.must(err)
		out = append(out, x)
	}
	return out
}

func (b *bench) wantSeqs(st store.Stream, q store.Query, want ...store.Seq) {
	b.Helper()
	var got []store.Seq
	for _, m := range b.scan(st, q) {
		got = append(got, m.Seq)
	}
	if !slices.Equal(got, want) {
		b.Errorf("Scan(%+v): got %v, want %v", q, got, want)
	}
}

// check compares all views of a stream with each other, and returns its state. Nobody
// else may be using the stream.
func (b *bench) check(st store.Stream) store.State {
	b.Helper()
	state := b.state(st)
	metas := b.scan(st, store.Query{})
	var sum store.Totals
	last := int64(0)
	for i, m := range metas {
		if i > 0 && (m.Seq <= metas[i-1].Seq || m.Time < last) {
			b.Errorf("message %d at %d follows %d at %d", m.Seq, m.Time, metas[i-1].Seq, last)
		}
		last, sum = m.Time, sum.Add(m)
	}
	want := state
	want.Live, want.First, want.FirstTime, want.Deleted = sum, state.Last+1, 0, 0
	if len(metas) > 0 {
		want.First, want.FirstTime = metas[0].Seq, metas[0].Time
		want.Deleted = uint64(state.Last-want.First) + 1 - uint64(len(metas)) - state.Lost //nolint:gosec // a count
		if end := metas[len(metas)-1]; end.Seq == state.Last {
			want.LastTime = end.Time
		}
	}
	if d := cmp.Diff(want, state); d != "" {
		b.Errorf("state of %s (-scan says +state says):\n%s", st.Config().Name, d)
	}
	b.checkExtents(st, metas)
	b.checkFinder(st, state, metas)
	for i, m := range metas {
		if i < 500 || i > len(metas)-500 {
			b.checkMessage(st, m)
		}
	}
	return state
}

func (b *bench) checkExtents(st store.Stream, metas []store.Meta) {
	b.Helper()
	extents, state, err := st.Extents(b.ctx)
	b.must(err)
	var sum store.Totals
	end := store.Seq(0)
	for _, e := range extents {
		if e.First <= end || e.Last < e.First {
			b.Errorf("extent %d–%d follows one that ends at %d", e.First, e.Last, end)
		}
		var inside store.Totals
		for len(metas) > 0 && metas[0].Seq <= e.Last {
			if metas[0].Seq < e.First {
				b.Fatalf("message %d is in no extent", metas[0].Seq)
			}
			inside, metas = inside.Add(metas[0]), metas[1:]
		}
		if inside != e.Live {
			b.Errorf("extent %d–%d: got %+v, its messages are %+v", e.First, e.Last, e.Live, inside)
		}
		end, sum = e.Last, sum.Plus(e.Live)
	}
	if len(metas) > 0 || sum != state.Live {
		b.Errorf("extents add up to %+v, state says %+v; %d messages are in none", sum, state.Live, len(metas))
	}
}

// checkMessage compares the ways to one message.
func (b *bench) checkMessage(st store.Stream, want store.Meta) {
	b.Helper()
	m, err := st.Load(b.ctx, want.Seq, nil)
	if err != nil {
		b.Fatalf("Load of %d, which Scan met: %v", want.Seq, err)
	}
	stat, err := st.Stat(b.ctx, want.Seq)
	b.must(err)
	if stat != want || m.Meta != want {
		b.Errorf("message %d: Scan says %+v, Stat %+v, Load %+v", want.Seq, want, stat, m.Meta)
	}
	truth := store.Meta{
		Seq: want.Seq, Time: want.Time, Size: int64(len(m.Data)), JSON: int64(len(jsonl.Append(nil, m))),
		HasHeader: len(m.Header) > 0, NoNewline: !bytes.HasSuffix(m.Data, []byte("\n")),
	}
	if want != truth {
		b.Errorf("message %d: Scan says %+v, its bytes %+v", want.Seq, want, truth)
	}
}

// take returns the next n events of a subscription, and demands that no more wait.
func (b *bench) take(sub store.Subscription, n int) []store.Event {
	b.Helper()
	var out []store.Event
	late := time.After(10 * time.Second)
	for len(out) < n {
		select {
		case <-sub.C():
		case <-late:
			b.Fatalf("got %d events in 10 s, want %d", len(out), n)
		}
		events, lost := sub.Take(nil)
		if lost {
			b.Fatal("events were lost")
		}
		out = append(out, events...)
	}
	more, lost := sub.Take(nil)
	if len(out) > n || len(more) > 0 || lost {
		b.Fatalf("got %d events and lost %v, want %d", len(out)+len(more), lost, n)
	}
	return out
}

// numbered is a payload that can be told from every other one.
func numbered(i int) string { return fmt.Sprintf("message number %d\n", i) }
