package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

// consumerState returns all that a consumer is and remembers.
func (b *bench) consumerState(c store.Consumer) store.ConsumerState {
	b.Helper()
	s, err := c.State(b.ctx)
	b.must(err)
	return s
}

func (b *bench) restoreConsumer(st store.Stream, from store.ConsumerState) store.Consumer {
	b.Helper()
	c, err := st.RestoreConsumer(b.ctx, from)
	b.must(err)
	return c
}

// wantState compares all that a consumer is and remembers.
func (b *bench) wantState(c store.Consumer, want store.ConsumerState) {
	b.Helper()
	if d := cmp.Diff(want, b.consumerState(c)); d != "" {
		b.Errorf("state of consumer %s (-want +got):\n%s", want.Config.Name, d)
	}
}

// used makes a stream with nine messages, and a consumer that has some of them open, one twice, and acknowledged others.
func (b *bench) used() (store.Stream, store.Consumer) {
	b.Helper()
	st := b.create("S")
	b.fill(st, 9)
	c := b.consumer(st, store.ConsumerConfig{Name: "c", Metadata: map[string]string{"k": "v"}, AckWait: time.Hour})
	for seq := range store.Seq(6) {
		b.next(c, seq+1, 1)
	}
	b.must(c.Nak(b.ctx, 3, 0))
	b.next(c, 3, 2)
	b.ack(c, 1, 2, 4)
	return st, c
}

