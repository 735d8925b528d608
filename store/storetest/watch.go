package storetest

import (
	"errors"
	"sync"
	"time"

	"jsfs/store"
)

var watchCases = []testCase{
	{name: "every change is one event with the next revision", run: func(b *bench) {
		st := b.create("S")
		rev := b.state(st).Rev
		sub := st.Watch()
		defer sub.Close()
		b.append(st, "x", "one\n")
		_, err := st.AppendAll(b.ctx, []store.Entry{{Subject: "x", Data: []byte("two")}, {Subject: "x", Header: []byte(header)}})
		b.must(err)
		m1, m2, m3 := b.load(st, 1).Meta, b.load(st, 2).Meta, b.load(st, 3).Meta
		b.remove(st, 2)
		b.must(st.Undelete(b.ctx, 2))
		b.restore(st, 50, "fifty")
		m50 := b.load(st, 50).Meta
		want := []store.Event{
			{Kind: store.Stored, Meta: m1}, {Kind: store.Stored, Meta: m2}, {Kind: store.Stored, Meta: m3},
			{Kind: store.Deleted, Meta: m2}, {Kind: store.Undeleted, Meta: m2}, {Kind: store.Stored, Meta: m50},
		}
		for i, got := range b.take(sub, len(want)) {
			rev++
			want[i].Stream, want[i].Incarnation, want[i].Rev = "S", st.Incarnation(), rev
			if got != want[i] {
				b.Errorf("event %d: got %+v, want %+v", i, got, want[i])
			}
		}
		if got := b.state(st).Rev; got != rev {
			b.Errorf("got revision %d, want %d", got, rev)
		}
	}},
	{name: "what changes nothing is no event", run: func(b *bench) {
		st := b.create("S", "ok")
		b.append(st, "ok", "1")
		b.append(st, "ok", "2")
		b.remove(st, 1)
		rev := b.state(st).Rev
		sub, all := st.Watch(), b.s.Watch()
		_, _ = st.Remove(b.ctx, 1)
		_, _ = st.Remove(b.ctx, 99)
		_ = st.Undelete(b.ctx, 2)
		_ = st.Undelete(b.ctx, 99)
		_, _ = st.Append(b.ctx, store.Entry{Subject: "no"})
		_ = st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 1}, Subject: "ok"})
		_, _ = b.s.Create(b.ctx, store.Config{Name: "S"})
		_ = b.s.Remove(b.ctx, "S")
		b.must(st.Sync(b.ctx))
		b.take(sub, 0)
		b.take(all, 0)
		if got := b.state(st).Rev; got != rev {
			b.Errorf("revision went from %d to %d", rev, got)
		}
	}},
	{name: "the store's subscription tells of all streams", run: func(b *bench) {
		b.create("OLD")
		sub := b.s.Watch()
		defer sub.Close()
		st := b.create("S")
		created := b.state(st).Rev
		b.append(st, "x", "1")
		b.append(b.open("OLD"), "x", "1")
		b.remove(st, 1)
		b.must(b.s.Remove(b.ctx, "S"))
		got := b.take(sub, 5)
		want := []struct {
			kind   store.Kind
			stream string
			rev    uint64
		}{
			{store.StreamCreated, "S", created}, {store.Stored, "S", created + 1}, {store.Stored, "OLD", got[2].Rev},
			{store.Deleted, "S", created + 2}, {store.StreamRemoved, "S", created + 3},
		}
		for i, w := range want {
			e := got[i]
			if e.Kind != w.kind || e.Stream != w.stream || e.Rev != w.rev || (e.Meta.Seq == 0) != (w.kind >= store.StreamCreated) {
				b.Errorf("event %d: got %+v, want %+v", i, e, w)
			}
			if (e.Incarnation == st.Incarnation()) != (w.stream == "S") {
				b.Errorf("event %d has the incarnation %d", i, e.Incarnation)
			}
		}
	}},
	{name: "a stream's subscription tells of it alone and from then on", run: func(b *bench) {
		s, t := b.create("S"), b.create("T")
		b.append(s, "x", "before")
		sub := s.Watch()
		defer sub.Close()
		b.append(t, "x", "other")
		b.append(s, "x", "after")
		if e := b.take(sub, 1)[0]; e.Meta.Seq != 2 || e.Stream != "S" {
			b.Errorf("got %+v, want message 2 of S", e)
		}
		b.remove(s, 1, 2)
		b.must(b.s.Remove(b.ctx, "S"))
		if e := b.take(sub, 3)[2]; e.Kind != store.StreamRemoved {
			b.Errorf("got %+v, want that the stream was removed", e)
		}
	}},
	{name: "subscriptions do not disturb each other", run: func(b *bench) {
		st := b.create("S")
		one, two := st.Watch(), st.Watch()
		b.append(st, "x", "1")
		b.take(one, 1)
		one.Close()
		one.Close()
		if _, open := <-one.C(); open {
			b.Error("C of a closed subscription is open")
		}
		b.append(st, "x", "2")
		b.take(two, 2)
		two.Close()
		b.append(st, "x", "3")
	}},
	{name: "Take may be given any buffer", run: func(b *bench) {
		st := b.create("S")
		sub := st.Watch()
		defer sub.Close()
		var buf []store.Event
		for i := range 5 {
			for range i {
				b.append(st, "x", "")
			}
			events, lost := sub.Take(buf)
			if len(events) != i || lost {
				b.Errorf("round %d: got %d events, lost %v", i, len(events), lost)
			}
			for j := 1; j < len(events); j++ {
				if events[j].Rev != events[j-1].Rev+1 {
					b.Errorf("round %d: revision %d follows %d", i, events[j].Rev, events[j-1].Rev)
				}
			}
			buf = events
		}
	}},
	{name: "who does not take loses events and is told", many: true, run: func(b *bench) {
		st := b.create("S")
		sub := st.Watch()
		defer sub.Close()
		for range 8 {
			b.fill(st, 10_000)
		}
		events, lost := sub.Take(nil)
		if !lost || len(events) == 80_000 {
			b.Fatalf("after 80,000 changes: got %d events, lost %v", len(events), lost)
		}
		<-sub.C()
		b.append(st, "x", "later")
		later := b.take(sub, 1)
		if later[0].Meta.Seq != 80_001 || later[0].Rev != b.state(st).Rev {
			b.Errorf("got %+v after the loss, want message 80,001", later[0])
		}
	}},
	{name: "who takes an event sees its effect", run: publishedBeforePosted},
}

