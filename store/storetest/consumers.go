package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

// soon is long enough for whatever is to come at once, and short enough to wait for what is not to come.
const soon = 30 * time.Millisecond

func (b *bench) consumer(st store.Stream, cfg store.ConsumerConfig) store.Consumer {
	b.Helper()
	c, err := st.CreateConsumer(b.ctx, cfg)
	b.must(err)
	return c
}

// next demands that the consumer delivers message seq now, for the count-th time.
func (b *bench) next(c store.Consumer, seq store.Seq, count uint64) store.Delivery {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	d, err := c.Next(ctx, nil)
	b.must(err)
	if d.Seq != seq || d.Count != count {
		b.Fatalf("got message %d for the %d. time, want %d for the %d.", d.Seq, d.Count, seq, count)
	}
	return d
}

// wantNone demands that the consumer has nothing to deliver now.
func (b *bench) wantNone(c store.Consumer) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, soon)
	defer cancel()
	if d, err := c.Next(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		b.Fatalf("got message %d, %v, want to wait", d.Seq, err)
	}
}

func (b *bench) ack(c store.Consumer, seqs ...store.Seq) {
	b.Helper()
	for _, seq := range seqs {
		b.must(c.Ack(b.ctx, seq))
	}
}

func (b *bench) info(c store.Consumer) store.ConsumerInfo {
	b.Helper()
	info, err := c.Info(b.ctx)
	b.must(err)
	return info
}

// wantInfo compares the numbers of a consumer.
func (b *bench) wantInfo(c store.Consumer, delivered, floor store.Position, open, again int, pending uint64) {
	b.Helper()
	got := b.info(c)
	want := got
	want.Delivered, want.AckFloor, want.NumAckPending, want.NumRedelivered, want.NumPending = delivered, floor, open, again, pending
	if d := cmp.Diff(want, got); d != "" {
		b.Errorf("info (-want +got):\n%s", d)
	}
}

func (b *bench) wantOpen(c store.Consumer, want ...store.Seq) {
	b.Helper()
	list, err := c.Pending(b.ctx)
	b.must(err)
	var got []store.Seq
	for _, p := range list {
		got = append(got, p.Seq)
		if p.Due < p.Time || p.Count == 0 {
			b.Errorf("pending %d: %+v", p.Seq, p)
		}
		if one, err := c.PendingOf(b.ctx, p.Seq); err != nil || one != p {
			b.Errorf("pending %d: got %+v, %v, want %+v", p.Seq, one, err, p)
		}
	}
	if !slices.Equal(got, want) {
		b.Errorf("pending: got %v, want %v", got, want)
	}
	for seq := range store.Seq(10) {
		if _, err := c.PendingOf(b.ctx, seq); slices.Contains(got, seq) != (err == nil) || err != nil && !errors.Is(err, store.ErrNotFound) {
			b.Errorf("pending %d: got %v, open are %v", seq, err, got)
		}
	}
}

// at is a position.
func at(consumer uint64, seq store.Seq) store.Position {
	return store.Position{Consumer: consumer, Stream: seq}
}

