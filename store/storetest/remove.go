package storetest

import (
	"jsfs/store"
)

var removeCases = []testCase{
	{name: "Remove says whether the message was live", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		b.append(st, "x", "2")
		b.restore(st, 10, "10")
		b.remove(st, 1)
		for _, seq := range []store.Seq{1, 5} {
			live, err := st.Remove(b.ctx, seq)
			b.must(err)
			if live {
				b.Errorf("Remove(%d) of what is not there says that it was live", seq)
			}
		}
		_, err := st.Remove(b.ctx, 0)
		b.wantErr(err, store.ErrNotFound)
		_, err = st.Remove(b.ctx, 11)
		b.wantErr(err, store.ErrBeyond)
		_, err = st.Remove(b.ctx, 1<<64-1)
		b.wantErr(err, store.ErrBeyond)
	}},
	{name: "a removed message is gone from every view", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5)
		b.remove(st, 3)
		b.wantGone(st, 3, store.ErrNotFound)
		b.wantSeqs(st, store.Query{}, 1, 2, 4, 5)
		if s := b.state(st); s.Deleted != 1 || s.Live.Messages != 4 {
			b.Errorf("got %+v", s)
		}
	}},
	{name: "First moves past what is removed and Last never moves", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 6)
		want := func(first, last store.Seq, deleted uint64) {
			b.Helper()
			if s := b.check(st); s.First != first || s.Last != last || s.Deleted != deleted {
				b.Errorf("got first %d, last %d, deleted %d; want %d, %d, %d", s.First, s.Last, s.Deleted, first, last, deleted)
			}
		}
		b.remove(st, 2)
		want(1, 6, 1)
		b.remove(st, 1)
		want(3, 6, 0)
		b.remove(st, 6)
		want(3, 6, 1)
		b.remove(st, 4)
		b.remove(st, 5)
		want(3, 6, 3)
		lastTime := b.state(st).LastTime
		b.remove(st, 3)
		want(7, 6, 0)
		if got := b.state(st); got.LastTime != lastTime || got.FirstTime != 0 {
			b.Errorf("times of the emptied stream: got %d and %d, want 0 and %d", got.FirstTime, got.LastTime, lastTime)
		}
		if seq := b.append(st, "x", "next"); seq != 7 {
			b.Errorf("the next message has %d, want 7", seq)
		}
		want(7, 7, 0)
	}},
	{name: "many removals from the front the back and the middle add up", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3000)
		for seq := store.Seq(1); seq <= 1000; seq++ {
			b.remove(st, seq)
		}
		for seq := store.Seq(3000); seq > 2500; seq-- {
			b.remove(st, seq)
		}
		for seq := store.Seq(1001); seq <= 2500; seq += 3 {
			b.remove(st, seq)
		}
		b.check(st)
	}},
	{name: "a stream that denies deletion keeps its messages", run: func(b *bench) {
		st, err := b.s.Create(b.ctx, store.Config{Name: "S", DenyDelete: true})
		b.must(err)
		b.append(st, "x", "1")
		_, err = st.Remove(b.ctx, 1)
		b.wantNamed(err, "deny_delete", store.ErrDenied)
		b.wantData(st, 1, "1")
	}},
	{name: "Undelete brings a message back as it was", run: func(b *bench) {
		st := b.create("S")
		for i := range 3 {
			_, err := st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte(header), Data: []byte(numbered(i))})
			b.must(err)
		}
		want, before := b.load(st, 1), durablePart(b.state(st))
		b.remove(st, 1, 2, 3)
		for _, seq := range []store.Seq{2, 3, 1} {
			b.must(st.Undelete(b.ctx, seq))
			b.check(st)
		}
		got := b.load(st, 1)
		if got.Meta != want.Meta || got.Subject != want.Subject || string(got.Header) != header || string(got.Data) != string(want.Data) {
			b.Errorf("got %+v, want %+v", got, want)
		}
		if after := durablePart(b.state(st)); after != before {
			b.Errorf("state: got %+v, want %+v", after, before)
		}
	}},
	{name: "Undelete refuses what is live and what never was", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		b.restore(st, 9, "9")
		b.wantErr(st.Undelete(b.ctx, 1), store.ErrExists)
		b.wantErr(st.Undelete(b.ctx, 0), store.ErrNotFound)
		b.wantErr(st.Undelete(b.ctx, 5), store.ErrNotFound)
		b.wantErr(st.Undelete(b.ctx, 10), store.ErrNotFound)
		b.remove(st, 1)
		b.must(st.Undelete(b.ctx, 1))
		b.wantErr(st.Undelete(b.ctx, 1), store.ErrExists)
	}},
	{name: "a message can be removed and brought back again and again", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		for range 20 {
			b.remove(st, 2)
			b.must(st.Undelete(b.ctx, 2))
		}
		b.wantData(st, 2, "x\n")
		b.remove(st, 2)
		b.wantGone(st, 2, store.ErrNotFound)
	}},
}

