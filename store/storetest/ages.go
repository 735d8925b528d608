package storetest

import (
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
)

// timed makes a case of one whose time is not real: it sleeps and no time goes by.
func timed(name string, run func(b *bench)) testCase {
	return testCase{name: name, run: func(b *bench) {
		synctest.Test(b.T, func(t *testing.T) {
			inner := newBench(t, b.engine)
			run(inner)
			inner.must(inner.s.Close())
		})
	}}
}

// ageCases are about messages that go when their time has come.
var ageCases = []testCase{
	timed("max_age takes messages away that are older", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxAge: 10 * time.Second})
		for range 5 {
			b.append(st, "x", "")
			pause(time.Second)
		}
		b.wantSeqs(st, store.Query{}, 1, 2, 3, 4, 5)
		pause(6 * time.Second) // 11 s after the first one
		b.wantSeqs(st, store.Query{}, 3, 4, 5)
		sub := st.Watch()
		defer sub.Close()
		pause(time.Second)
		if e := b.take(sub, 1)[0]; e.Kind != store.Deleted || e.Meta.Seq != 3 {
			b.Errorf("got event %+v, want that 3 was deleted", e)
		}
		pause(time.Minute)
		if s := b.check(st); s.First != 6 || s.Live.Messages != 0 {
			b.Errorf("got %+v, want an empty stream", s)
		}
		b.append(st, "x", "")
		b.wantSeqs(st, store.Query{}, 6)
		pause(11 * time.Second)
		b.wantSeqs(st, store.Query{})
	}),
	timed("a short max_age is looked at four times a second", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxAge: 100 * time.Millisecond})
		b.append(st, "x", "")
		pause(99 * time.Millisecond)
		b.wantSeqs(st, store.Query{}, 1)
		pause(151 * time.Millisecond)
		b.wantSeqs(st, store.Query{})
	}),
	timed("max_age expires thousands at once", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxAge: time.Hour})
		b.fill(st, 6000)
		pause(time.Minute)
		b.fill(st, 10)
		pause(time.Hour - 30*time.Second)
		if s := b.check(st); s.First != 6001 || s.Live.Messages != 10 {
			b.Errorf("got %+v, want the last 10", s)
		}
	}),
	timed("a max_age that is new or lower takes effect at once", func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "")
		pause(time.Minute)
		b.append(st, "x", "")
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxAge: 30 * time.Second}))
		b.wantSeqs(st, store.Query{}, 2)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S"}))
		pause(time.Hour)
		b.wantSeqs(st, store.Query{}, 2)
	}),
	timed("the time of an erased message delays nothing behind it once the stream was truncated", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxAge: 10 * time.Second})
		b.restoreOn(st, 1, time.Now().Add(time.Hour).UnixNano(), "x")
		b.erase(st, true, 1)
		b.append(st, "x", "")
		st = b.truncate(st, 1)
		b.append(st, "x", "")
		pause(time.Second)
		b.append(st, "x", "")
		b.wantSeqs(st, store.Query{}, 2, 3)
		seq, err := st.SeekTime(b.ctx, time.Now().UnixNano())
		if b.must(err); seq != 3 {
			b.Errorf("message %d is the first of now, want 3", seq)
		}
		pause(9*time.Second + 500*time.Millisecond)
		b.wantSeqs(st, store.Query{}, 3)
	}),
	timed("what expired while the store was closed is gone when it is opened", func(b *bench) {
		if !b.engine.Durable {
			return
		}
		st := b.createWith(store.Config{Name: "S", MaxAge: 10 * time.Second, AllowMsgTTL: true})
		b.append(st, "x", "")
		b.post(st, "x", "Nats-TTL: 3s")
		b.post(st, "x", "Nats-TTL: never")
		pause(5 * time.Second)
		b.wantSeqs(st, store.Query{}, 1, 3)
		b.append(st, "x", "")
		b.post(st, "x", "Nats-TTL: 4s")
		b.post(st, "x", "Nats-TTL: 20s")
		b.must(b.s.Close())
		time.Sleep(6 * time.Second)
		b.s = b.engine.Open(b.T, b.dir)
		st = b.open("S")
		b.wantSeqs(st, store.Query{}, 3, 4, 6)
		b.check(st)
		pause(5 * time.Second) // max_age takes what has a longer TTL, too
		b.wantSeqs(st, store.Query{}, 3)
		b.reopen()
		b.wantSeqs(b.open("S"), store.Query{}, 3)
	}),
	timed("what has expired is not brought back, to be gone for good", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxAge: 10 * time.Second, AllowMsgTTL: true})
		b.append(st, "x", "")
		b.post(st, "x", "Nats-TTL: never")
		b.post(st, "x", "Nats-TTL: 2s")
		b.post(st, "x", "Nats-TTL: 20s")
		for seq := range store.Seq(4) {
			b.remove(st, seq+1)
		}
		pause(3 * time.Second)
		b.wantErr(st.Undelete(b.ctx, 3), store.ErrLimit)
		b.must(st.Undelete(b.ctx, 1))
		b.remove(st, 1)
		pause(12 * time.Second)
		for _, seq := range []store.Seq{1, 3, 4} {
			b.wantErr(st.Undelete(b.ctx, seq), store.ErrLimit)
		}
		b.must(st.Undelete(b.ctx, 2))
		b.wantSeqs(st, store.Query{}, 2)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", AllowMsgTTL: true}))
		b.must(st.Undelete(b.ctx, 1))
		b.must(st.Undelete(b.ctx, 4))
		b.wantSeqs(st, store.Query{}, 1, 2, 4)
		pause(6 * time.Second)
		b.wantSeqs(st, store.Query{}, 1, 2)
	}),
}