// publishedBeforePosted looks at each message as soon as its event comes.
func publishedBeforePosted(b *bench) {
	st := b.create("S")
	sub := st.Watch()
	defer sub.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 1000 {
			seq, err := st.Append(b.ctx, store.Entry{Subject: "x"})
			if err == nil && seq%3 == 0 {
				_, err = st.Remove(b.ctx, seq)
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
	late := time.After(time.Minute)
	rev := b.state(st).Rev
	first, seen := true, 0
	for seen < 1333 {
		select {
		case <-sub.C():
		case <-late:
			b.Fatalf("got %d events in a minute, want 1,333", seen)
		}
		events, lost := sub.Take(nil)
		if lost {
			b.Fatal("events were lost")
		}
		for _, e := range events {
			if !first && e.Rev != rev+1 {
				b.Fatalf("revision %d follows %d", e.Rev, rev)
			}
			first, rev = false, e.Rev
			seen++
			if got := b.state(st); got.Rev < e.Rev || got.Last < e.Meta.Seq {
				b.Errorf("event %+v is not part of state %+v", e, got)
			}
			_, err := st.Load(b.ctx, e.Meta.Seq, nil)
			switch {
			case e.Kind == store.Deleted:
				b.wantErr(err, store.ErrNotFound)
			case err != nil && !(e.Meta.Seq%3 == 0 && errors.Is(err, store.ErrNotFound)):
				b.Errorf("message %d was announced and gives %v", e.Meta.Seq, err)
			}
		}
	}
	wg.Wait()
}
