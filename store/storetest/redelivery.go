package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

// refusedConsumers are configurations that break a rule, by the field that the refusal names.
var refusedConsumers = map[string]store.ConsumerConfig{
	"consumer":        {},
	"durable_name":    {Name: "a", Durable: "b"},
	"deliver_policy":  {Name: "a", DeliverPolicy: "some"},
	"ack_policy":      {Name: "a", AckPolicy: "some"},
	"replay_policy":   {Name: "a", ReplayPolicy: "some"},
	"opt_start_seq":   {Name: "a", OptStartSeq: 3},
	"opt_start_time":  {Name: "a", DeliverPolicy: store.DeliverByStartTime},
	"filter_subject":  {Name: "a", DeliverPolicy: store.DeliverLastPerSubject},
	"filter_subjects": {Name: "a", FilterSubjects: []string{"a.*", "a.b"}},
	"ack_wait":        {Name: "a", AckWait: -1},
	"backoff":         {Name: "a", MaxDeliver: 1, BackOff: []time.Duration{1, 2}},
	"max_ack_pending": {Name: "a", MaxAckPending: store.MaxAckPending + 1},
	"max_waiting":     {Name: "a", MaxWaiting: -1},
	"description":     {Name: "a", Description: strings.Repeat("x", store.MaxDescription+1)},
	"metadata":        {Name: "a", Metadata: map[string]string{"k": strings.Repeat("x", store.MaxMetadata)}},
}

// wantNamed demands that err is target and begins with the field, after what was being done.
func (b *bench) wantNamed(err error, field string, target error) {
	b.Helper()
	b.wantErr(err, target)
	if err != nil && !strings.Contains(err.Error(), field) {
		b.Errorf("%v: it does not name %s", err, field)
	}
}

// slowest is the longest unit of time that a case tries on a machine that is too busy for shorter ones.
const slowest = 64 * soon

// nakAndProgress tries with a new consumer what naks and progress do, whose waits are a few units long. It says whether all else
// took less than these: if not, nothing was shown.
func nakAndProgress(b *bench, st store.Stream, name string, unit time.Duration) (inTime bool) {
	b.Helper()
	c := b.consumer(st, store.ConsumerConfig{Name: name, AckWait: 4 * unit})
	begin := time.Now()
	b.next(c, 1, 1)
	b.must(c.Nak(b.ctx, 1, 0))
	d, err := c.Next(b.ctx, nil)
	b.must(err)
	if time.Since(begin) >= 4*unit {
		return false
	}
	if d.Seq != 1 || d.Count != 2 { // before what was never delivered
		b.Fatalf("after a nak: got message %d for the %d. time, want 1 for the 2.", d.Seq, d.Count)
	}
	begin = time.Now()
	b.must(c.Nak(b.ctx, 1, 2*unit))
	d, err = c.Next(b.ctx, nil)
	b.must(err)
	if d.Seq == 1 && time.Since(begin) >= 2*unit {
		return false
	}
	if d.Seq != 2 || d.Count != 1 {
		b.Fatalf("after a nak that lasts: got message %d for the %d. time, want 2 for the 1.", d.Seq, d.Count)
	}
	b.ack(c, 2)
	b.next(c, 1, 3)
	progress := time.Now()
	if waited := progress.Sub(begin); waited < 2*unit {
		b.Errorf("it came after %v, want %v", waited, 2*unit)
	}
	begin = progress
	for range 3 {
		time.Sleep(2 * unit)
		b.must(c.InProgress(b.ctx, 1))
		now := time.Now()
		if now.Sub(progress) >= 4*unit {
			return false
		}
		progress = now
	}
	b.next(c, 1, 4)
	if waited := time.Since(begin); waited < 10*unit {
		b.Errorf("it came after %v, want %v", waited, 10*unit)
	}
	return true
}