// ttlCases are about Nats-TTL and duplicate_window.
var ttlCases = []testCase{
	timed("a configuration that says what it said changes nothing", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxAge: time.Hour})
		b.restore(st, 1, "") // it is old, and not looked at yet
		b.wantSeqs(st, store.Query{}, 1)
		before := b.state(st)
		b.must(b.s.Update(b.ctx, st.Config()))
		if got := b.state(st); got != before {
			b.Errorf("got %+v, was %+v", got, before)
		}
		pause(time.Minute)
		b.wantGone(st, 1, store.ErrNotFound)
	}),
	timed("a message goes after its Nats-TTL", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", AllowMsgTTL: true})
		b.post(st, "x", "Nats-TTL: 1h")
		b.post(st, "x", "Nats-TTL: 2")
		b.append(st, "x", "")
		b.post(st, "x", "Nats-TTL: 1s")
		b.post(st, "x", "Nats-TTL: 1999ms")
		b.post(st, "x", "Nats-TTL: 0")
		b.post(st, "x", "Nats-TTL: never")
		pause(900 * time.Millisecond)
		b.wantSeqs(st, store.Query{}, 1, 2, 3, 4, 5, 6, 7)
		pause(300 * time.Millisecond)
		b.wantSeqs(st, store.Query{}, 1, 2, 3, 6, 7)
		pause(time.Second)
		b.wantSeqs(st, store.Query{}, 1, 3, 6, 7)
		pause(2 * time.Hour)
		b.wantSeqs(st, store.Query{}, 3, 6, 7)
		b.check(st)
	}),
	timed("a Nats-TTL is refused where it is not allowed", func(b *bench) {
		st := b.create("S")
		for _, ttl := range []string{"1s", "10", "never"} {
			b.wantRefused(st, store.Entry{Subject: "x", Header: acting("Nats-TTL: " + ttl)}, store.ErrDenied)
		}
		b.post(st, "x", "Nats-TTL: 0")
	}),
	timed("TTLs hold from when they are allowed, and of restored messages from their time", func(b *bench) {
		st := b.create("S")
		old := time.Now().Add(-time.Minute).UnixNano()
		msg := func(seq store.Seq, ttl string) store.Msg {
			return store.Msg{Meta: store.Meta{Seq: seq, Time: old}, Subject: "x", Header: acting("Nats-TTL: " + ttl)}
		}
		b.must(st.Restore(b.ctx, msg(1, "30s")))
		b.must(st.Restore(b.ctx, msg(2, "90s")))
		pause(time.Second)
		b.wantSeqs(st, store.Query{}, 1, 2)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", AllowMsgTTL: true}))
		b.wantSeqs(st, store.Query{}, 2)
		b.must(st.Restore(b.ctx, msg(3, "20s")))
		pause(time.Second)
		b.wantSeqs(st, store.Query{}, 2)
		pause(time.Minute)
		b.wantSeqs(st, store.Query{})
	}),
	timed("a message with a TTL that was removed is no matter", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", AllowMsgTTL: true})
		b.post(st, "x", "Nats-TTL: 1s")
		b.post(st, "x", "Nats-TTL: 5s")
		b.remove(st, 1)
		sub := st.Watch()
		defer sub.Close()
		pause(3 * time.Second)
		b.take(sub, 0)
		pause(3 * time.Second)
		b.take(sub, 1)
	}),
	timed("a sealed stream keeps its messages", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", AllowMsgTTL: true, MaxAge: time.Minute})
		b.post(st, "x", "Nats-TTL: 10s")
		b.append(st, "x", "")
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", AllowMsgTTL: true, Sealed: true}))
		pause(time.Hour)
		b.wantSeqs(st, store.Query{}, 1, 2)
	}),
	timed("an id is forgotten after duplicate_window", func(b *bench) {
		st := b.createWith(store.Config{Name: "S", DuplicateWindow: 10 * time.Second})
		other := b.create("T")
		for _, s := range []store.Stream{st, other} {
			b.post(s, "x", "Nats-Msg-Id: A")
		}
		pause(10*time.Second - 1)
		if seq := b.post(st, "x", "Nats-Msg-Id: A"); seq != 1 {
			b.Errorf("just inside the window: got sequence %d, want 1", seq)
		}
		if b.engine.Durable {
			b.reopen()
			st, other = b.open("S"), b.open("T")
		}
		pause(1)
		if seq := b.post(st, "x", "Nats-Msg-Id: A"); seq != 2 {
			b.Errorf("behind the window: got sequence %d, want 2", seq)
		}
		if seq := b.post(other, "x", "Nats-Msg-Id: A"); seq != 1 {
			b.Errorf("with the default window: got sequence %d, want 1", seq)
		}
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", DuplicateWindow: time.Minute}))
		if seq := b.post(st, "x", "Nats-Msg-Id: A"); seq == 3 {
			b.Errorf("a longer window: got sequence %d, want one of before", seq)
		}
		pause(2 * time.Minute)
		if seq := b.post(other, "x", "Nats-Msg-Id: A"); seq != 2 {
			b.Errorf("behind the default window: got sequence %d, want 2", seq)
		}
	}),
}