// consumerStateCases are about consumers that go on elsewhere.
var consumerStateCases = []testCase{
	{name: "a consumer goes on in another stream as in its own", run: func(b *bench) {
		_, c := b.used()
		state := b.consumerState(c)
		want := store.Deliveries{Delivered: at(7, 6), AckFloor: at(2, 2), Pending: mustPending(b, c)}
		if d := cmp.Diff(want, state.Deliveries); d != "" {
			b.Errorf("deliveries (-want +got):\n%s", d)
		}
		to := b.create("T")
		b.fill(to, 9)
		copied := b.restoreConsumer(to, state)
		b.wantState(copied, state)
		b.wantOpen(copied, 3, 5, 6)
		b.wantInfo(copied, at(7, 6), at(2, 2), 3, 1, 3)
		if copied.Created() != c.Created() {
			b.Errorf("it was made at %d, the original at %d", copied.Created(), c.Created())
		}
		b.wantErr(copied.Ack(b.ctx, 4), store.ErrNotFound)
		b.must(copied.Nak(b.ctx, 3, 0))
		if d := b.next(copied, 3, 3); d.Consumer != 8 {
			b.Errorf("got delivery %d, want 8", d.Consumer)
		}
		b.next(copied, 7, 1)
		b.wantState(c, state) // nothing is shared
		if found, err := to.Consumer(b.ctx, "c"); err != nil || found != copied || b.state(to).Consumers != 1 {
			b.Errorf("got %v, %v", found, err)
		}
	}},
	{name: "a consumer that was restored is there again", durable: true, run: func(b *bench) {
		_, c := b.used()
		state := b.consumerState(c)
		to := b.create("T")
		b.fill(to, 9)
		b.restoreConsumer(to, state)
		b.reopen()
		c, err := b.open("T").Consumer(b.ctx, "c")
		b.must(err)
		b.wantState(c, state)
		later := state.Clone()
		later.Config.Description = "later"
		later.Delivered = at(8, 7)
		b.restoreConsumer(b.open("T"), later)
		b.reopen()
		c, err = b.open("T").Consumer(b.ctx, "c")
		b.must(err)
		b.wantState(c, later)
	}},
	{name: "what a restored consumer remembers of messages that are not there is forgotten", run: func(b *bench) {
		_, c := b.used()
		to := b.create("T")
		b.fill(to, 4)
		state := b.consumerState(c)
		copied := b.restoreConsumer(to, state)
		b.wantOpen(copied, 3)
		b.wantInfo(copied, at(7, 4), at(2, 2), 1, 1, 0)
		b.fill(to, 2)
		b.next(copied, 5, 1)
		if len(state.Pending) != 3 {
			b.Errorf("what was given changed: %+v", state.Pending)
		}
	}},
	{name: "a consumer that begins above the last message does so where it is restored", run: func(b *bench) {
		st := b.create("S")
		c := b.consumer(st, store.ConsumerConfig{Name: "c", DeliverPolicy: store.DeliverByStartSequence, OptStartSeq: 6})
		to := b.create("T")
		b.fill(to, 2)
		copied := b.restoreConsumer(to, b.consumerState(c))
		b.fill(to, 5)
		b.next(copied, 6, 1)
	}},
	{name: "a restored consumer that begins with last messages has those still to come", run: func(b *bench) {
		var streams [2]store.Stream
		for i, name := range []string{"S", "T"} {
			streams[i] = b.create(name)
			for _, subject := range []string{"a", "b", "a", "b", "c"} {
				b.append(streams[i], subject, "x")
			}
		}
		c := b.consumer(streams[0], store.ConsumerConfig{Name: "c", DeliverPolicy: store.DeliverLastPerSubject, FilterSubject: ">"})
		b.restoreConsumer(streams[1], b.consumerState(c))
		b.next(c, 3, 1)
		state := b.consumerState(c)
		b.append(streams[1], "a", "later")
		copied := b.restoreConsumer(streams[1], state)
		for _, seq := range []store.Seq{4, 5, 6} {
			b.next(copied, seq, 1)
		}
		b.wantNone(copied)
	}},
	{name: "a message that was given up stays so where the consumer is restored", run: func(b *bench) {
		var streams [2]store.Stream
		for i, name := range []string{"S", "T"} {
			streams[i] = b.createWith(store.Config{Name: name, Retention: store.RetentionWorkQueue})
			b.fill(streams[i], 2)
		}
		c := b.consumer(streams[0], store.ConsumerConfig{Name: "c", AckWait: soon, MaxDeliver: 1})
		b.next(c, 1, 1)
		time.Sleep(2 * soon)
		b.next(c, 2, 1)
		state := b.consumerState(c)
		if d := cmp.Diff([]store.Spent{{Seq: 1, Count: 1}}, state.Spent); d != "" {
			b.Errorf("what was given up (-want +got):\n%s", d)
		}
		copied := b.restoreConsumer(streams[1], state)
		b.ack(copied, 2)
		b.wantSeqs(streams[1], store.Query{}, 1)
		b.wantInfo(copied, at(2, 2), at(2, 2), 0, 1, 0)
	}},
	{name: "the same consumer goes on as is told unless it has gone further", run: func(b *bench) {
		st, c := b.used()
		early := b.consumerState(c)
		to := b.create("T")
		b.fill(to, 9)
		copied := b.restoreConsumer(to, early)
		b.next(c, 7, 1)
		b.ack(c, 3, 7)
		b.must(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "c", Description: "later", AckWait: 2 * time.Hour}))
		late := b.consumerState(c)
		if same := b.restoreConsumer(to, late); same != copied {
			b.Errorf("it is another consumer")
		}
		b.wantState(copied, late)
		b.wantOpen(copied, 5, 6)
		b.restoreConsumer(to, late) // and once more
		_, err := to.RestoreConsumer(b.ctx, early)
		b.wantErr(err, store.ErrExists)
		b.wantState(copied, late)
		b.next(copied, 8, 1)
		after := b.consumerState(copied)
		_, err = to.RestoreConsumer(b.ctx, late)
		b.wantErr(err, store.ErrExists)
		b.wantState(copied, after)
		b.must(to.RemoveConsumer(b.ctx, "c"))
		b.consumer(to, store.ConsumerConfig{Name: "c"})
		_, err = to.RestoreConsumer(b.ctx, late) // that is another one
		b.wantErr(err, store.ErrExists)
	}},
	{name: "who waits for a message gets it from the consumer as it was restored", run: func(b *bench) {
		_, c := b.used()
		to := b.create("T")
		b.fill(to, 9)
		early := b.consumerState(c)
		early.Delivered, early.Pending = at(9, 9), nil
		early.AckFloor = early.Delivered
		copied := b.restoreConsumer(to, early)
		got := make(chan store.Delivery)
		go func() {
			d, _ := copied.Next(b.ctx, nil)
			got <- d
		}()
		for b.info(copied).NumWaiting == 0 {
			time.Sleep(time.Millisecond)
		}
		early.Delivered.Consumer = 20
		b.restoreConsumer(to, early)
		b.append(to, "x", "10")
		if d := <-got; d.Seq != 10 || d.Consumer != 21 {
			b.Errorf("got message %d as delivery %d, want 10 as 21", d.Seq, d.Consumer)
		}
	}},
	{name: "a consumer that can't be is not restored", run: func(b *bench) {
		_, c := b.used()
		good := b.consumerState(c)
		to := b.createWith(store.Config{Name: "T", MaxConsumers: 1})
		b.fill(to, 9)
		for _, spoil := range []func(s *store.ConsumerState){
			func(s *store.ConsumerState) { s.Config.Name, s.Config.Durable = "", "" },
			func(s *store.ConsumerState) { s.Config.MaxWaiting = -1 },
			func(s *store.ConsumerState) { s.Config.AckPolicy = store.AckNone },
			func(s *store.ConsumerState) { s.AckFloor = at(8, 7) },
			func(s *store.ConsumerState) { s.Pending[0].Count = 0 },
			func(s *store.ConsumerState) { s.Pending[0], s.Pending[1] = s.Pending[1], s.Pending[0] },
			func(s *store.ConsumerState) { s.Spent = []store.Spent{{Seq: 7, Count: 1}} },
		} {
			bad := good.Clone()
			spoil(&bad)
			_, err := to.RestoreConsumer(b.ctx, bad)
			b.wantErr(err, store.ErrInvalid)
		}
		if n := b.state(to).Consumers; n != 0 {
			b.Errorf("there are %d consumers", n)
		}
		b.restoreConsumer(to, good)
		b.restoreConsumer(to, good) // that is no further one
		good.Config.Name, good.Config.Durable = "d", "d"
		_, err := to.RestoreConsumer(b.ctx, good)
		b.wantErr(err, store.ErrLimit)
		q := b.createWith(store.Config{Name: "Q", Retention: store.RetentionWorkQueue})
		b.consumer(q, store.ConsumerConfig{Name: "all"})
		_, err = q.RestoreConsumer(b.ctx, good)
		b.wantErr(err, store.ErrDenied)
	}},
}
