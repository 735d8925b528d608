package storetest

import (
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

// checkedFinds is how many messages a stream may have for every way of finding to be compared with Scan.
const checkedFinds = 2000

// checkFinder compares the ways of finding with metas, which Scan met.
func (b *bench) checkFinder(st store.Stream, state store.State, metas []store.Meta) {
	b.Helper()
	whole, err := st.Count(b.ctx, store.Query{})
	b.must(err)
	want := store.Count{Messages: uint64(len(metas))}
	if len(metas) > 0 {
		want.First, want.Last = metas[0].Seq, metas[len(metas)-1].Seq
	}
	if whole != want {
		b.Errorf("Count: got %+v, Scan says %+v", whole, want)
	}
	if len(metas) > checkedFinds {
		return
	}
	on := map[string]store.Count{}
	for _, m := range metas {
		subject, err := st.SubjectOf(b.ctx, m.Seq)
		b.must(err)
		c := on[subject]
		if c.Messages++; c.First == 0 {
			c.First = m.Seq
		}
		c.Last = m.Seq
		on[subject] = c
	}
	var subjects []store.SubjectCount
	var last []store.Seq
	for _, name := range slices.Sorted(maps.Keys(on)) {
		subjects = append(subjects, store.SubjectCount{Subject: name, Count: on[name]})
		last = append(last, on[name].Last)
		if got, err := st.Count(b.ctx, store.Query{Subject: name}); err != nil || got != on[name] {
			b.Errorf("Count of %q: got %+v, %v, Scan says %+v", name, got, err, on[name])
		}
	}
	if d := cmp.Diff(subjects, b.subjects(st, "", "")); d != "" {
		b.Errorf("Subjects of %s (-scan +subjects):\n%s", st.Config().Name, d)
	}
	slices.Sort(last)
	b.wantLast(st, nil, 0, last...)
	b.checkGaps(st, state, metas)
}

// checkGaps demands that the gaps are just what is between the messages.
func (b *bench) checkGaps(st store.Stream, state store.State, metas []store.Meta) {
	b.Helper()
	at, n := state.First, 0
	for g, err := range st.Gaps(b.ctx, store.Query{}) {
		b.must(err)
		for n < len(metas) && metas[n].Seq < g.First {
			if metas[n].Seq != at {
				b.Fatalf("%d is neither live nor in a gap", at)
			}
			at++
			n++
		}
		if g.First != at || g.Last < g.First {
			b.Fatalf("got the gap %+v at %d", g, at)
		}
		at = g.Last + 1
	}
	if left := uint64(len(metas) - n); uint64(state.Last-at)+1 != left { //nolint:gosec // counts
		b.Errorf("behind the gaps are %d live messages, and %d sequences", left, state.Last-at+1)
	}
}
