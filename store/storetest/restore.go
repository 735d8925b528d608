package storetest

import (
	"fmt"

	"pgregory.net/rapid"

	"jsfs/store"
)

// restorable is a message for RestoreAll.
func restorable(seq store.Seq, t int64, subject, data string) store.Msg {
	return store.Msg{Meta: store.Meta{Seq: seq, Time: t}, Subject: subject, Data: []byte(data)}
}

var restoreAllCases = []testCase{
	{name: "RestoreAll stores under their own numbers and times", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		future := int64(1) << 61
		n, err := st.RestoreAll(b.ctx, []store.Msg{
			restorable(2, future, "x", "2"), restorable(5, future+5, "y", "5"), restorable(6, future+4, "x", "6"), restorable(1_000_000, future+9, "x", "m"),
		})
		b.must(err)
		if n != 4 {
			b.Errorf("got %d, want 4", n)
		}
		b.wantSeqs(st, store.Query{}, 1, 2, 5, 6, 1_000_000)
		for seq, want := range map[store.Seq]int64{2: future, 5: future + 5, 6: future + 5, 1_000_000: future + 9} {
			if got := b.load(st, seq).Time; got != want {
				b.Errorf("time of %d: got %d, want %d", seq, got, want)
			}
		}
		for _, seq := range []store.Seq{3, 4, 7, 999_999} {
			b.wantGone(st, seq, store.ErrNotFound)
		}
		if seq := b.append(st, "x", "next"); seq != 1_000_001 {
			b.Errorf("the next message has %d, want 1,000,001", seq)
		}
		n, err = st.RestoreAll(b.ctx, nil)
		b.must(err)
		if n != 0 {
			b.Errorf("restoring nothing stored %d", n)
		}
	}},
	{name: "RestoreAll stores what is before the first refusal", run: func(b *bench) {
		st := b.create("S", "ok")
		n, err := st.RestoreAll(b.ctx, []store.Msg{restorable(3, 1, "ok", "3"), restorable(7, 1, "ok", "7"), restorable(7, 1, "ok", "again"), restorable(8, 1, "ok", "8")})
		b.wantErr(err, store.ErrExists)
		if n != 2 || b.state(st).Last != 7 {
			b.Errorf("stored %d, last is %d; want 2 and 7", n, b.state(st).Last)
		}
		b.wantData(st, 7, "7")
		n, err = st.RestoreAll(b.ctx, []store.Msg{restorable(9, 1, "no.*", "9"), restorable(10, 1, "ok", "10")})
		b.wantErr(err, store.ErrSubject)
		if n != 0 || b.append(st, "ok", "8") != 8 {
			b.Errorf("a refused batch stored %d or took sequences", n)
		}
	}},
	{name: "Restore takes back what the stream took before its configuration became narrower", run: func(b *bench) {
		st := b.create("S", "was.>", "ok")
		cfg := st.Config()
		cfg.Subjects, cfg.MaxMsgSize = []string{"ok"}, 3
		b.must(b.s.Update(b.ctx, cfg))
		b.must(st.Restore(b.ctx, restorable(3, 1, "was.here", "longer")))
		n, err := st.RestoreAll(b.ctx, []store.Msg{restorable(5, 1, "ok", "longer"), restorable(6, 1, "was.too", "6")})
		b.must(err)
		if n != 2 {
			b.Errorf("got %d, want 2", n)
		}
		b.wantSeqs(st, store.Query{}, 3, 5, 6)
		b.wantData(st, 3, "longer")
		_, err = st.Append(b.ctx, store.Entry{Subject: "was.here", Data: []byte("1")})
		b.wantErr(err, store.ErrSubject)
		_, err = st.Append(b.ctx, store.Entry{Subject: "ok", Data: []byte("longer")})
		b.wantErr(err, store.ErrTooLarge)
		cfg.Sealed = true
		b.must(b.s.Update(b.ctx, cfg))
		b.wantErr(st.Restore(b.ctx, restorable(7, 1, "ok", "7")), store.ErrSealed)
	}},
	{name: "RestoreAll takes large batches with gaps", run: func(b *bench) {
		st := b.create("S")
		ms := make([]store.Msg, 3000)
		for i := range ms {
			ms[i] = restorable(store.Seq(3*i+2), int64(i), fmt.Sprintf("s.%d", i%7), numbered(i)) //nolint:gosec // small
		}
		n, err := st.RestoreAll(b.ctx, ms)
		b.must(err)
		if s := b.check(st); n != len(ms) || s.Live.Messages != 3000 || s.First != 2 || s.Last != 8999 || s.Deleted != 5998 || s.Lost != 0 {
			b.Errorf("stored %d: %+v", n, s)
		}
		for _, i := range []int{0, 1, 1499, 2999} {
			b.wantData(st, store.Seq(3*i+2), numbered(i)) //nolint:gosec // small
		}
	}},
	{name: "SkipTo takes sequences and raises the last time", run: func(b *bench) {
		st := b.create("S")
		b.must(st.SkipTo(b.ctx, 10, 5000))
		if s := b.check(st); s.First != 11 || s.Last != 10 || s.LastTime != 5000 || s.Live.Messages != 0 {
			b.Errorf("an empty stream: got %+v", s)
		}
		b.must(st.Restore(b.ctx, restorable(11, 4000, "x", "11")))
		if got := b.load(st, 11).Time; got != 5000 {
			b.Errorf("the time of 11 is %d, want 5000: times don't go backwards", got)
		}
		b.must(st.SkipTo(b.ctx, 20, 7000))
		b.must(st.SkipTo(b.ctx, 21, 6000))
		s := b.check(st)
		if s.First != 11 || s.Last != 21 || s.LastTime != 7000 || s.Deleted != 10 || s.Lost != 0 {
			b.Errorf("got %+v", s)
		}
		b.wantGone(st, 20, store.ErrNotFound)
		b.wantGone(st, 22, store.ErrBeyond)
	}},
	{name: "what SkipTo took is taken after reopening", durable: true, run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		future := b.state(st).LastTime + 1<<50
		b.must(st.SkipTo(b.ctx, 1000, future))
		b.reopen()
		st = b.open("S")
		if s := b.check(st); s.Last != 1000 || s.LastTime != future {
			b.Errorf("got %+v", s)
		}
		if seq := b.append(st, "x", "1001"); seq != 1001 || b.load(st, seq).Time < future {
			b.Errorf("the next message has %d and %d", seq, b.load(st, seq).Time)
		}
	}},
	{name: "SkipTo refuses what was used, and changes nothing", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		before := b.state(st)
		for _, last := range []store.Seq{0, 1, 3} {
			b.wantErr(st.SkipTo(b.ctx, last, 1<<62), store.ErrExists)
		}
		b.wantErr(st.SkipTo(b.ctx, 1<<64-1, 1<<62), store.ErrInvalid)
		if after := b.state(st); after != before {
			b.Errorf("got %+v, want %+v", after, before)
		}
		sealed, err := b.s.Create(b.ctx, store.Config{Name: "SEALED", Sealed: true})
		b.must(err)
		b.wantErr(sealed.SkipTo(b.ctx, 9, 1), store.ErrSealed)
		_, err = sealed.RestoreAll(b.ctx, []store.Msg{restorable(1, 1, "x", "")})
		b.wantErr(err, store.ErrSealed)
	}},
}

