package storetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

// reclaim has the engine forget what is not kept.
func (b *bench) reclaim() {
	b.Helper()
	b.must(b.s.Reclaim(b.ctx))
}

// wantKept demands that just these messages are removed and kept, and can be read.
func (b *bench) wantKept(st store.Stream, want ...store.Seq) {
	b.Helper()
	var got []store.Seq
	for m, err := range st.ScanKept(b.ctx, 0, 0) {
		b.must(err)
		got = append(got, m.Seq)
		msg, err := st.LoadKept(b.ctx, m.Seq, nil)
		b.must(err)
		stat, err := st.StatKept(b.ctx, m.Seq)
		b.must(err)
		if msg.Meta != m || stat != m || int64(len(msg.Data)) != m.Size {
			b.Errorf("kept message %d: ScanKept says %+v, StatKept %+v, LoadKept %+v", m.Seq, m, stat, msg.Meta)
		}
	}
	if !slices.Equal(got, want) {
		b.Errorf("kept are %v, want %v", got, want)
	}
}

// wantNotKept demands that messages can't be got as kept ones.
func (b *bench) wantNotKept(st store.Stream, seqs ...store.Seq) {
	b.Helper()
	for _, seq := range seqs {
		_, err := st.LoadKept(b.ctx, seq, nil)
		b.wantErr(err, store.ErrNotFound)
		_, err = st.StatKept(b.ctx, seq)
		b.wantErr(err, store.ErrNotFound)
	}
}

// Keep is for how long an engine must keep what was removed in [Model]: a few of its operations.
const Keep = 4 * tick