// consumerCases are about consumers of streams that keep what is acknowledged.
var consumerCases = []testCase{
	{name: "consumers are made, listed, found, and removed", run: func(b *bench) {
		st := b.create("S")
		for _, name := range []string{"b", "a"} {
			b.consumer(st, store.ConsumerConfig{Durable: name})
		}
		_, err := st.CreateConsumer(b.ctx, store.ConsumerConfig{Name: "a"})
		b.wantErr(err, store.ErrExists)
		names, err := st.ConsumerNames(b.ctx)
		b.must(err)
		if !slices.Equal(names, []string{"a", "b"}) || b.state(st).Consumers != 2 {
			b.Errorf("consumers: got %v, state says %d", names, b.state(st).Consumers)
		}
		a, err := st.Consumer(b.ctx, "a")
		b.must(err)
		if again, err := st.Consumer(b.ctx, "a"); again != a || err != nil {
			b.Errorf("the same consumer is %v and %v, %v", a, again, err)
		}
		want := store.ConsumerConfig{Name: "a"}.WithDefaults()
		if d := cmp.Diff(want, a.Config()); d != "" {
			b.Errorf("configuration (-want +got):\n%s", d)
		}
		b.must(st.RemoveConsumer(b.ctx, "a"))
		b.wantErr(st.RemoveConsumer(b.ctx, "a"), store.ErrNotFound)
		_, err = st.Consumer(b.ctx, "a")
		b.wantErr(err, store.ErrNotFound)
		_, err = a.Next(b.ctx, nil)
		b.wantErr(err, store.ErrClosed)
		b.wantErr(a.Ack(b.ctx, 1), store.ErrClosed)
		b.consumer(st, store.ConsumerConfig{Name: "a"})
	}},
	{name: "a consumer's configuration that is refused names the field and makes nothing", run: func(b *bench) {
		st := b.create("S")
		for field, cfg := range refusedConsumers {
			_, err := st.CreateConsumer(b.ctx, cfg)
			b.wantNamed(err, field, store.ErrInvalid)
		}
		_, err := st.CreateConsumer(b.ctx, store.ConsumerConfig{Name: "x", FilterSubject: "a..b"})
		b.wantErr(err, store.ErrSubject)
		if n := b.state(st).Consumers; n != 0 {
			b.Errorf("there are %d consumers", n)
		}
	}},
	{name: "max_consumers bounds how many are made", run: func(b *bench) {
		st := b.createWith(store.Config{Name: "S", MaxConsumers: 1})
		b.consumer(st, store.ConsumerConfig{Name: "a"})
		_, err := st.CreateConsumer(b.ctx, store.ConsumerConfig{Name: "b"})
		b.wantErr(err, store.ErrLimit)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", MaxConsumers: 2}))
		b.consumer(st, store.ConsumerConfig{Name: "b"})
	}},
	{name: "deliveries and acknowledgements move the positions", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5)
		c := b.consumer(st, store.ConsumerConfig{Name: "c"})
		b.wantInfo(c, at(0, 0), at(0, 0), 0, 0, 5)
		for seq := range store.Seq(4) {
			d := b.next(c, seq+1, 1)
			if d.Consumer != uint64(seq)+1 || string(d.Data) != "x\n" || d.Subject != "fill" {
				b.Errorf("delivery: got %+v", d)
			}
		}
		b.wantInfo(c, at(4, 4), at(0, 0), 4, 0, 1)
		b.wantOpen(c, 1, 2, 3, 4)
		b.ack(c, 2)
		b.wantInfo(c, at(4, 4), at(0, 0), 3, 0, 1)
		b.ack(c, 1) // the floor slides to just before the next one
		b.wantInfo(c, at(4, 4), at(2, 2), 2, 0, 1)
		b.ack(c, 1, 2) // at or below the floor it is nothing
		b.wantErr(c.Ack(b.ctx, 5), store.ErrNotFound)
		b.wantErr(c.Ack(b.ctx, 99), store.ErrNotFound)
		b.ack(c, 4)
		b.wantErr(c.Ack(b.ctx, 4), store.ErrNotFound)
		b.wantErr(c.Nak(b.ctx, 4, 0), store.ErrNotFound)
		b.wantErr(c.InProgress(b.ctx, 4), store.ErrNotFound)
		b.must(c.Term(b.ctx, 3)) // and to what was delivered when none is left
		b.wantInfo(c, at(4, 4), at(4, 4), 0, 0, 1)
		b.next(c, 5, 1)
		b.wantNone(c)
	}},
	{name: "with ack policy all an ack covers what is before it", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 5)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", AckPolicy: store.AckAll})
		for seq := range store.Seq(5) {
			b.next(c, seq+1, 1)
		}
		b.must(c.Term(b.ctx, 2))
		b.ack(c, 4)
		b.wantInfo(c, at(5, 5), at(4, 4), 1, 0, 0)
		b.wantErr(c.Ack(b.ctx, 6), store.ErrNotFound)
		b.ack(c, 5)
		b.wantInfo(c, at(5, 5), at(5, 5), 0, 0, 0)
	}},
	{name: "with ack policy none nothing is pending and acks are refused", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 2)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", AckPolicy: store.AckNone})
		b.next(c, 1, 1)
		b.wantInfo(c, at(1, 1), at(1, 1), 0, 0, 1)
		b.wantOpen(c)
		b.wantErr(c.Ack(b.ctx, 1), store.ErrDenied)
		b.wantErr(c.Term(b.ctx, 1), store.ErrDenied)
		b.wantErr(c.Nak(b.ctx, 1, 0), store.ErrDenied)
		b.wantErr(c.InProgress(b.ctx, 1), store.ErrDenied)
		b.next(c, 2, 1)
	}},
	{name: "where a consumer begins", run: func(b *bench) {
		st := b.create("S")
		for i, subject := range []string{"a", "b", "a", "c", "b"} {
			b.append(st, subject, numbered(i+1))
		}
		third := b.load(st, 3).Time
		first := store.Seq(3)
		for b.load(st, first-1).Time == third { // the clock may be coarse
			first--
		}
		starts := []struct {
			cfg  store.ConsumerConfig
			want []store.Seq
		}{
			{store.ConsumerConfig{}, []store.Seq{1, 2, 3, 4, 5, 6}},
			{store.ConsumerConfig{FilterSubject: "b"}, []store.Seq{2, 5}},
			{store.ConsumerConfig{FilterSubjects: []string{"c", "a"}}, []store.Seq{1, 3, 4, 6}},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverNew}, []store.Seq{6}},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverLast}, []store.Seq{5, 6}},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverLast, FilterSubject: "a"}, []store.Seq{3, 6}},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverLast, FilterSubject: "none"}, nil},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverByStartSequence, OptStartSeq: 4}, []store.Seq{4, 5, 6}},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverByStartSequence, OptStartSeq: 7}, nil},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverByStartTime, OptStartTime: time.Unix(0, third), FilterSubject: "b"}, []store.Seq{5}},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverLastPerSubject, FilterSubject: ">"}, []store.Seq{3, 4, 5, 6}},
			{store.ConsumerConfig{DeliverPolicy: store.DeliverLastPerSubject, FilterSubjects: []string{"b", "a"}}, []store.Seq{3, 5, 6}},
		}
		var made []store.Consumer
		for i := range starts {
			starts[i].cfg.Name = fmt.Sprint("c", i)
			made = append(made, b.consumer(st, starts[i].cfg))
		}
		b.append(st, "a", "new")
		for i, row := range starts {
			if n := b.info(made[i]).NumPending; n != uint64(len(row.want)) {
				b.Errorf("%+v: %d messages are pending, want %d", row.cfg, n, len(row.want))
			}
			for k, seq := range row.want {
				b.next(made[i], seq, 1)
				if n := b.info(made[i]).NumPending; n != uint64(len(row.want)-k-1) {
					b.Errorf("%+v: after %d, %d messages are pending", row.cfg, seq, n)
				}
			}
			b.wantNone(made[i])
		}
	}},
	{name: "a reader that waits gets what is stored, and the first that waits is first", run: func(b *bench) {
		st := b.create("S")
		c := b.consumer(st, store.ConsumerConfig{Name: "c", FilterSubject: "wanted"})
		var got [3]store.Seq
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				d, err := c.Next(b.ctx, nil)
				if err != nil {
					b.Error(err)
				}
				got[i] = d.Seq
			})
			for b.info(c).NumWaiting != i+1 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(soon)
		}
		for range got {
			b.append(st, "other", "")
			b.append(st, "wanted", "")
		}
		wg.Wait()
		if got != [3]store.Seq{2, 4, 6} {
			b.Errorf("got %v, want 2, 4, 6", got)
		}
	}},
	{name: "removing the consumer, or closing the store, ends who waits", run: func(b *bench) {
		st := b.create("S")
		ended := make(chan error, 2)
		for _, name := range []string{"a", "b"} {
			c := b.consumer(st, store.ConsumerConfig{Name: name})
			go func() {
				_, err := c.Next(b.ctx, nil)
				ended <- err
			}()
			for b.info(c).NumWaiting == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		b.must(st.RemoveConsumer(b.ctx, "a"))
		b.wantErr(<-ended, store.ErrClosed)
		b.must(b.s.Close())
		b.wantErr(<-ended, store.ErrClosed)
	}},
	{name: "max_waiting and max_ack_pending hold", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		c := b.consumer(st, store.ConsumerConfig{Name: "c", MaxWaiting: 1, MaxAckPending: 2})
		b.next(c, 1, 1)
		b.next(c, 2, 1)
		b.wantNone(c)
		ended := make(chan store.Delivery)
		go func() {
			d, _ := c.Next(b.ctx, nil)
			ended <- d
		}()
		for b.info(c).NumWaiting == 0 {
			time.Sleep(time.Millisecond)
		}
		_, err := c.Next(b.ctx, nil)
		b.wantErr(err, store.ErrLimit)
		b.ack(c, 2)
		if d := <-ended; d.Seq != 3 {
			b.Errorf("got message %d, want 3", d.Seq)
		}
		b.remove(st, 1, 3) // what is gone keeps nobody waiting
		b.append(st, "x", "4")
		b.next(c, 4, 1)
		b.wantOpen(c, 4)
	}},
}