var restoreCases = []testCase{
	{name: "Restore stores under its own number and time", run: func(b *bench) {
		st := b.create("S")
		m := store.Msg{Meta: store.Meta{Seq: 5, Time: 1234567890}, Subject: "x", Header: []byte(header), Data: []byte("five")}
		b.must(st.Restore(b.ctx, m))
		got := b.load(st, 5)
		if got.Time != m.Time || got.Subject != "x" || string(got.Header) != header || string(got.Data) != "five" {
			b.Errorf("got %+v", got)
		}
		if s := b.state(st); s.First != 5 || s.Last != 5 || s.Deleted != 0 || s.LastTime != m.Time {
			b.Errorf("got %+v", s)
		}
		b.wantGone(st, 4, store.ErrNotFound)
		if seq := b.append(st, "x", "six"); seq != 6 {
			b.Errorf("the next message has %d, want 6", seq)
		}
	}},
	{name: "Restore skips what lies between", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		b.restore(st, 1_000_000, "a million")
		b.restore(st, 1_000_001, "and one")
		b.restore(st, 1<<40, "a trillion")
		s := b.check(st)
		if want := uint64(1<<40 - 4); s.First != 1 || s.Last != 1<<40 || s.Deleted != want || s.Lost != 0 {
			b.Errorf("got %+v, want %d deleted", s, want)
		}
		for _, seq := range []store.Seq{2, 500_000, 999_999, 1_000_002, 1<<40 - 1} {
			b.wantGone(st, seq, store.ErrNotFound)
		}
		b.wantGone(st, 1<<40+1, store.ErrBeyond)
		b.remove(st, 1)
		if s := b.check(st); s.First != 1_000_000 {
			b.Errorf("got first %d, want 1,000,000", s.First)
		}
	}},
	{name: "Restore refuses numbers that were used", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		b.restore(st, 8, "8")
		b.remove(st, 2)
		for _, seq := range []store.Seq{0, 1, 2, 5, 8} {
			m := store.Msg{Meta: store.Meta{Seq: seq}, Subject: "x"}
			b.wantErr(st.Restore(b.ctx, m), store.ErrExists)
		}
		b.wantData(st, 8, "8")
	}},
	{name: "Restore raises a time below the last", run: func(b *bench) {
		st := b.create("S")
		for i, t := range []int64{1000, 3000, 2000, 3001} {
			m := store.Msg{Meta: store.Meta{Seq: store.Seq(i + 1), Time: t}, Subject: "x"} //nolint:gosec // small
			b.must(st.Restore(b.ctx, m))
		}
		for seq, want := range map[store.Seq]int64{1: 1000, 2: 3000, 3: 3000, 4: 3001} {
			if got := b.load(st, seq).Time; got != want {
				b.Errorf("time of %d: got %d, want %d", seq, got, want)
			}
		}
		future := int64(1) << 62
		b.must(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 9, Time: future}, Subject: "x"}))
		if got := b.load(st, b.append(st, "x", "")).Time; got != future {
			b.Errorf("time of a message behind one from the future: got %d, want %d", got, future)
		}
	}},
	{name: "Restore counts only what it is told to", run: func(b *bench) {
		st := b.create("S")
		m := store.Msg{Meta: store.Meta{Seq: 2, Time: 7, Size: 99, JSON: 99, HasHeader: true, NoNewline: true}, Subject: "x", Data: []byte("\n")}
		b.must(st.Restore(b.ctx, m))
		b.check(st)
	}},
	{name: "the highest sequence number is the last", run: func(b *bench) {
		st := b.create("S")
		b.restore(st, 1<<64-2, "but one")
		if seq := b.append(st, "x", "last"); seq != 1<<64-1 {
			b.Fatalf("got %d", seq)
		}
		b.wantSeqs(st, store.Query{}, 1<<64-2, 1<<64-1)
		if _, err := st.Append(b.ctx, store.Entry{Subject: "x"}); err == nil {
			b.Error("a message was stored beyond the highest number")
		}
		b.wantData(st, 1<<64-1, "last")
	}},
}