// restoreAll restores several messages above the last, one of which may be refused.
func (m *model) restoreAll(rt *rapid.T) {
	p := m.pick(rt)
	state, err := p.want.State(rt.Context())
	check(rt, err)
	ms := make([]store.Msg, rapid.IntRange(0, 20).Draw(rt, "messages"))
	seq := state.Last
	for i := range ms {
		e := drawEntry(rt)
		if rapid.IntRange(0, 7).Draw(rt, "may be refused") > 0 {
			e.Subject, e.Data = "a", e.Data[:min(len(e.Data), 300)]
		}
		seq += rapid.SampledFrom([]store.Seq{1, 1, 1, 0, 2, 90, 70_000}).Draw(rt, "up")
		ms[i] = store.Msg{
			Meta:    store.Meta{Seq: seq, Time: restoredAt(rapid.SampledFrom([]int64{1, state.LastTime + int64(i)}).Draw(rt, "time"))},
			Subject: e.Subject, Header: e.Header, Data: e.Data,
		}
	}
	gotN, got := p.got.RestoreAll(rt.Context(), ms)
	wantN, want := p.want.RestoreAll(rt.Context(), ms)
	same(rt, "restore all", got, want)
	if gotN != wantN {
		rt.Fatalf("restore all: got %d, want %d", gotN, wantN)
	}
}

func (m *model) skipTo(rt *rapid.T) {
	p := m.pick(rt)
	state, err := p.want.State(rt.Context())
	check(rt, err)
	last := state.Last + rapid.SampledFrom([]store.Seq{0, 1, 2, 50, 100_000}).Draw(rt, "up")
	t := restoredAt(state.LastTime + rapid.Int64Range(-5, 1000).Draw(rt, "time"))
	same(rt, fmt.Sprint("skip to ", last), p.got.SkipTo(rt.Context(), last, t), p.want.SkipTo(rt.Context(), last, t))
}
