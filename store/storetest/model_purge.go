package storetest

import (
	"fmt"

	"pgregory.net/rapid"

	"jsfs/store"
)

func (m *model) purge(rt *rapid.T) {
	p := m.pick(rt)
	var how store.Purge
	how.Subject = rapid.SampledFrom(append([]string{"", ">", "a.*", "none", "a..b"}, subjects...)).Draw(rt, "subject")
	if rapid.Bool().Draw(rt, "bounded") {
		how.Below = p.drawSeq(rt)
	}
	how.Keep = rapid.SampledFrom([]uint64{0, 0, 1, 2, 5, 1 << 63}).Draw(rt, "keep")
	gotN, got := p.got.Purge(rt.Context(), how)
	wantN, want := p.want.Purge(rt.Context(), how)
	sameCount(rt, fmt.Sprintf("purge %+v", how), gotN, wantN, got, want)
}

func (m *model) compact(rt *rapid.T) {
	p := m.pick(rt)
	seq := p.drawSeq(rt)
	if up := rapid.SampledFrom([]store.Seq{0, 0, 1, 2, 50, 100_000}).Draw(rt, "up"); up > 0 {
		state, err := p.want.State(rt.Context())
		check(rt, err)
		seq = state.Last + up
	}
	gotN, got := p.got.Compact(rt.Context(), seq)
	wantN, want := p.want.Compact(rt.Context(), seq)
	sameCount(rt, fmt.Sprint("compact ", seq), gotN, wantN, got, want)
}

func (m *model) skip(rt *rapid.T) {
	p := m.pick(rt)
	n := rapid.SampledFrom([]uint64{0, 1, 2, 7, 70_000, 1<<64 - 1}).Draw(rt, "skip")
	gotSeq, got := p.got.Skip(rt.Context(), n)
	wantSeq, want := p.want.Skip(rt.Context(), n)
	sameCount(rt, fmt.Sprint("skip ", n), gotSeq, wantSeq, got, want)
}

func (m *model) removeAll(rt *rapid.T) {
	p := m.pick(rt)
	ranges := make([]store.Range, rapid.IntRange(0, 6).Draw(rt, "ranges"))
	for i := range ranges {
		first := p.drawSeq(rt)
		ranges[i] = store.Range{First: first, Last: first + rapid.SampledFrom([]store.Seq{0, 1, 5, 40, 200}).Draw(rt, "length")}
	}
	gotN, got := p.got.RemoveAll(rt.Context(), ranges)
	wantN, want := p.want.RemoveAll(rt.Context(), ranges)
	sameCount(rt, fmt.Sprint("remove all ", ranges), gotN, wantN, got, want)
}

// sameCount demands that both stores gave the same number, or the same kind of error.
func sameCount[N int64 | store.Seq](rt *rapid.T, what string, gotN, wantN N, got, want error) {
	rt.Helper()
	if same(rt, what, got, want) && gotN != wantN {
		rt.Fatalf("%s: got %d, want %d", what, gotN, wantN)
	}
}
