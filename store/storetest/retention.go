package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
)

// retentionCases are about streams that drop what consumers have acknowledged.
var retentionCases = []testCase{
	{name: "a work queue drops what is acknowledged, and nothing else", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionWorkQueue})
		b.fill(st, 4)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", AckWait: soon, MaxDeliver: 1})
		for seq := range store.Seq(3) {
			b.next(c, seq+1, 1)
		}
		b.wantSeqs(st, store.Query{}, 1, 2, 3, 4)
		b.ack(c, 2)
		b.wantSeqs(st, store.Query{}, 1, 3, 4)
		b.must(c.Term(b.ctx, 1))
		b.wantSeqs(st, store.Query{}, 3, 4)
		time.Sleep(2 * soon)
		b.next(c, 4, 1) // 3 was delivered as often as it may be
		b.wantOpen(c, 4)
		b.wantInfo(c, at(4, 4), at(3, 3), 1, 1, 0)
		b.must(st.RemoveConsumer(b.ctx, "c"))
		b.wantSeqs(st, store.Query{}, 3, 4)
		c = b.consumer(st, store.ConsumerConfig{Name: "c"})
		b.next(c, 3, 1) // a new consumer gets what nobody acknowledged
		b.ack(c, 3)
		b.next(c, 4, 1)
		b.ack(c, 4)
		b.wantSeqs(st, store.Query{})
	}},
	{name: "consumers of a work queue don't overlap, acknowledge each message, and begin at the first", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionWorkQueue})
		b.consumer(st, store.ConsumerConfig{Name: "a", FilterSubject: "a.*"})
		for field, cfg := range map[string]store.ConsumerConfig{
			"ack_policy":     {FilterSubject: "b", AckPolicy: store.AckAll},
			"deliver_policy": {FilterSubject: "b", DeliverPolicy: store.DeliverNew},
			"filter_subject": {FilterSubjects: []string{"b", "*.x"}},
		} {
			cfg.Name = "b"
			_, err := st.CreateConsumer(b.ctx, cfg)
			b.wantNamed(err, field, store.ErrDenied)
		}
		_, err := st.CreateConsumer(b.ctx, store.ConsumerConfig{Name: "b"})
		b.wantErr(err, store.ErrDenied)
		b.consumer(st, store.ConsumerConfig{Name: "b", FilterSubject: "b.>"})
		b.wantErr(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "b", FilterSubject: "a.b"}), store.ErrDenied)
		b.must(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "b", FilterSubject: "a.b.c"}))
	}},
	{name: "interest keeps a message until all who want it acknowledged", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionInterest})
		if seq := b.append(st, "a", "nobody wants it"); seq != 1 {
			b.Errorf("got sequence %d, want 1", seq)
		}
		b.wantSeqs(st, store.Query{})
		one := b.consumer(st, store.ConsumerConfig{Name: "one"})
		two := b.consumer(st, store.ConsumerConfig{Name: "two", FilterSubject: "a"})
		b.append(st, "a", "2")
		b.append(st, "b", "3")
		b.append(st, "a", "4")
		b.wantSeqs(st, store.Query{}, 2, 3, 4)
		b.next(one, 2, 1)
		b.next(one, 3, 1)
		b.ack(one, 2, 3)
		b.wantSeqs(st, store.Query{}, 2, 4)
		b.next(two, 2, 1)
		b.ack(two, 2)
		b.wantSeqs(st, store.Query{}, 4)
		b.next(two, 4, 1)
		b.must(two.Term(b.ctx, 4))
		b.wantSeqs(st, store.Query{}, 4)
		b.wantErr(st.Undelete(b.ctx, 2), store.ErrLimit) // it would go again
		b.next(one, 4, 1)
		b.ack(one, 4)
		b.wantSeqs(st, store.Query{})
		if s := b.state(st); s.Last != 4 || s.First != 5 {
			b.Errorf("state: got %+v", s)
		}
	}},
	{name: "a work queue takes nothing back that its consumer has passed", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionWorkQueue})
		for _, subject := range []string{"a", "a", "b"} {
			b.append(st, subject, "")
		}
		b.remove(st, 1)
		b.must(st.Undelete(b.ctx, 1)) // whoever comes gets it
		c := b.consumer(st, store.ConsumerConfig{Name: "c", FilterSubject: "a"})
		b.remove(st, 1)
		b.next(c, 2, 1)
		b.wantErr(st.Undelete(b.ctx, 1), store.ErrLimit) // nobody would ever get it
		b.remove(st, 2)
		b.must(st.Undelete(b.ctx, 2)) // its delivery is open
		b.remove(st, 3)
		b.must(st.Undelete(b.ctx, 3)) // it is not c's
		b.ack(c, 2)
		b.wantSeqs(st, store.Query{}, 3)
	}},
	{name: "interest in some subjects keeps no others, in a batch too", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionInterest})
		b.consumer(st, store.ConsumerConfig{Name: "c", FilterSubjects: []string{"a.*", "b"}})
		n, err := st.AppendAll(b.ctx, []store.Entry{{Subject: "c"}, {Subject: "a.x"}, {Subject: "a"}, {Subject: "b"}, {Subject: "d"}})
		b.must(err)
		if n != 5 {
			b.Errorf("AppendAll stored %d, want 5", n)
		}
		b.wantSeqs(st, store.Query{}, 2, 4)
	}},
	{name: "with ack policy none and all interest ends with delivery and with the ack", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionInterest})
		none := b.consumer(st, store.ConsumerConfig{Name: "none", AckPolicy: store.AckNone})
		all := b.consumer(st, store.ConsumerConfig{Name: "all", AckPolicy: store.AckAll})
		b.fill(st, 4)
		for seq := range store.Seq(3) {
			b.next(all, seq+1, 1)
		}
		b.ack(all, 2)
		b.next(none, 1, 1)
		b.wantSeqs(st, store.Query{}, 2, 3, 4)
		b.next(none, 2, 1)
		b.next(none, 3, 1)
		b.next(none, 4, 1)
		b.wantSeqs(st, store.Query{}, 3, 4)
		b.next(all, 4, 1)
		b.ack(all, 4)
		b.wantSeqs(st, store.Query{})
	}},
	{name: "who leaves takes the interest along", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionInterest})
		one := b.consumer(st, store.ConsumerConfig{Name: "one", FilterSubject: "a"})
		b.consumer(st, store.ConsumerConfig{Name: "two"})
		for _, subject := range []string{"a", "b", "a"} {
			b.append(st, subject, "")
		}
		b.next(one, 1, 1)
		b.ack(one, 1)
		b.must(st.RemoveConsumer(b.ctx, "two"))
		b.wantSeqs(st, store.Query{}, 3)
		b.must(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "one", FilterSubject: "b"}))
		b.wantSeqs(st, store.Query{})
		b.append(st, "b", "")
		b.must(st.RemoveConsumer(b.ctx, "one"))
		b.wantSeqs(st, store.Query{})
	}},
	{name: "retention is changed between limits and interest, and to or from a work queue before there is anything in it", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		c := b.consumer(st, store.ConsumerConfig{Name: "c"})
		b.next(c, 1, 1)
		b.ack(c, 1)
		b.wantSeqs(st, store.Query{}, 1, 2, 3)
		err := b.s.Update(b.ctx, store.Config{Name: "S", Retention: store.RetentionWorkQueue})
		b.wantNamed(err, "retention", store.ErrDenied)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", Retention: store.RetentionInterest}))
		b.wantSeqs(st, store.Query{}, 2, 3)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S"}))
		b.next(c, 2, 1)
		b.ack(c, 2)
		b.must(st.RemoveConsumer(b.ctx, "c"))
		b.wantSeqs(st, store.Query{}, 2, 3)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", Retention: store.RetentionInterest})) // nobody wants anything
		b.wantSeqs(st, store.Query{})
		q := b.create("Q") // as long as there was nothing in it, it can become one
		b.must(b.s.Update(b.ctx, store.Config{Name: "Q", Retention: store.RetentionWorkQueue}))
		b.must(b.s.Update(b.ctx, store.Config{Name: "Q"}))
		b.must(b.s.Update(b.ctx, store.Config{Name: "Q", Retention: store.RetentionWorkQueue}))
		b.consumer(q, store.ConsumerConfig{Name: "c"})
		b.wantErr(b.s.Update(b.ctx, store.Config{Name: "Q"}), store.ErrDenied)
		b.must(q.RemoveConsumer(b.ctx, "c"))
		b.fill(q, 1)
		err = b.s.Update(b.ctx, store.Config{Name: "Q"})
		b.wantNamed(err, "retention", store.ErrDenied)
		_, err = b.s.Create(b.ctx, store.Config{Name: "X", Retention: "forever"})
		b.wantNamed(err, "retention", store.ErrInvalid)
		_, err = b.s.Create(b.ctx, store.Config{Name: "X", MaxConsumers: -2})
		b.wantNamed(err, "max_consumers", store.ErrInvalid)
	}},
	{name: "what is restored stays without interest", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionInterest})
		b.restore(st, 3, "3")
		b.wantSeqs(st, store.Query{}, 3)
		if b.engine.Durable {
			b.reopen()
			st = b.open("S")
		}
		c := b.consumer(st, store.ConsumerConfig{Name: "c"})
		b.next(c, 3, 1)
		b.ack(c, 3)
		b.wantSeqs(st, store.Query{})
	}},
	{name: "what is given another's configuration keeps what nobody wants", run: func(b *bench) {
		a, ok := b.s.(store.Adopter)
		if !ok {
			b.Fatal("the engine has no Adopt")
		}
		st := b.create("S")
		b.fill(st, 3)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", DeliverPolicy: store.DeliverByStartSequence, OptStartSeq: 2})
		b.wantErr(a.Adopt(b.ctx, store.Config{Name: "S", Retention: store.RetentionWorkQueue}), store.ErrDenied)
		b.must(a.Adopt(b.ctx, store.Config{Name: "S", Retention: store.RetentionInterest}))
		b.wantSeqs(st, store.Query{}, 1, 2, 3)
		b.next(c, 2, 1)
		b.ack(c, 2)
		b.wantSeqs(st, store.Query{}, 1, 3)
		b.must(st.RemoveConsumer(b.ctx, "c"))
		b.wantSeqs(st, store.Query{})
	}},
	{name: "a work queue goes on where it was", durable: true, run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionWorkQueue})
		b.fill(st, 5)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", AckWait: time.Hour})
		for seq := range store.Seq(3) {
			b.next(c, seq+1, 1)
		}
		b.ack(c, 2)
		b.reopen()
		st = b.open("S")
		b.wantSeqs(st, store.Query{}, 1, 3, 4, 5)
		c, err := st.Consumer(b.ctx, "c")
		b.must(err)
		b.wantOpen(c, 1, 3)
		b.next(c, 4, 1)
		b.ack(c, 1, 3, 4)
		b.wantSeqs(st, store.Query{}, 5)
	}},
	{name: "many readers of one consumer share the work", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionWorkQueue})
		c := b.consumer(st, store.ConsumerConfig{Name: "c", AckWait: time.Minute})
		const readers, messages = 8, 400
		var seen [messages + 1]atomic.Int32
		var left atomic.Int32
		left.Store(messages)
		var wg sync.WaitGroup
		for range readers {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					d, err := c.Next(b.ctx, nil)
					if err == nil {
						seen[d.Seq].Add(1)
						err = c.Ack(b.ctx, d.Seq)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		for range messages / 10 {
			b.fill(st, 10)
		}
		wg.Wait()
		for seq := 1; seq <= messages; seq++ {
			if n := seen[seq].Load(); n != 1 {
				b.Errorf("message %d was delivered %d times", seq, n)
			}
		}
		b.wantSeqs(st, store.Query{})
		b.wantInfo(c, at(messages, messages), at(messages, messages), 0, 0, 0)
	}},
	{name: "consumers that acknowledge at the same time leave no message behind", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", Retention: store.RetentionInterest})
		const messages = 100
		var consumers []store.Consumer
		for i := range 4 {
			consumers = append(consumers, b.consumer(st, store.ConsumerConfig{Name: fmt.Sprint("c", i)}))
		}
		b.fill(st, messages)
		var wg sync.WaitGroup
		for _, c := range consumers {
			wg.Go(func() {
				for range messages {
					d, err := c.Next(b.ctx, nil)
					if err == nil {
						err = c.Ack(b.ctx, d.Seq)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		b.wantSeqs(st, store.Query{})
	}},
}
