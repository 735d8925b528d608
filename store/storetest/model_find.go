package storetest

import (
	"fmt"
	"iter"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"jsfs/store"
)

// patterns are what the model finds by.
var patterns = append([]string{"", ">", "a.*", "*.b", "*", "a.>", "long.>", "none", "a..b"}, subjects...)

func (p *pair) drawQuery(rt *rapid.T) store.Query {
	q := store.Query{Subject: rapid.SampledFrom(patterns).Draw(rt, "pattern")}
	if rapid.IntRange(0, 2).Draw(rt, "bounded") > 0 {
		q.From = p.drawSeq(rt)
	}
	if rapid.IntRange(0, 2).Draw(rt, "cut") == 0 {
		q.To = p.drawSeq(rt)
	}
	if rapid.IntRange(0, 2).Draw(rt, "more patterns") == 0 {
		q.Or = rapid.SliceOfN(rapid.SampledFrom(patterns), 1, 3).Draw(rt, "or")
	}
	return q
}

// find compares one call of finding.
func (m *model) find(rt *rapid.T) {
	p, ctx := m.pick(rt), rt.Context()
	got, want := p.got, p.want
	q := p.drawQuery(rt)
	switch rapid.IntRange(0, 7).Draw(rt, "call") {
	case 0:
		buf := make([]byte, rapid.IntRange(0, 700).Draw(rt, "buffer"))
		g, gerr := got.Next(ctx, q, buf)
		w, werr := want.Next(ctx, q, nil)
		if same(rt, fmt.Sprintf("next of %+v", q), gerr, werr) {
			sameMsg(rt, g, w)
		}
	case 1:
		g, gerr := got.Prev(ctx, q, nil)
		w, werr := want.Prev(ctx, q, nil)
		if same(rt, fmt.Sprintf("prev of %+v", q), gerr, werr) {
			sameMsg(rt, g, w)
		}
	case 2:
		g, gerr := got.Count(ctx, q)
		w, werr := want.Count(ctx, q)
		if same(rt, fmt.Sprintf("count of %+v", q), gerr, werr) && g != w {
			rt.Fatalf("count of %+v: got %+v, want %+v", q, g, w)
		}
	case 3:
		last := rapid.Bool().Draw(rt, "last per subject")
		g, gt, gerr := got.Pending(ctx, q, last)
		w, wt, werr := want.Pending(ctx, q, last)
		if same(rt, fmt.Sprintf("pending of %+v", q), gerr, werr) && (g != w || gt != wt) {
			rt.Fatalf("pending of %+v, last %v: got %d through %d, want %d through %d", q, last, g, gt, w, wt)
		}
	case 4:
		ps := append([]string{q.Subject}, q.Or...)
		if rapid.IntRange(0, 3).Draw(rt, "no pattern") == 0 {
			ps = nil
		}
		limit := rapid.IntRange(0, 4).Draw(rt, "limit")
		g, gerr := got.LastSeqs(ctx, ps, q.To, limit)
		w, werr := want.LastSeqs(ctx, ps, q.To, limit)
		if same(rt, fmt.Sprintf("last sequences of %q up to %d", ps, q.To), gerr, werr) {
			diff(rt, fmt.Sprintf("last sequences of %q up to %d", ps, q.To), g, w)
		}
	case 5:
		g, gerr := got.SubjectOf(ctx, q.From)
		w, werr := want.SubjectOf(ctx, q.From)
		if same(rt, fmt.Sprintf("subject of %d", q.From), gerr, werr) && g != w {
			rt.Fatalf("subject of %d: got %q, want %q", q.From, g, w)
		}
	case 6:
		p.compareSubjects(rt, q.Subject)
	case 7:
		if rapid.IntRange(0, 3).Draw(rt, "gaps on subjects") > 0 {
			q.Subject, q.Or = "", nil
		}
		p.compareGaps(rt, q)
		p.compareSeek(rt, q.From)
	}
}

func diff[T any](rt *rapid.T, what string, got, want []T) {
	rt.Helper()
	if d := cmp.Diff(want, got); len(got)+len(want) > 0 && d != "" {
		rt.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func (p *pair) compareSubjects(rt *rapid.T, pattern string) {
	rt.Helper()
	after := rapid.SampledFrom([]string{"", "a", "a.b", "a.b.c", "b", "\xff"}).Draw(rt, "after")
	compareWalks(rt, p, "subjects on "+pattern, func(st store.Stream) iter.Seq2[store.SubjectCount, error] {
		return st.Subjects(rt.Context(), pattern, after)
	})
	got, gerr := p.got.CountSubjects(rt.Context())
	want, werr := p.want.CountSubjects(rt.Context())
	if same(rt, "number of subjects", gerr, werr) && got != want {
		rt.Fatalf("number of subjects: got %d, want %d", got, want)
	}
}

func (p *pair) compareGaps(rt *rapid.T, q store.Query) {
	rt.Helper()
	compareWalks(rt, p, fmt.Sprintf("gaps of %+v", q), func(st store.Stream) iter.Seq2[store.Gap, error] { return st.Gaps(rt.Context(), q) })
}

// compareSeek seeks about the time of message near.
func (p *pair) compareSeek(rt *rapid.T, near store.Seq) {
	rt.Helper()
	ns := rapid.Int64().Draw(rt, "time")
	if meta, err := p.want.Stat(rt.Context(), near); err == nil {
		ns = meta.Time + rapid.Int64Range(-1, 1).Draw(rt, "about")
	}
	got, gerr := p.got.SeekTime(rt.Context(), ns)
	want, werr := p.want.SeekTime(rt.Context(), ns)
	if same(rt, fmt.Sprintf("seek of %d", ns), gerr, werr) && got != want {
		rt.Fatalf("seek of %d: got %d, want %d", ns, got, want)
	}
}
