package storetest

import (
	"fmt"
	"time"

	"jsfs/store"
)

// truncate truncates a stream, and demands that it ends there and that old is closed.
func (b *bench) truncate(old store.Stream, last store.Seq) store.Stream {
	b.Helper()
	name := old.Config().Name
	st, err := b.s.Truncate(b.ctx, name, last)
	b.must(err)
	if again := b.open(name); again != st || st.Incarnation() == old.Incarnation() {
		b.Errorf("the stream has incarnation %d, opened again %d, before %d", st.Incarnation(), again.Incarnation(), old.Incarnation())
	}
	_, err = old.Load(b.ctx, 1, nil)
	b.wantErr(err, store.ErrClosed)
	_, err = old.Append(b.ctx, store.Entry{Subject: "x"})
	b.wantErr(err, store.ErrClosed)
	_, err = old.CreateDraft(b.ctx, "late")
	b.wantErr(err, store.ErrClosed)
	if s := b.check(st); s.Last != last {
		b.Errorf("it ends at %d, want %d", s.Last, last)
	}
	return st
}

var truncateCases = []testCase{
	{name: "Truncate removes what is above a message and sequences go on there", run: func(b *bench) {
		st := b.create("S")
		for i := range 60 {
			b.append(st, fmt.Sprintf("s.%d", i%3), fmt.Sprintf("%0*d\n", 10+i*20, i))
		}
		want := b.load(st, 40)
		st = b.truncate(st, 40)
		if got := b.load(st, 40); got.Meta != want.Meta || got.Subject != want.Subject || string(got.Data) != string(want.Data) {
			b.Errorf("message 40: got %+v, want %+v", got, want)
		}
		if s := b.state(st); s.LastTime != want.Time || s.Live.Messages != 40 || s.First != 1 {
			b.Errorf("got %+v", s)
		}
		b.wantGone(st, 41, store.ErrBeyond)
		b.wantCount(st, store.Query{Subject: "s.2"}, 13, 3, 39)
		if seq := b.append(st, "s.9", "another 41"); seq != 41 {
			b.Errorf("the next message has %d, want 41", seq)
		}
		b.wantData(st, 41, "another 41")
	}},
	{name: "Truncate to 0 makes a stream as it was created", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", FirstSeq: 10, Description: "kept"})
		b.fill(st, 20)
		b.remove(st, 12)
		for _, last := range []store.Seq{0, 4} { // what is below first_seq is the same
			next, err := b.s.Truncate(b.ctx, "S", last)
			b.must(err)
			if s := b.check(next); s.First != 10 || s.Last != 9 || s.LastTime != 0 || s.Live.Messages != 0 {
				b.Errorf("got %+v", s)
			}
			b.wantGaps(next, store.Query{})
			if seq := b.append(next, "x", "1"); seq != 10 || next.Config().Description != "kept" {
				b.Errorf("the first message has %d, want 10; configuration %+v", seq, next.Config())
			}
		}
	}},
	{name: "Truncate to the last message changes nothing", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5)
		b.remove(st, 5)
		same, err := b.s.Truncate(b.ctx, "S", 5)
		b.must(err)
		if same != st {
			b.Errorf("it is another stream")
		}
		b.must(st.Undelete(b.ctx, 5))
		empty := b.create("E")
		if same, err = b.s.Truncate(b.ctx, "E", 0); err != nil || same != empty {
			b.Errorf("an empty stream: %v, %v", same, err)
		}
	}},
	{name: "Truncate beyond the last message is refused", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		_, err := b.s.Truncate(b.ctx, "S", 4)
		b.wantErr(err, store.ErrBeyond)
		_, err = b.s.Truncate(b.ctx, "NONE", 0)
		b.wantErr(err, store.ErrNotFound)
		b.wantSeqs(st, store.Query{}, 1, 2, 3)
		for _, cfg := range []store.Config{{Name: "A", DenyDelete: true}, {Name: "B", DenyPurge: true}} {
			b.append(b.createWith(cfg), "x", "1")
			_, err = b.s.Truncate(b.ctx, cfg.Name, 0)
			b.wantErr(err, store.ErrDenied)
		}
		sealed := b.create("C")
		b.append(sealed, "x", "1")
		b.must(b.s.Update(b.ctx, store.Config{Name: "C", Sealed: true}))
		_, err = b.s.Truncate(b.ctx, "C", 0)
		b.wantErr(err, store.ErrSealed)
		b.wantData(sealed, 1, "1")
	}},
	{name: "what was removed, erased and skipped is so after Truncate", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 6)
		_, err := st.Skip(b.ctx, 4)
		b.must(err)
		for i := range 10 {
			b.append(st, "x", numbered(i))
		}
		b.remove(st, 2, 3, 12, 19)
		b.erase(st, true, 5, 14)
		removed := func(first, last store.Seq) store.Gap {
			return store.Gap{Range: store.Range{First: first, Last: last}, Cause: store.CauseRemoved}
		}
		st = b.truncate(st, 19)
		for range 2 {
			b.wantGaps(st, store.Query{}, removed(2, 3), removed(5, 5), store.Gap{Range: store.Range{First: 7, Last: 10}, Cause: store.CauseSkipped},
				removed(12, 12), removed(14, 14), removed(19, 19))
			if b.engine.Durable {
				b.reopen()
				st = b.open("S")
			}
		}
		b.must(st.Undelete(b.ctx, 12))
		b.wantData(st, 12, numbered(1))
		b.wantErr(st.Undelete(b.ctx, 14), store.ErrNotFound)
		st = b.truncate(st, 8)
		b.wantSeqs(st, store.Query{}, 1, 4, 6)
	}},
	{name: "Truncate in what was purged leaves a stream that goes on there", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 9)
		_, err := st.Compact(b.ctx, 8)
		b.must(err)
		st = b.truncate(st, 5)
		if s := b.state(st); s.First != 6 || s.Live.Messages != 0 {
			b.Errorf("got %+v", s)
		}
		b.must(st.Undelete(b.ctx, 5))
		if seq := b.append(st, "x", "6"); seq != 6 {
			b.Errorf("the next message has %d, want 6", seq)
		}
	}},
	{name: "drafts move along when a stream is truncated", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 4)
		b.draft(st, ".a", "first")
		b.draft(st, string(make255('x')), "long name")
		st = b.truncate(st, 2)
		b.wantDrafts(st, ".a", string(make255('x')))
		b.wantDraftNamed(st, ".a", "first")
		b.wantDraftNamed(st, string(make255('x')), "long name")
		b.must(st.RenameDraft(b.ctx, ".a", ".b"))
	}},
	{name: "a draft that is open when a stream is truncated is to be opened again", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 4)
		named, err := st.CreateDraft(b.ctx, ".a")
		b.must(err)
		scratch, err := st.ScratchDraft(b.ctx)
		b.must(err)
		for _, d := range []store.Draft{named, scratch} {
			_, err := d.WriteAt([]byte("before"), 0)
			b.must(err)
		}
		st = b.truncate(st, 2)
		_, err = named.WriteAt([]byte("after"), 0)
		b.wantErr(err, store.ErrClosed)
		_, err = named.ReadAt(make([]byte, 1), 0)
		b.wantErr(err, store.ErrClosed)
		_, err = named.Size()
		b.wantErr(err, store.ErrClosed)
		b.wantErr(named.Truncate(1), store.ErrClosed)
		b.wantErr(named.Sync(), store.ErrClosed)
		b.must(named.Close())
		b.wantDraftNamed(st, ".a", "before")
		_, err = scratch.WriteAt([]byte("after"), 6)
		b.must(err)
		if size, err := scratch.Size(); err != nil || size != 11 {
			b.Errorf("the draft without a name has %d bytes, %v", size, err)
		}
		b.must(scratch.Close())
	}},
	{name: "the stream before a truncation is kept as a removed one", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 6)
		b.remove(st, 2)
		b.draft(st, ".a", "first")
		old := st.Incarnation()
		st = b.truncate(st, 3)
		b.erase(st, true, 1)
		if b.engine.Durable {
			b.reopen()
			st = b.open("S")
		}
		if list := b.removed(); len(list) != 1 || list[0].Name != "S" || list[0].Incarnation != old || list[0].Messages != 5 {
			b.Errorf("removed streams: got %+v, want S with the incarnation %d and 5 messages", list, old)
		}
		_, err := b.s.Revive(b.ctx, old)
		b.wantErr(err, store.ErrExists)
		_, err = st.Purge(b.ctx, store.Purge{})
		b.must(err)
		b.wantDrafts(st, ".a")
		b.must(st.RemoveDraft(b.ctx, ".a"))
		b.must(b.s.Remove(b.ctx, "S"))
		back, err := b.s.Revive(b.ctx, old)
		b.must(err)
		b.wantSeqs(back, store.Query{}, 2, 3, 4, 5, 6) // the other one was erased
		b.wantErr(back.Undelete(b.ctx, 1), store.ErrNotFound)
		b.wantDrafts(back)
		b.check(back)
	}},
	timed("what was removed is kept as long as before when a stream is truncated", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 38})
		b.fill(st, 40) // the limit takes two
		b.remove(st, 3, 7)
		pause(12 * time.Hour)
		b.remove(st, 8, 40)
		st = b.truncate(st, 38)
		for range 2 {
			b.wantKept(st, 3, 7, 8)
			if b.engine.Durable {
				b.reopen()
				st = b.open("S")
			}
		}
		pause(16 * time.Hour)
		b.wantKept(st, 8)
		b.reclaim()
		b.wantErr(st.Undelete(b.ctx, 1), store.ErrNotFound)
		b.wantErr(st.Undelete(b.ctx, 7), store.ErrNotFound)
		b.must(st.Undelete(b.ctx, 8))
		b.check(st)
	}),
	timed("what no consumer wants and was put back stays when a stream is truncated", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionInterest})
		b.consumer(st, store.ConsumerConfig{Name: "c", FilterSubject: "a"})
		for seq := store.Seq(1); seq < 5; seq++ {
			b.must(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: seq, Time: time.Now().UnixNano()}, Subject: "b"}))
		}
		b.remove(st, 1)
		pause(30 * time.Hour)
		b.reclaim() // nothing is left of it, of which a copy must tell in a block of its own
		st = b.truncate(st, 3)
		b.wantSeqs(st, store.Query{}, 2, 3)
	}),
	timed("what was forgotten is still told as removed when a stream is truncated", func(b *bench) {
		st := b.create("S")
		b.fill(st, 300)
		_, err := st.Skip(b.ctx, 10)
		b.must(err)
		b.fill(st, 2000) // 311 to 2310
		ranges := []store.Range{{First: 1, Last: 5}, {First: 290, Last: 305}, {First: 1000, Last: 1400}, {First: 1700, Last: 2000}}
		for seq := store.Seq(401); seq < 800; seq += 2 {
			ranges = append(ranges, store.Range{First: seq, Last: seq})
		}
		_, err = st.RemoveAll(b.ctx, ranges)
		b.must(err)
		pause(30 * time.Hour)
		b.reclaim()
		for _, last := range []store.Seq{2100, 1900, 1200, 1000, 303, 300} {
			var want []store.Gap
			for g, err := range st.Gaps(b.ctx, store.Query{To: last}) {
				b.must(err)
				want = append(want, g)
			}
			st = b.truncate(st, last)
			for range 2 {
				b.wantGaps(st, store.Query{To: last}, want...)
				b.reclaim()
				b.check(st)
				if b.engine.Durable {
					b.reopen()
					st = b.open("S")
				}
			}
			if seq := b.append(st, "y", "next"); seq != last+1 {
				b.Errorf("the next message has %d, want %d", seq, last+1)
			}
		}
	}),
	{name: "who follows is told that another stream has the name", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 4)
		all, one := b.s.Watch(), st.Watch()
		next := b.truncate(st, 2)
		events := b.take(all, 2)
		if e := events[0]; e.Kind != store.StreamRemoved || e.Incarnation != st.Incarnation() {
			b.Errorf("got %+v, want that the stream was removed", e)
		}
		if e := events[1]; e.Kind != store.StreamCreated || e.Incarnation != next.Incarnation() || e.Stream != "S" {
			b.Errorf("got %+v, want that the other one was made", e)
		}
		if e := b.take(one, 1)[0]; e.Kind != store.StreamRemoved {
			b.Errorf("who follows the stream itself got %+v, want that it was removed", e)
		}
		b.append(next, "x", "3")
		if e := b.take(all, 1)[0]; e.Kind != store.Stored || e.Incarnation != next.Incarnation() || e.Meta.Seq != 3 {
			b.Errorf("got %+v, want that message 3 was stored", e)
		}
	}},
	{name: "consumers go on where a stream is truncated", run: func(b *bench) {
		st := b.create("S")
		for i := range 6 {
			b.append(st, "x", numbered(i))
		}
		c, err := st.CreateConsumer(b.ctx, store.ConsumerConfig{Name: "C"})
		b.must(err)
		for range 5 {
			_, err := c.Next(b.ctx, nil)
			b.must(err)
		}
		b.must(c.Ack(b.ctx, 1))
		st = b.truncate(st, 3)
		_, err = c.Next(b.ctx, nil)
		b.wantErr(err, store.ErrClosed)
		c, err = st.Consumer(b.ctx, "C")
		b.must(err)
		pending, err := c.Pending(b.ctx)
		b.must(err)
		if len(pending) != 2 || pending[0].Seq != 2 || pending[1].Seq != 3 {
			b.Errorf("open deliveries: %+v, want those of 2 and 3", pending)
		}
		b.must(c.Ack(b.ctx, 3))
		b.append(st, "x", "another 4")
		d, err := c.Next(b.ctx, nil)
		b.must(err)
		if d.Seq != 4 || string(d.Data) != "another 4" || d.Consumer != 6 {
			b.Errorf("next is %d, %q, delivery %d", d.Seq, d.Data, d.Consumer)
		}
	}},
	{name: "limits hold for what Truncate leaves and ids of what it took are forgotten", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxMsgs: 3})
		for i := range 5 {
			b.post(st, "x", fmt.Sprintf("Nats-Msg-Id: %d", i))
		}
		st = b.truncate(st, 4)
		b.wantSeqs(st, store.Query{}, 3, 4)
		if seq := b.post(st, "x", "Nats-Msg-Id: 3"); seq != 4 {
			b.Errorf("an id that stays gives %d, want 4", seq)
		}
		if seq := b.post(st, "x", "Nats-Msg-Id: 4"); seq != 5 {
			b.Errorf("an id that went gives %d, want 5", seq)
		}
	}},
	{name: "a stream with sources goes on with what Truncate took", run: func(b *bench) {
		origin := b.create("O")
		for i := range 6 {
			b.append(origin, "o", numbered(i))
		}
		st := b.sourced("S", nil, store.Source{Name: "O"})
		b.follows(st, 6)
		st, err := b.s.Truncate(b.ctx, "S", 3)
		b.must(err)
		b.follows(st, 6)
		for i := range 6 {
			b.wantData(st, store.Seq(i+1), numbered(i)) //nolint:gosec // small
		}
	}},
}

func make255(c byte) []byte {
	b := make([]byte, 255)
	for i := range b {
		b[i] = c
	}
	return b
}
