package storetest

import (
	"fmt"
	"math"
	"slices"

	"jsfs/store"
)

var purgeCases = []testCase{
	{name: "Purge of everything leaves an empty stream that goes on", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5)
		before := b.state(st)
		b.wantPurged(st, store.Purge{}, 5)
		if s := b.check(st); s.First != 6 || s.Last != 5 || s.LastTime != before.LastTime || s.FirstTime != 0 || s.Live != (store.Totals{}) {
			b.Errorf("got %+v, want first 6, last 5 and its time", s)
		}
		b.wantPurged(st, store.Purge{}, 0)
		b.wantGone(st, 3, store.ErrNotFound)
		if seq := b.append(st, "x", "next"); seq != 6 {
			b.Errorf("the next message has %d, want 6", seq)
		}
	}},
	{name: "Purge of an empty stream is nothing", run: func(b *bench) {
		st := b.create("S")
		b.wantPurged(st, store.Purge{}, 0)
		b.wantPurged(st, store.Purge{Subject: "a", Keep: 3}, 0)
		if s := b.check(st); s.First != 1 || s.Last != 0 {
			b.Errorf("got %+v", s)
		}
	}},
	{name: "Purge removes what matches below a sequence but the newest", run: func(b *bench) {
		// Messages 1 to 12 are on a, b, c, a, b, c, …
		for i, c := range []struct {
			p    store.Purge
			left []store.Seq
		}{
			{store.Purge{Subject: "s.a"}, []store.Seq{2, 3, 5, 6, 8, 9, 11, 12}},
			{store.Purge{Subject: "s.*"}, nil},
			{store.Purge{Subject: "s.a", Below: 7}, []store.Seq{2, 3, 5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Subject: "s.a", Below: 8}, []store.Seq{2, 3, 5, 6, 8, 9, 10, 11, 12}},
			{store.Purge{Subject: "s.a", Below: 1}, []store.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Below: 1}, []store.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Below: 1, Keep: 2}, []store.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Subject: "s.a", Keep: 1}, []store.Seq{2, 3, 5, 6, 8, 9, 10, 11, 12}},
			{store.Purge{Subject: "s.a", Keep: 4}, []store.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Subject: "s.a", Keep: math.MaxUint64}, []store.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Keep: 5}, []store.Seq{8, 9, 10, 11, 12}},
			{store.Purge{Subject: ">", Keep: 5}, []store.Seq{8, 9, 10, 11, 12}},
			{store.Purge{Subject: "s.*", Keep: 5}, []store.Seq{8, 9, 10, 11, 12}},
			{store.Purge{Below: 5, Keep: 2}, []store.Seq{5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Below: 12, Keep: 2}, []store.Seq{11, 12}},
			{store.Purge{Below: 100, Keep: 2}, []store.Seq{11, 12}},
			{store.Purge{Subject: "s.a", Below: 8, Keep: 3}, []store.Seq{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Subject: "s.a", Below: 5, Keep: 1}, []store.Seq{2, 3, 5, 6, 7, 8, 9, 10, 11, 12}},
			{store.Purge{Subject: "none"}, []store.Seq{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		} {
			st := b.create(fmt.Sprint("S", i))
			for i := range 12 {
				b.append(st, []string{"s.a", "s.b", "s.c"}[i%3], "x")
			}
			b.wantPurged(st, c.p, int64(12-len(c.left)))
			b.wantSeqs(st, store.Query{}, c.left...)
			if s := b.check(st); s.Last != 12 {
				b.Errorf("Purge(%+v) moved Last to %d", c.p, s.Last)
			}
		}
	}},
	{name: "Purge counts live messages only", run: func(b *bench) {
		st := b.create("S")
		for range 10 {
			b.append(st, "a", "x")
		}
		b.remove(st, 1, 5, 10)
		b.wantPurged(st, store.Purge{Subject: "a", Keep: 2}, 5)
		b.wantSeqs(st, store.Query{}, 8, 9)
		b.wantPurged(st, store.Purge{Subject: "a", Below: 9}, 1)
		b.wantPurged(st, store.Purge{}, 1)
		b.check(st)
	}},
	{name: "Purge refuses a malformed subject", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "a", "x")
		_, err := st.Purge(b.ctx, store.Purge{Subject: "a..b"})
		b.wantErr(err, store.ErrSubject)
		b.wantSeqs(st, store.Query{}, 1)
	}},
	{name: "what a purge removed can be brought back one by one", run: func(b *bench) {
		st := b.create("S")
		for i := range 200 {
			b.append(st, "a", numbered(i))
		}
		b.wantPurged(st, store.Purge{Below: 150}, 149)
		b.must(st.Undelete(b.ctx, 77))
		b.wantData(st, 77, numbered(76))
		b.wantSeqs(st, store.Query{To: 151}, 77, 150, 151)
		b.check(st)
	}},
	{name: "Compact removes what is below", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 10)
		b.remove(st, 4, 5)
		b.wantCompacted(st, 1, 0, 1, 10)
		b.wantCompacted(st, 4, 3, 6, 10) // at a removed sequence: first is the next live one
		b.wantCompacted(st, 6, 0, 6, 10)
		b.wantCompacted(st, 2, 0, 6, 10)
		b.wantCompacted(st, 10, 4, 10, 10)
		b.remove(st, 10)
		b.wantCompacted(st, 10, 0, 11, 10) // all removed: first is last + 1
	}},
	{name: "Compact of 0 removes everything", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 10)
		b.wantCompacted(st, 0, 10, 11, 10)
	}},
	{name: "Compact above the last skips to it", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		lastTime := b.state(st).LastTime
		b.wantCompacted(st, 4, 3, 4, 3)
		b.wantCompacted(st, 1000, 0, 1000, 999)
		if got := b.state(st); got.LastTime != lastTime {
			b.Errorf("last time: got %d, want %d", got.LastTime, lastTime)
		}
		b.wantGone(st, 500, store.ErrNotFound)
		b.wantGone(st, 1000, store.ErrBeyond)
		if seq := b.append(st, "x", "1"); seq != 1000 {
			b.Errorf("the next message has %d, want 1000", seq)
		}
		b.wantCompacted(st, 1<<40, 1, 1<<40, 1<<40-1)
		b.wantPurged(st, store.Purge{Subject: ">", Below: 1<<40 + 1}, 0)
		if seq := b.append(st, "x", "1"); seq != 1<<40+1 {
			b.Errorf("the next message has %d, want %d", seq, 1<<40+1)
		}
		b.check(st)
	}},
	{name: "Skip takes sequences without messages", run: func(b *bench) {
		st := b.create("S")
		b.wantSkipped(st, 3, 3)
		if s := b.check(st); s.First != 4 || s.Last != 3 || s.Deleted != 0 {
			b.Errorf("got %+v, want first 4, last 3", s)
		}
		if seq := b.append(st, "x", "4"); seq != 4 {
			b.Errorf("the next message has %d, want 4", seq)
		}
		lastTime := b.state(st).LastTime
		b.wantSkipped(st, 1, 5)
		b.wantSkipped(st, 1<<33, 5+1<<33)
		if s := b.check(st); s.First != 4 || s.LastTime != lastTime || s.Deleted != 1+1<<33 || s.Lost != 0 {
			b.Errorf("got %+v", s)
		}
		b.wantGone(st, 5, store.ErrNotFound)
		b.wantErr(st.Undelete(b.ctx, 5), store.ErrNotFound)
		b.append(st, "x", "again")
		b.check(st)
	}},
	{name: "Skip refuses nothing and too much", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		for _, n := range []uint64{0, math.MaxUint64 - 1, math.MaxUint64} {
			_, err := st.Skip(b.ctx, n)
			b.wantErr(err, store.ErrInvalid)
		}
		if s := b.check(st); s.Last != 1 {
			b.Errorf("got %+v", s)
		}
		b.wantSkipped(st, math.MaxUint64-2, math.MaxUint64-1)
		b.append(st, "x", "the highest")
		_, err := st.Skip(b.ctx, 1)
		b.wantErr(err, store.ErrInvalid)
		b.wantSeqs(st, store.Query{}, 1, math.MaxUint64)
	}},
	{name: "RemoveAll removes what is live in ranges", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 20)
		b.remove(st, 4)
		n, err := st.RemoveAll(b.ctx, []store.Range{{First: 15, Last: 1000}, {First: 3, Last: 5}, {First: 5, Last: 6}, {First: 0, Last: 0}, {First: 9, Last: 9}})
		b.must(err)
		if n != 10 {
			b.Errorf("got %d, want 10", n)
		}
		b.wantSeqs(st, store.Query{}, 1, 2, 7, 8, 10, 11, 12, 13, 14)
		_, err = st.RemoveAll(b.ctx, []store.Range{{First: 1, Last: 2}, {First: 8, Last: 7}})
		b.wantErr(err, store.ErrInvalid)
		n, err = st.RemoveAll(b.ctx, nil)
		b.must(err)
		if s := b.check(st); n != 0 || s.Live.Messages != 9 {
			b.Errorf("got %d removed and %+v", n, s)
		}
		n, err = st.RemoveAll(b.ctx, []store.Range{{First: 0, Last: math.MaxUint64}})
		b.must(err)
		if s := b.check(st); n != 9 || s.First != 21 || s.Last != 20 {
			b.Errorf("got %d removed and %+v", n, s)
		}
	}},
	{name: "RemoveAll takes very many single messages", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 12_000)
		var rs []store.Range
		for seq := store.Seq(2); seq <= 12_000; seq += 2 {
			rs = append(rs, store.Range{First: seq, Last: seq})
		}
		slices.Reverse(rs)
		n, err := st.RemoveAll(b.ctx, rs)
		b.must(err)
		if s := b.check(st); n != 6000 || s.Live.Messages != 6000 || s.Deleted != 6000 {
			b.Errorf("got %d removed and %+v", n, s)
		}
	}},
	{name: "what a stream denies is not removed", run: func(b *bench) {
		for name, c := range map[string]struct {
			cfg                store.Config
			purge, all, remove error
		}{
			"purge":  {store.Config{Name: "P", DenyPurge: true}, store.ErrDenied, store.ErrDenied, nil},
			"delete": {store.Config{Name: "D", DenyDelete: true}, nil, store.ErrDenied, store.ErrDenied},
		} {
			st, err := b.s.Create(b.ctx, c.cfg)
			b.must(err)
			b.fill(st, 3)
			_, err = st.Remove(b.ctx, 3)
			b.wantErr(err, c.remove)
			_, err = st.RemoveAll(b.ctx, []store.Range{{First: 1, Last: 1}})
			b.wantErr(err, c.all)
			for _, p := range []store.Purge{{Subject: "fill", Keep: 2}, {}} {
				_, err = st.Purge(b.ctx, p)
				b.wantNamed(err, "deny_purge", c.purge)
			}
			_, err = st.Compact(b.ctx, 2)
			b.wantErr(err, c.purge)
			if _, err := st.Skip(b.ctx, 1); err != nil {
				b.Errorf("deny_%s keeps a skip back: %v", name, err)
			}
			b.check(st)
		}
	}},
	{name: "each removed message is told while they are few", run: func(b *bench) {
		st := b.create("S")
		for i := range 6 {
			b.append(st, []string{"a", "b"}[i%2], numbered(i))
		}
		sub := st.Watch()
		defer sub.Close()
		metas := b.scan(st, store.Query{Subject: "b"})
		before := b.state(st).Rev
		b.wantPurged(st, store.Purge{Subject: "b"}, 3)
		for i, e := range b.take(sub, 3) {
			if e.Kind != store.Deleted || e.Meta != metas[i] || e.Rev != before+uint64(i)+1 { //nolint:gosec // small
				b.Errorf("event %d: got %+v, want %+v", i, e, metas[i])
			}
		}
		b.wantPurged(st, store.Purge{}, 3)
		b.take(sub, 3)
		if got := b.state(st).Rev; got != before+6 {
			b.Errorf("rev: got %d, want %d", got, before+6)
		}
	}},
	{name: "a purge of very many is one step", many: true, run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 150_000)
		sub := st.Watch()
		defer sub.Close()
		before := b.state(st)
		b.wantPurged(st, store.Purge{Below: 100_001}, 100_000)
		if _, lost := sub.Take(nil); !lost {
			b.Error("events of 100,000 removals fit into a queue of 65,536")
		}
		if s := b.check(st); s.First != 100_001 || s.Rev != before.Rev+100_000 || s.Live.Messages != 50_000 {
			b.Errorf("got %+v", s)
		}
		b.wantPurged(st, store.Purge{}, 50_000)
		b.check(st)
	}},
	{name: "subjects are counted right when whole runs with gaps go at once", run: func(b *bench) {
		st := b.create("S")
		for i := range 600 {
			b.append(st, []string{"a", "b", "c.d"}[i%3], numbered(i))
		}
		b.check(st) // from here on subjects are counted, and nobody follows
		for seq := store.Seq(2); seq < 400; seq += 5 {
			b.remove(st, seq)
		}
		b.check(st)
		b.wantPurged(st, store.Purge{Below: 301}, 240)
		b.check(st)
		b.must(st.Undelete(b.ctx, 31))
		b.wantCompacted(st, 14, 0, 31, 600)
		b.check(st)
		b.wantPurged(st, store.Purge{Keep: 20}, 261)
		b.check(st)
	}},
	{name: "what was purged stays so", durable: true, run: func(b *bench) {
		st := b.create("S")
		for i := range 3000 {
			b.append(st, []string{"a", "b", "c.d"}[i%3], numbered(i))
		}
		b.wantPurged(st, store.Purge{Subject: "b", Below: 2000}, 666)
		b.wantPurged(st, store.Purge{Below: 500}, 333)
		b.must(st.Undelete(b.ctx, 2))
		b.wantCompacted(st, 0, 2002, 3001, 3000)
		b.must(st.Undelete(b.ctx, 1500))
		b.must(st.Undelete(b.ctx, 2999))
		b.reopen()
		st = b.open("S")
		b.wantSeqs(st, store.Query{}, 1500, 2999)
		b.wantCompacted(st, 5000, 2, 5000, 4999)
		b.reopen()
		st = b.open("S")
		if s := b.check(st); s.First != 5000 || s.Last != 4999 || s.Lost != 0 {
			b.Errorf("got %+v, want first 5000", s)
		}
		b.wantSkipped(st, 10, 5009)
		b.reopen()
		if seq := b.append(b.open("S"), "a", "on"); seq != 5010 {
			b.Errorf("the next message has %d, want 5010", seq)
		}
	}},
}

// wantPurged demands that a purge removes n messages.
func (b *bench) wantPurged(st store.Stream, p store.Purge, n int64) {
	b.Helper()
	got, err := st.Purge(b.ctx, p)
	b.must(err)
	if got != n {
		b.Errorf("Purge(%+v): got %d removed, want %d", p, got, n)
	}
}

// wantCompacted demands that Compact(seq) removes n messages and leaves first and last.
func (b *bench) wantCompacted(st store.Stream, seq store.Seq, n int64, first, last store.Seq) {
	b.Helper()
	got, err := st.Compact(b.ctx, seq)
	b.must(err)
	if s := b.check(st); got != n || s.First != first || s.Last != last {
		b.Errorf("Compact(%d): got %d removed, first %d, last %d, want %d, %d, %d", seq, got, s.First, s.Last, n, first, last)
	}
}

// wantSkipped demands that Skip(n) makes last the last sequence.
func (b *bench) wantSkipped(st store.Stream, n uint64, last store.Seq) {
	b.Helper()
	got, err := st.Skip(b.ctx, n)
	b.must(err)
	if s := b.state(st); got != last || s.Last != last {
		b.Errorf("Skip(%d): got %d, last is %d, want %d", n, got, s.Last, last)
	}
}
