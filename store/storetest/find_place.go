package storetest

import (
	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

func (b *bench) wantSeek(f store.Stream, ns int64, want store.Seq) {
	b.Helper()
	got, err := f.SeekTime(b.ctx, ns)
	if err != nil || got != want {
		b.Errorf("SeekTime(%d): got %d, %v, want %d", ns, got, err, want)
	}
}

func gap(cause store.Cause, first, last store.Seq) store.Gap {
	return store.Gap{Range: store.Range{First: first, Last: last}, Cause: cause}
}

func (b *bench) gaps(f store.Stream, q store.Query) []store.Gap {
	b.Helper()
	return all(b, f.Gaps(b.ctx, q))
}

func (b *bench) wantGaps(f store.Stream, q store.Query, want ...store.Gap) {
	b.Helper()
	if d := cmp.Diff(want, b.gaps(f, q)); d != "" {
		b.Errorf("Gaps(%+v) (-want +got):\n%s", q, d)
	}
}

var placeCases = []testCase{
	{name: "SeekTime gives the lowest live sequence of that time or later", run: func(b *bench) {
		st := finding(b)
		b.wantSeek(st, -1, 2)
		b.wantSeek(st, 0, 2)
		b.wantSeek(st, 20, 2)
		b.wantSeek(st, 21, 3)
		b.wantSeek(st, 50, 6) // removed
		b.wantSeek(st, 90, 9)
		b.wantSeek(st, 91, 21) // only the removed one at Last is that late
		b.wantSeek(st, 1<<63-1, 21)
		b.wantSeek(st, -1<<63, 2)
		b.must(st.Undelete(b.ctx, 20))
		b.wantSeek(st, 91, 20)
		b.wantSeek(st, 100, 20)
		b.wantSeek(st, 101, 21)
	}},
	{name: "SeekTime of an empty stream is what comes next", run: func(b *bench) {
		st := b.create("S")
		b.wantSeek(st, 5, 1)
		b.fill(st, 3)
		b.remove(st, 1, 2, 3)
		b.wantSeek(st, 0, 4)
	}},
	{name: "SeekTime passes over removed runs, before and behind", run: func(b *bench) {
		st := b.create("S")
		const n = 1000
		for i := 1; i <= n; i++ {
			b.restoreOn(st, store.Seq(i), int64(i), "x") //nolint:gosec // small
		}
		for seq := store.Seq(1); seq <= n; seq++ {
			if seq < 300 || seq > 400 && seq < 600 || seq > 700 {
				b.remove(st, seq)
			}
		}
		for _, c := range []struct{ ns, want store.Seq }{
			{0, 300}, {1, 300}, {299, 300}, {300, 300}, {350, 350}, {400, 400}, {401, 600}, {500, 600}, {599, 600},
			{600, 600}, {700, 700}, {701, n + 1}, {n, n + 1}, {n + 5, n + 1},
		} {
			b.wantSeek(st, int64(c.ns), c.want) //nolint:gosec // small
		}
	}},
	{name: "SeekTime of a time that many messages share is the first of them", run: func(b *bench) {
		st := b.create("S")
		for i := 1; i <= 600; i++ {
			b.restoreOn(st, store.Seq(i), int64((i-1)/200), "x") //nolint:gosec // small
		}
		b.wantSeek(st, 0, 1)
		b.wantSeek(st, 1, 201)
		b.wantSeek(st, 2, 401)
		b.remove(st, 201, 202)
		b.wantSeek(st, 1, 203)
		b.wantSeek(st, 3, 601)
	}},
	{name: "Gaps tells removed from skipped sequences", run: func(b *bench) {
		st := finding(b)
		removed, skipped := store.CauseRemoved, store.CauseSkipped
		b.wantGaps(st, store.Query{}, gap(removed, 5, 5), gap(skipped, 10, 19), gap(removed, 20, 20))
		b.wantGaps(st, store.Query{From: 12, To: 15}, gap(skipped, 12, 15))
		b.wantGaps(st, store.Query{From: 1, To: 5}, gap(removed, 5, 5))
		b.wantGaps(st, store.Query{From: 6, To: 9})
		b.wantGaps(st, store.Query{From: 21})
		b.wantGaps(st, store.Query{From: 9, To: 2})
		b.remove(st, 9, 3, 4)
		b.wantGaps(st, store.Query{}, gap(removed, 3, 5), gap(removed, 9, 9), gap(skipped, 10, 19), gap(removed, 20, 20))
		b.must(st.Undelete(b.ctx, 20))
		b.must(st.Undelete(b.ctx, 1))
		b.wantGaps(st, store.Query{}, gap(removed, 3, 5), gap(removed, 9, 9), gap(skipped, 10, 19))
	}},
	{name: "Gaps of a subject makes no sense", run: func(b *bench) {
		st := finding(b)
		var err error
		for _, err = range st.Gaps(b.ctx, store.Query{Subject: ">"}) {
		}
		b.wantErr(err, store.ErrInvalid)
	}},
	{name: "a stream without live messages has no gaps", run: func(b *bench) {
		st := b.create("S")
		b.wantGaps(st, store.Query{})
		b.restore(st, 50, "r")
		b.remove(st, 50)
		b.wantGaps(st, store.Query{})
	}},
	{name: "gaps of millions of sequences cost nothing", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		var want []store.Gap
		last := store.Seq(1)
		for i := range 20 {
			seq := store.Seq(1) << (20 + 2*i) //nolint:gosec // small
			b.restore(st, seq, "r")
			want = append(want, gap(store.CauseSkipped, last+1, seq-1))
			last = seq
		}
		b.restore(st, 1<<64-1, "the last there can be")
		b.wantGaps(st, store.Query{}, append(want, gap(store.CauseSkipped, last+1, 1<<64-2))...)
		b.wantCount(st, store.Query{Subject: "restored", From: 1 << 30}, 16, 1<<30, 1<<64-1)
		m, err := st.Next(b.ctx, store.Query{Subject: "restored", From: 1<<20 + 1}, nil)
		b.must(err)
		if m.Seq != 1<<22 {
			b.Errorf("got %d, want %d", m.Seq, 1<<22)
		}
		b.remove(st, 1<<22)
		b.wantGaps(st, store.Query{From: 1<<22 - 5, To: 1<<22 + 5},
			gap(store.CauseSkipped, 1<<22-5, 1<<22-1), gap(store.CauseRemoved, 1<<22, 1<<22), gap(store.CauseSkipped, 1<<22+1, 1<<22+5))
		b.remove(st, 1<<64-1)
		b.wantGaps(st, store.Query{From: 1<<64 - 2}, gap(store.CauseSkipped, 1<<64-2, 1<<64-2), gap(store.CauseRemoved, 1<<64-1, 1<<64-1))
	}},
	{name: "Gaps and Scan together are every sequence, also after many removals", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 20_000)
		for seq := store.Seq(2); seq < 20_000; seq += 2 {
			b.remove(st, seq)
		}
		at := store.Seq(0)
		n := 0
		for g, err := range st.Gaps(b.ctx, store.Query{}) {
			b.must(err)
			if g.First != at+2 || g.Len() != 1 || g.Cause != store.CauseRemoved {
				b.Fatalf("got %+v behind %d", g, at)
			}
			at = g.Last
			n++
		}
		if n != 9999 {
			b.Errorf("got %d gaps, want 9999", n)
		}
	}},
}
