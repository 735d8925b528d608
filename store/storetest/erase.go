package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"jsfs/store"
)

// erase erases messages, and demands that they were live or not.
func (b *bench) erase(st store.Stream, live bool, seqs ...store.Seq) {
	b.Helper()
	for _, seq := range seqs {
		got, err := st.Erase(b.ctx, seq)
		b.must(err)
		if got != live {
			b.Errorf("Erase(%d) says %v, want %v", seq, got, live)
		}
	}
}

var eraseCases = []testCase{
	{name: "what was read before it was erased is nowhere to be had", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5)
		b.wantSeqs(st, store.Query{}, 1, 2, 3, 4, 5)
		for seq := range store.Seq(5) {
			_, err := st.Load(b.ctx, seq+1, nil)
			b.must(err)
		}
		_, err := st.Purge(b.ctx, store.Purge{})
		b.must(err)
		_, err = st.Erase(b.ctx, 3)
		b.must(err)
		again, err := b.s.Truncate(b.ctx, "S", 4)
		b.must(err)
		b.wantErr(again.Undelete(b.ctx, 3), store.ErrNotFound)
		b.must(again.Undelete(b.ctx, 4))
	}},
	{name: "what is erased is gone from a sealed stream of the name that was removed", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 2)
		var copied []store.Msg
		for seq := range store.Seq(2) {
			m, err := st.Load(b.ctx, seq+1, nil)
			b.must(err)
			m.Data = bytes.Clone(m.Data)
			copied = append(copied, m)
		}
		cfg := st.Config()
		cfg.Sealed, cfg.DenyDelete = true, true
		b.must(b.s.Update(b.ctx, cfg))
		before := st.Incarnation()
		b.must(b.s.RemoveSealed(b.ctx, "S"))
		st = b.create("S")
		_, err := st.RestoreAll(b.ctx, copied)
		b.must(err)
		b.erase(st, true, 1)
		_, err = b.s.LoadRemoved(b.ctx, before, 1, nil)
		b.wantErr(err, store.ErrNotFound)
		_, err = b.s.LoadRemoved(b.ctx, before, 2, nil)
		b.must(err)
		b.remove(st, 2)
		b.must(b.s.Remove(b.ctx, "S"))
		back, err := b.s.Revive(b.ctx, before)
		b.must(err)
		if got := back.Config(); !got.Sealed || !got.DenyDelete {
			b.Errorf("it came back with %+v, want it sealed", got)
		}
	}},
	{name: "what is erased is gone from what the stream was before it was truncated", run: func(b *bench) {
		var before []store.Stream
		st := b.create("S")
		b.fill(st, 6)
		b.remove(st, 2)
		other := b.create("T") // it is none of its business
		b.fill(other, 6)
		b.empty(other, 1, 6)
		b.must(b.s.Remove(b.ctx, "T"))
		for _, last := range []store.Seq{5, 4} {
			before = append(before, st)
			st = b.truncate(st, last)
		}
		b.append(st, "x", "another") // under a number that was used before
		if b.engine.Durable {
			b.reopen()
			st = b.open("S")
		}
		b.erase(st, false, 2)
		b.erase(st, true, 1, 5)
		b.erase(st, false, 1)
		for _, old := range before {
			for seq, want := range []bool{false, false, true, true, true} {
				_, err := b.s.LoadRemoved(b.ctx, old.Incarnation(), store.Seq(seq)+1, nil) //nolint:gosec // small
				if want && err != nil || !want && !errors.Is(err, store.ErrNotFound) {
					b.Errorf("message %d of the stream with the incarnation %d: %v, want that it is there: %v", seq+1, old.Incarnation(), err, want)
				}
			}
		}
		for seq := range store.Seq(6) {
			_, err := b.s.LoadRemoved(b.ctx, other.Incarnation(), seq+1, nil)
			b.must(err)
		}
	}},
	{name: "an erased message is gone as a removed one is", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5)
		b.append(st, "alone", numbered(6))
		sub := st.Watch()
		b.erase(st, true, 3, 6)
		for _, seq := range []store.Seq{3, 6} {
			b.wantGone(st, seq, store.ErrNotFound)
		}
		b.wantSeqs(st, store.Query{}, 1, 2, 4, 5)
		b.wantSeqs(st, store.Query{Subject: "alone"})
		b.wantGaps(st, store.Query{}, store.Gap{Range: store.Range{First: 3, Last: 3}, Cause: store.CauseRemoved},
			store.Gap{Range: store.Range{First: 6, Last: 6}, Cause: store.CauseRemoved})
		for i, e := range b.take(sub, 2) {
			if want := []store.Seq{3, 6}[i]; e.Kind != store.Deleted || e.Meta.Seq != want {
				b.Errorf("event %d: got %+v, want that %d was removed", i, e, want)
			}
		}
		if s := b.check(st); s.Deleted != 2 || s.Lost != 0 || s.Last != 6 {
			b.Errorf("got %+v", s)
		}
		if seq := b.append(st, "alone", "next"); seq != 7 {
			b.Errorf("the next message has %d, want 7", seq)
		}
	}},
	{name: "an erased message can't be undeleted and one beside it can", run: func(b *bench) {
		st := b.create("S")
		for i := range 4 {
			_, err := st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte(header), Data: []byte(numbered(i))})
			b.must(err)
		}
		b.remove(st, 3)
		b.erase(st, true, 2)
		for range 2 {
			b.wantErr(st.Undelete(b.ctx, 2), store.ErrNotFound)
		}
		b.must(st.Undelete(b.ctx, 3))
		b.wantData(st, 3, numbered(2))
		b.wantData(st, 1, numbered(0))
	}},
	{name: "a removed message can be erased", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 4)
		b.remove(st, 2, 4)
		before := b.state(st)
		sub := st.Watch()
		b.erase(st, false, 2, 4, 2)
		for i, e := range b.take(sub, 2) {
			if want := []store.Seq{2, 4}[i]; e.Kind != store.Erased || e.Meta.Seq != want {
				b.Errorf("event %d: got %+v, want that %d was erased", i, e, want)
			}
		}
		b.wantErr(st.Undelete(b.ctx, 2), store.ErrNotFound)
		b.wantErr(st.Undelete(b.ctx, 4), store.ErrNotFound)
		before.Rev += 2
		if after := b.check(st); after != before {
			b.Errorf("state: got %+v, want %+v", after, before)
		}
	}},
	{name: "Erase refuses what Remove refuses", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		b.restore(st, 9, "9")
		b.erase(st, false, 5) // it was never there
		_, err := st.Erase(b.ctx, 0)
		b.wantErr(err, store.ErrNotFound)
		_, err = st.Erase(b.ctx, 10)
		b.wantErr(err, store.ErrBeyond)
		denies := b.createWith(store.Config{Name: "D", DenyDelete: true})
		b.append(denies, "x", "1")
		_, err = denies.Erase(b.ctx, 1)
		b.wantErr(err, store.ErrDenied)
		sealed := b.create("E")
		b.append(sealed, "x", "1")
		b.must(b.s.Update(b.ctx, store.Config{Name: "E", Sealed: true}))
		_, err = sealed.Erase(b.ctx, 1)
		b.wantErr(err, store.ErrSealed)
		b.wantData(denies, 1, "1")
		b.wantData(sealed, 1, "1")
	}},
	{name: "messages are erased from the front the middle and the back", run: func(b *bench) {
		st := b.create("S")
		var want []store.Seq
		for i := range 60 {
			b.append(st, fmt.Sprintf("s.%d", i%7), fmt.Sprintf("%0*d", 10+i*40, i))
		}
		for seq := store.Seq(1); seq <= 60; seq++ {
			if seq < 5 || seq%3 == 0 || seq > 57 {
				b.erase(st, true, seq)
			} else {
				want = append(want, seq)
			}
		}
		b.wantSeqs(st, store.Query{}, want...)
		b.check(st)
		for i := range 7 {
			on := slices.DeleteFunc(slices.Clone(want), func(seq store.Seq) bool { return int(seq-1)%7 != i })
			b.wantSeqs(st, store.Query{Subject: fmt.Sprintf("s.%d", i)}, on...)
		}
	}},
	{name: "a subject whose only messages were erased is none", run: func(b *bench) {
		st := b.create("S")
		for i := range 40 {
			b.append(st, fmt.Sprintf("s.%d", i/2), fmt.Sprintf("%0300d", i))
		}
		b.wantCount(st, store.Query{Subject: "s.3"}, 2, 7, 8)
		b.erase(st, true, 8, 7)
		b.wantCount(st, store.Query{Subject: "s.3"}, 0, 0, 0)
		if n := len(b.subjects(st, "", "")); n != 19 {
			b.Errorf("%d subjects are left, want 19", n)
		}
		b.wantCount(st, store.Query{Subject: "s.4"}, 2, 9, 10)
	}},
	{name: "what was erased stays so when the store is reopened", durable: true, run: func(b *bench) {
		st := b.create("S")
		for i := range 40 {
			b.append(st, fmt.Sprintf("s.%d", i), fmt.Sprintf("%0300d", i))
		}
		b.remove(st, 5)
		b.erase(st, true, 3, 20, 40)
		b.erase(st, false, 5)
		for range 2 {
			b.reopen()
			st = b.open("S")
			for _, seq := range []store.Seq{3, 5, 20, 40} {
				b.wantGone(st, seq, store.ErrNotFound)
				b.wantErr(st.Undelete(b.ctx, seq), store.ErrNotFound)
			}
			b.wantCount(st, store.Query{Subject: "s.*"}, 36, 1, 39)
			damage, err := st.Damage(b.ctx)
			b.must(err)
			if len(damage) > 0 {
				b.Errorf("what was erased is taken for damage: %+v", damage)
			}
		}
	}},
	{name: "the id of an erased message is forgotten", run: func(b *bench) {
		st := b.create("S")
		b.post(st, "x", "Nats-Msg-Id: a")
		b.post(st, "x", "Nats-Msg-Id: b")
		b.erase(st, true, 1)
		if seq := b.post(st, "x", "Nats-Msg-Id: a"); seq != 3 {
			b.Errorf("a message that repeats the id of the erased one has %d, want that it was stored as 3", seq)
		}
		if seq := b.post(st, "x", "Nats-Msg-Id: b"); seq != 2 {
			b.Errorf("a message that repeats the other one has %d, want that it is 2", seq)
		}
	}},
}

func (m *model) erase(rt *rapid.T) {
	p := m.pick(rt)
	seq := p.drawSeq(rt)
	gotLive, got := p.got.Erase(rt.Context(), seq)
	wantLive, want := p.want.Erase(rt.Context(), seq)
	same(rt, "erase", got, want)
	if gotLive != wantLive {
		rt.Fatalf("erase %d: got %v, want %v", seq, gotLive, wantLive)
	}
}