// keptCases are about what was removed and is kept.
var keptCases = []testCase{
	{name: "what was removed is kept until it is brought back", run: func(b *bench) {
		st := b.create("S")
		for i := range 6 {
			b.append(st, "x", numbered(i))
		}
		b.wantKept(st)
		b.remove(st, 2, 5)
		_, err := st.Purge(b.ctx, store.Purge{Below: 4})
		b.must(err)
		b.wantKept(st, 1, 2, 3, 5)
		b.wantNotKept(st, 0, 4, 6, 7)
		if m, err := st.LoadKept(b.ctx, 2, nil); err != nil || string(m.Data) != numbered(1) || m.Subject != "x" {
			b.Errorf("got %+v, %v", m, err)
		}
		b.must(st.Undelete(b.ctx, 2))
		b.wantKept(st, 1, 3, 5)
		b.wantNotKept(st, 2)
		b.remove(st, 2)
		b.wantKept(st, 1, 2, 3, 5)
		if b.engine.Durable {
			b.reopen()
			b.wantKept(b.open("S"), 1, 2, 3, 5)
		}
	}},
	{name: "a walk over kept messages begins and ends where it is told to", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 2000)
		for seq := store.Seq(3); seq <= 2000; seq += 3 {
			b.remove(st, seq)
		}
		for _, r := range []store.Range{{First: 0, Last: 0}, {First: 3, Last: 3}, {First: 4, Last: 1001}, {First: 1999, Last: 1 << 40}, {First: 2001}} {
			var want, got []store.Seq
			for seq := store.Seq(3); seq <= 2000; seq += 3 {
				if seq >= r.First && (r.Last == 0 || seq <= r.Last) {
					want = append(want, seq)
				}
			}
			for m, err := range st.ScanKept(b.ctx, r.First, r.Last) {
				b.must(err)
				got = append(got, m.Seq)
			}
			if !slices.Equal(got, want) {
				b.Errorf("kept from %d to %d: got %d messages %v, want %d", r.First, r.Last, len(got), got, len(want))
			}
		}
		for m, err := range st.ScanKept(b.ctx, 0, 0) {
			b.must(err)
			if m.Seq != 3 {
				b.Errorf("the first kept message is %d, want 3", m.Seq)
			}
			break
		}
	}},
	{name: "what limits and rollups remove is not kept", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 4, MaxMsgsPerSubject: 3, AllowRollup: true})
		b.fill(st, 5)
		b.append(st, "y", "")
		b.append(st, "y", "")
		b.wantSeqs(st, store.Query{}, 4, 5, 6, 7)
		b.wantKept(st)
		_, err := st.Append(b.ctx, store.Entry{Subject: "y", Header: []byte("NATS/1.0\r\nNats-Rollup: sub\r\n\r\n")})
		b.must(err)
		b.remove(st, 4)
		b.wantKept(st, 4)
		b.reclaim()
		b.wantKept(st, 4)
		b.wantSeqs(st, store.Query{}, 5, 8)
		for _, seq := range []store.Seq{1, 2, 3, 6, 7} {
			b.wantErr(st.Undelete(b.ctx, seq), store.ErrNotFound)
		}
		b.must(st.Undelete(b.ctx, 4))
		b.wantKept(st)
	}},
	timed("what was removed is kept for a day", func(b *bench) {
		st := b.create("S")
		b.fill(st, 40)
		b.remove(st, 1, 7, 40)
		pause(12 * time.Hour)
		b.remove(st, 8)
		pause(11 * time.Hour)
		b.reclaim()
		b.wantKept(st, 1, 7, 8, 40)
		pause(5 * time.Hour)
		b.wantKept(st, 8)
		b.wantNotKept(st, 1, 7, 40)
		before := durablePart(b.check(st))
		b.reclaim()
		if after := durablePart(b.check(st)); after != before {
			b.Errorf("state: got %+v, want %+v", after, before)
		}
		b.wantKept(st, 8)
		b.wantErr(st.Undelete(b.ctx, 7), store.ErrNotFound)
		b.wantErr(st.Undelete(b.ctx, 40), store.ErrNotFound)
		b.must(st.Undelete(b.ctx, 8))
		b.wantData(st, 8, "x\n")
		if seq := b.append(st, "x", ""); seq != 41 {
			b.Errorf("the next message has %d, want 41", seq)
		}
		b.remove(st, 8)
		pause(28 * time.Hour)
		b.wantKept(st)
	}),
	timed("what went before the others is kept no longer for them", func(b *bench) {
		st := b.create("S")
		b.fill(st, 10)
		b.remove(st, 3, 6)
		pause(12 * time.Hour)
		b.wantPurged(st, store.Purge{}, 8)
		if b.engine.Durable {
			b.reopen()
			st = b.open("S")
		}
		b.wantKept(st, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
		pause(15 * time.Hour)
		b.wantKept(st, 1, 2, 4, 5, 7, 8, 9, 10)
		b.wantNotKept(st, 3, 6)
		b.reclaim()
		b.wantErr(st.Undelete(b.ctx, 3), store.ErrNotFound)
	}),
	timed("what went before the others is kept no longer for a truncation", func(b *bench) {
		st := b.create("S")
		b.fill(st, 12)
		b.remove(st, 3, 6)
		pause(12 * time.Hour)
		_, err := st.RemoveAll(b.ctx, []store.Range{{Last: 10}})
		b.must(err)
		pause(15 * time.Hour)
		b.wantKept(st, 1, 2, 4, 5, 7, 8, 9, 10)
		st = b.truncate(st, 10)
		b.wantKept(st, 1, 2, 4, 5, 7, 8, 9, 10)
		pause(12 * time.Hour)
		b.wantKept(st)
	}),
	timed("what was forgotten leaves gaps that say that it was removed", func(b *bench) {
		st := b.create("S")
		b.fill(st, 300)
		_, err := st.Skip(b.ctx, 10)
		b.must(err)
		b.fill(st, 300) // 311 to 610
		_, err = st.RemoveAll(b.ctx, []store.Range{{First: 2, Last: 200}, {First: 305, Last: 500}, {First: 600, Last: 610}})
		b.must(err)
		gaps := func() (out []store.Gap) {
			for g, err := range st.Gaps(b.ctx, store.Query{}) {
				b.must(err)
				out = append(out, g)
			}
			return out
		}
		before := gaps()
		pause(30 * time.Hour)
		for range 2 {
			b.reclaim()
			if after := gaps(); !slices.Equal(before, after) {
				b.Errorf("gaps: got %+v, want %+v", after, before)
			}
			b.check(st)
			if b.engine.Durable {
				b.reopen()
				st = b.open("S")
			}
		}
		if s := b.state(st); s.Last != 610 || s.Lost != 0 {
			b.Errorf("got %+v", s)
		}
	}),
}

// kept compares what is kept in both stores.
func (m *model) kept(rt *rapid.T) {
	p := m.pick(rt)
	p.compareKept(rt)
	seq := p.drawSeq(rt)
	got, gotErr := p.got.LoadKept(rt.Context(), seq, make([]byte, 100))
	want, wantErr := p.want.LoadKept(rt.Context(), seq, nil)
	if same(rt, "load kept", gotErr, wantErr) {
		sameMsg(rt, got, want)
	}
}

func (p *pair) compareKept(rt *rapid.T) {
	rt.Helper()
	var got, want []store.Meta
	for m, err := range p.got.ScanKept(rt.Context(), 0, 0) {
		check(rt, err)
		got = append(got, m)
	}
	for m, err := range p.want.ScanKept(rt.Context(), 0, 0) {
		check(rt, err)
		want = append(want, m)
	}
	if !slices.Equal(got, want) {
		rt.Fatalf("kept in %s: got %+v, want %+v", p.name, got, want)
	}
}

// reclaim has both stores forget what is not kept.
func (m *model) reclaim(rt *rapid.T) {
	check(rt, m.got.Reclaim(rt.Context()))
	check(rt, m.want.Reclaim(rt.Context()))
}
