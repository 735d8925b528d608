package storetest

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"jsfs/store"
)

// compareStates runs after every action.
func (m *model) compareStates(rt *rapid.T) {
	got, err := m.got.Streams(rt.Context())
	check(rt, err)
	want, err := m.want.Streams(rt.Context())
	check(rt, err)
	if !slices.Equal(got, want) {
		rt.Fatalf("streams: got %q, want %q", got, want)
	}
	for _, p := range m.subs {
		p.compareState(rt)
		p.compareEvents(rt)
		p.compareConsumers(rt)
	}
}

func (p *pair) compareState(rt *rapid.T) {
	rt.Helper()
	extents, got, err := p.got.Extents(rt.Context())
	check(rt, err)
	state, err := p.got.State(rt.Context())
	check(rt, err)
	if got != state {
		rt.Fatalf("state of %s: Extents says %+v, State %+v", p.name, got, state)
	}
	want, err := p.want.State(rt.Context())
	check(rt, err)
	got.Rev, want.Rev = got.Rev-p.gotRev, want.Rev-p.wantRev
	got.Appended, want.Appended = got.Appended.Minus(p.gotAppended), want.Appended.Minus(p.wantAppended)
	if d := cmp.Diff(want, got); d != "" {
		rt.Fatalf("state of %s (-want +got):\n%s", p.name, d)
	}
	var sum store.Totals
	for _, e := range extents {
		sum = sum.Plus(e.Live)
	}
	if sum != got.Live {
		rt.Fatalf("extents of %s add up to %+v, want %+v", p.name, sum, got.Live)
	}
}

func (p *pair) compareEvents(rt *rapid.T) {
	rt.Helper()
	take := func(sub store.Subscription, base uint64) []store.Event {
		events, lost := sub.Take(nil)
		if lost {
			rt.Fatal("events were lost")
		}
		out := make([]store.Event, 0, len(events))
		for _, e := range events {
			e.Rev, e.Incarnation = e.Rev-base, 0
			out = append(out, e)
		}
		return out
	}
	if d := cmp.Diff(take(p.wantSub, p.wantRev), take(p.gotSub, p.gotRev)); d != "" {
		rt.Fatalf("events of %s (-want +got):\n%s", p.name, d)
	}
}

// compareContents runs once at the end.
func (m *model) compareContents(rt *rapid.T) {
	for _, p := range m.subs {
		p.compareKept(rt)
		p.compareScans(rt, store.Query{})
		p.compareGaps(rt, store.Query{})
		for meta, err := range p.want.Scan(rt.Context(), store.Query{}) {
			check(rt, err)
			got, err := p.got.Load(rt.Context(), meta.Seq, nil)
			check(rt, err)
			want, err := p.want.Load(rt.Context(), meta.Seq, nil)
			check(rt, err)
			sameMsg(rt, got, want)
		}
		p.compareDrafts(rt)
	}
}

func (p *pair) compareDrafts(rt *rapid.T) {
	read := func(st store.Stream) map[string]string {
		out := map[string]string{}
		list, err := st.ListDrafts(rt.Context())
		check(rt, err)
		for _, info := range list {
			d, err := st.OpenDraft(rt.Context(), info.Name)
			check(rt, err)
			buf := make([]byte, info.Size)
			if n, err := d.ReadAt(buf, 0); n != len(buf) {
				rt.Fatalf("draft %q: read %d of %d bytes: %v", info.Name, n, len(buf), err)
			}
			check(rt, d.Close())
			out[info.Name] = string(buf)
		}
		return out
	}
	if d := cmp.Diff(read(p.want), read(p.got)); d != "" {
		rt.Fatalf("drafts of %s (-want +got):\n%s", p.name, d)
	}
}

func (p *pair) compareScans(rt *rapid.T, q store.Query) {
	rt.Helper()
	compareWalks(rt, p, fmt.Sprintf("scan of %+v", q), func(st store.Stream) iter.Seq2[store.Meta, error] { return st.Scan(rt.Context(), q) })
}

// compareWalks compares what both streams give, one by one.
func compareWalks[T any](rt *rapid.T, p *pair, what string, walk func(store.Stream) iter.Seq2[T, error]) {
	rt.Helper()
	all := func(st store.Stream) (out []T, bad error) {
		for x, err := range walk(st) {
			if bad = errors.Join(bad, err); err == nil {
				out = append(out, x)
			}
		}
		return out, bad
	}
	got, gerr := all(p.got)
	want, werr := all(p.want)
	if same(rt, what, gerr, werr) {
		diff(rt, what, got, want)
	}
}