// redeliveryCases are about deliveries that are made again, and about what changes or survives.
var redeliveryCases = []testCase{
	{name: "what is not acknowledged is delivered again after ack_wait", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", AckWait: 2 * soon, MaxAckPending: 2})
		begin := time.Now()
		b.next(c, 1, 1)
		b.next(c, 2, 1)
		b.ack(c, 1)
		d := b.next(c, 3, 1)
		b.ack(c, 3)
		again := b.next(c, 2, 2)
		if waited := time.Since(begin); waited < 2*soon {
			b.Errorf("it came after %v, want %v", waited, 2*soon)
		}
		if d.Consumer != 3 || again.Consumer != 4 || string(again.Data) != "x\n" {
			b.Errorf("deliveries: got %+v, then %+v", d, again)
		}
		b.wantInfo(c, at(4, 3), at(1, 1), 1, 1, 0)
		b.ack(c, 2)
		b.wantInfo(c, at(4, 3), at(4, 3), 0, 0, 0)
	}},
	{name: "a nak brings a message back at once or after a delay, progress puts it off", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 2)
		for i, unit := 0, soon; !nakAndProgress(b, st, fmt.Sprint("c", i), unit); i++ {
			if unit *= 4; unit > slowest {
				b.Fatalf("what takes no time took more than %v each time", unit/4)
			}
		}
	}},
	{name: "backoff says when each delivery is made again", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 1)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", BackOff: []time.Duration{soon, 3 * soon}})
		begin := time.Now()
		for i, want := range []time.Duration{0, soon, 4 * soon, 7 * soon} { // each wait begins with the delivery before
			b.next(c, 1, uint64(i)+1) //nolint:gosec // small
			if waited := time.Since(begin); waited < want-2*time.Millisecond {
				b.Errorf("delivery %d came %v after the first, want %v", i+1, waited, want)
			}
		}
		if c.Config().AckWait != soon {
			b.Errorf("ack_wait is %v, want the first backoff", c.Config().AckWait)
		}
	}},
	{name: "max_deliver takes a message out of pending", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 1)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", AckWait: soon, MaxDeliver: 2})
		b.next(c, 1, 1)
		b.next(c, 1, 2)
		b.wantOpen(c, 1)
		time.Sleep(soon)
		b.wantNone(c)
		b.wantOpen(c)
		b.wantInfo(c, at(2, 1), at(2, 1), 0, 0, 0)
		b.wantSeqs(st, store.Query{}, 1)
	}},
	{name: "a message that is removed is not delivered, and not again", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		c := b.consumer(st, store.ConsumerConfig{Name: "c"})
		b.next(c, 1, 1)
		b.must(c.Nak(b.ctx, 1, 0))
		b.remove(st, 1, 2)
		b.wantOpen(c)
		b.next(c, 3, 1)
		b.wantInfo(c, at(2, 3), at(1, 1), 1, 0, 0)
	}},
	{name: "headers_only delivers the length in place of the payload", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "12345")
		_, err := st.Append(b.ctx, store.Entry{Subject: "x", Header: []byte("NATS/1.0\r\nA: b\r\n\r\n"), Data: []byte("123")})
		b.must(err)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", HeadersOnly: true})
		for seq, want := range []string{"NATS/1.0\r\nNats-Msg-Size: 5\r\n\r\n", "NATS/1.0\r\nA: b\r\nNats-Msg-Size: 3\r\n\r\n"} {
			if d := b.next(c, store.Seq(seq)+1, 1); string(d.Header) != want || len(d.Data) > 0 {
				b.Errorf("got header %q and %q, want %q", d.Header, d.Data, want)
			}
		}
	}},
	{name: "replay original spaces old messages as they came", run: func(b *bench) {
		st := b.create("S")
		begin := time.Now().UnixNano()
		for i := range int64(3) {
			m := store.Msg{Meta: store.Meta{Seq: store.Seq(i) + 1, Time: begin + i*int64(2*soon)}, Subject: "x"} //nolint:gosec // small
			b.must(st.Restore(b.ctx, m))
		}
		c := b.consumer(st, store.ConsumerConfig{Name: "c", ReplayPolicy: store.ReplayOriginal})
		start := time.Now()
		b.next(c, 1, 1)
		b.next(c, 2, 1)
		b.next(c, 3, 1)
		if took := time.Since(start); took < 4*soon {
			b.Errorf("three messages came in %v, want %v", took, 4*soon)
		}
	}},
	{name: "a consumer is updated while it runs", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "a", "1")
		b.append(st, "b", "2")
		b.append(st, "b", "3")
		c := b.consumer(st, store.ConsumerConfig{Name: "c", FilterSubject: "a", AckWait: soon, MaxDeliver: 5})
		b.next(c, 1, 1)
		b.ack(c, 1)
		b.wantNone(c)
		for field, cfg := range map[string]store.ConsumerConfig{
			"deliver_policy": {DeliverPolicy: store.DeliverNew},
			"ack_policy":     {AckPolicy: store.AckAll},
			"replay_policy":  {ReplayPolicy: store.ReplayOriginal},
			"max_waiting":    {MaxWaiting: 3},
		} {
			cfg.Name = "c"
			b.wantNamed(st.UpdateConsumer(b.ctx, cfg), field, store.ErrDenied)
		}
		b.wantErr(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "c", MaxWaiting: -1}), store.ErrInvalid)
		b.wantErr(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "d"}), store.ErrNotFound)
		want := store.ConsumerConfig{Name: "c", FilterSubject: "b", Description: "later", MaxAckPending: 1}
		b.must(st.UpdateConsumer(b.ctx, want))
		if d := cmp.Diff(want.WithDefaults(), c.Config()); d != "" {
			b.Errorf("configuration (-want +got):\n%s", d)
		}
		b.next(c, 2, 1)
		b.wantNone(c) // one may be open, and for longer than before
	}},
	{name: "a consumer that has delivered nothing can become another one", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		c := b.consumer(st, store.ConsumerConfig{Name: "c"})
		got := make(chan store.Delivery)
		b.must(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "c", DeliverPolicy: store.DeliverNew, AckPolicy: store.AckNone}))
		go func() {
			d, _ := c.Next(b.ctx, nil)
			got <- d
		}()
		for b.info(c).NumWaiting == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(soon)
		b.must(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "c", DeliverPolicy: store.DeliverLast, AckPolicy: store.AckAll}))
		if d := <-got; d.Seq != 3 {
			b.Errorf("who waited got message %d, want 3", d.Seq)
		}
		b.wantNamed(st.UpdateConsumer(b.ctx, store.ConsumerConfig{Name: "c"}), "deliver_policy", store.ErrDenied)
		b.wantOpen(c, 3)
		b.ack(c, 3)
		b.wantInfo(c, at(1, 3), at(1, 3), 0, 0, 0)
	}},
	{name: "what consumers remember is there again", durable: true, run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 9)
		cfg := store.ConsumerConfig{Name: "c", Description: "d", Metadata: map[string]string{"k": "v"}, AckWait: time.Hour}
		c := b.consumer(st, cfg)
		b.consumer(st, store.ConsumerConfig{Name: "last", DeliverPolicy: store.DeliverLastPerSubject, FilterSubject: ">"})
		for seq := range store.Seq(5) {
			b.next(c, seq+1, 1)
		}
		b.must(c.Nak(b.ctx, 2, 0))
		b.next(c, 2, 2)
		b.must(c.Nak(b.ctx, 3, 0))
		b.ack(c, 1, 4)
		b.remove(st, 5)
		before, pending := b.info(c), mustPending(b, c)
		b.append(st, "new", "10")
		b.reopen()
		st = b.open("S")
		c, err := st.Consumer(b.ctx, "c")
		b.must(err)
		before.NumPending++
		if d := cmp.Diff(before, b.info(c)); d != "" {
			b.Errorf("info after reopening (-before +after):\n%s", d)
		}
		if d := cmp.Diff(pending, mustPending(b, c)); d != "" {
			b.Errorf("pending after reopening (-before +after):\n%s", d)
		}
		b.next(c, 3, 2)
		b.next(c, 6, 1)
		last, err := st.Consumer(b.ctx, "last")
		b.must(err)
		b.next(last, 9, 1) // the last one when it was made
		b.next(last, 10, 1)
		b.must(st.RemoveConsumer(b.ctx, "c"))
		b.reopen()
		names, err := b.open("S").ConsumerNames(b.ctx)
		b.must(err)
		if !slices.Equal(names, []string{"last"}) {
			b.Errorf("consumers after reopening: got %v", names)
		}
	}},
	{name: "Sync makes durable what consumers remember", durable: true, run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 2)
		c := b.consumer(st, store.ConsumerConfig{Name: "c"})
		b.next(c, 1, 1)
		b.ack(c, 1)
		b.must(st.Sync(b.ctx))
		b.reopen()
		c, err := b.open("S").Consumer(b.ctx, "c")
		b.must(err)
		b.next(c, 2, 1)
	}},
}

func mustPending(b *bench, c store.Consumer) []store.PendingDelivery {
	b.Helper()
	list, err := c.Pending(b.ctx)
	b.must(err)
	return list
}
