package storetest

import (
	"context"
	"fmt"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

func drawConsumer(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"c", "d"}).Draw(rt, "consumer")
}

// drawConsumerConfig draws a configuration, most often one that is accepted. Deliveries are due halfway between two ticks.
func (p *pair) drawConsumerConfig(rt *rapid.T, name string) store.ConsumerConfig {
	c := store.ConsumerConfig{
		Name: name, AckWait: rapid.SampledFrom([]time.Duration{0, tick / 2, 3*tick + tick/2}).Draw(rt, "ack_wait"),
		MaxDeliver:  rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(rt, "max_deliver"),
		HeadersOnly: rapid.IntRange(0, 5).Draw(rt, "headers_only") == 0,
	}
	switch rapid.IntRange(0, 4).Draw(rt, "filter") {
	case 0:
		c.FilterSubject = rapid.SampledFrom([]string{"a", "a.*", ">"}).Draw(rt, "filter_subject")
	case 1:
		c.FilterSubjects = []string{"a", "a.b"}
	}
	if p.want.Config().Retention != store.RetentionWorkQueue || rapid.IntRange(0, 7).Draw(rt, "any policy") == 0 {
		c.AckPolicy = rapid.SampledFrom([]store.AckPolicy{store.AckExplicit, store.AckExplicit, store.AckAll, store.AckNone}).Draw(rt, "ack_policy")
		p.drawStart(rt, &c)
	}
	return c
}

func (p *pair) drawStart(rt *rapid.T, c *store.ConsumerConfig) {
	c.DeliverPolicy = rapid.SampledFrom([]store.DeliverPolicy{
		store.DeliverAll, store.DeliverAll, store.DeliverLast, store.DeliverNew, store.DeliverByStartSequence,
		store.DeliverByStartTime, store.DeliverLastPerSubject,
	}).Draw(rt, "deliver_policy")
	switch c.DeliverPolicy {
	case store.DeliverByStartSequence:
		c.OptStartSeq = p.drawSeq(rt)
	case store.DeliverByStartTime:
		c.OptStartTime = time.Now().Add(-rapid.SampledFrom([]time.Duration{0, tick, 5 * tick}).Draw(rt, "ago"))
	}
}

func (m *model) createConsumer(rt *rapid.T) {
	p := m.pick(rt)
	cfg := p.drawConsumerConfig(rt, drawConsumer(rt))
	_, got := p.got.CreateConsumer(rt.Context(), cfg)
	_, want := p.want.CreateConsumer(rt.Context(), cfg)
	same(rt, fmt.Sprintf("create consumer %+v", cfg), got, want)
}

func (m *model) updateConsumer(rt *rapid.T) {
	p := m.pick(rt)
	name := drawConsumer(rt)
	cfg := p.drawConsumerConfig(rt, name)
	if c, err := p.want.Consumer(rt.Context(), name); err == nil && rapid.IntRange(0, 7).Draw(rt, "as far as it can") > 0 {
		was := c.Config()
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = was.DeliverPolicy, was.OptStartSeq, was.OptStartTime
		cfg.AckPolicy = was.AckPolicy
	}
	same(rt, fmt.Sprintf("update consumer to %+v", cfg), p.got.UpdateConsumer(rt.Context(), cfg), p.want.UpdateConsumer(rt.Context(), cfg))
}

func (m *model) removeConsumer(rt *rapid.T) {
	p, name := m.pick(rt), drawConsumer(rt)
	same(rt, "remove consumer", p.got.RemoveConsumer(rt.Context(), name), p.want.RemoveConsumer(rt.Context(), name))
}

// noteConsumer notes what a consumer is and remembers now.
func (m *model) noteConsumer(rt *rapid.T) {
	_, want := m.pick(rt).consumers(rt)
	if want == nil {
		return
	}
	state, err := want.State(rt.Context())
	check(rt, err)
	m.noted = append(m.noted, state)
}

// restoreConsumer makes a consumer of what was noted, of the same stream or of another one.
func (m *model) restoreConsumer(rt *rapid.T) {
	if len(m.noted) == 0 {
		return
	}
	p, from := m.pick(rt), rapid.SampledFrom(m.noted).Draw(rt, "as it was")
	_, got := p.got.RestoreConsumer(rt.Context(), from)
	_, want := p.want.RestoreConsumer(rt.Context(), from)
	same(rt, fmt.Sprintf("restore consumer %+v", from), got, want)
}

// consumers returns one consumer in both stores; it is nil if there is none of the name that was drawn.
func (p *pair) consumers(rt *rapid.T) (got, want store.Consumer) {
	name := drawConsumer(rt)
	got, gotErr := p.got.Consumer(rt.Context(), name)
	want, wantErr := p.want.Consumer(rt.Context(), name)
	if !same(rt, "consumer "+name, gotErr, wantErr) {
		return nil, nil
	}
	return got, want
}

// deliverNow is Next without waiting: it gives context.Canceled if there is nothing.
func deliverNow(c store.Consumer) (d store.Delivery, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		d, err = c.Next(ctx, nil)
	}()
	synctest.Wait()
	cancel()
	<-done
	return d, err
}

func (m *model) deliver(rt *rapid.T) {
	p := m.pick(rt)
	got, want := p.consumers(rt)
	if got == nil {
		return
	}
	for range rapid.IntRange(1, 4).Draw(rt, "deliveries") {
		g, gotErr := deliverNow(got)
		w, wantErr := deliverNow(want)
		if !same(rt, "next", gotErr, wantErr) {
			return
		}
		sameMsg(rt, g.Msg, w.Msg)
		if g.Consumer != w.Consumer || g.Count != w.Count {
			rt.Fatalf("delivery %d of message %d for the %d. time, want %d for the %d.", g.Consumer, g.Seq, g.Count, w.Consumer, w.Count)
		}
	}
}

func (m *model) acknowledge(rt *rapid.T) {
	p := m.pick(rt)
	got, want := p.consumers(rt)
	if got == nil {
		return
	}
	seq := p.drawSeq(rt)
	if open, err := want.Pending(rt.Context()); err == nil && len(open) > 0 && rapid.IntRange(0, 7).Draw(rt, "of an open one") > 0 {
		seq = rapid.SampledFrom(open).Draw(rt, "open").Seq
	}
	ctx := rt.Context()
	switch rapid.IntRange(0, 5).Draw(rt, "how") {
	case 0:
		delay := rapid.SampledFrom([]time.Duration{0, tick / 2}).Draw(rt, "delay")
		same(rt, fmt.Sprint("nak ", seq), got.Nak(ctx, seq, delay), want.Nak(ctx, seq, delay))
	case 1:
		same(rt, fmt.Sprint("progress of ", seq), got.InProgress(ctx, seq), want.InProgress(ctx, seq))
	case 2:
		same(rt, fmt.Sprint("term ", seq), got.Term(ctx, seq), want.Term(ctx, seq))
	default:
		same(rt, fmt.Sprint("ack ", seq), got.Ack(ctx, seq), want.Ack(ctx, seq))
	}
}

// compareConsumers compares what all consumers tell.
func (p *pair) compareConsumers(rt *rapid.T) {
	rt.Helper()
	tell := func(st store.Stream) (infos []store.ConsumerInfo, open [][]store.PendingDelivery, states []store.ConsumerState) {
		names, err := st.ConsumerNames(rt.Context())
		check(rt, err)
		for _, name := range names {
			c, err := st.Consumer(rt.Context(), name)
			check(rt, err)
			info, err := c.Info(rt.Context())
			check(rt, err)
			pending, err := c.Pending(rt.Context())
			check(rt, err)
			state, err := c.State(rt.Context())
			check(rt, err)
			infos, open, states = append(infos, info), append(open, pending), append(states, state)
		}
		return infos, open, states
	}
	gotInfos, gotOpen, gotStates := tell(p.got)
	wantInfos, wantOpen, wantStates := tell(p.want)
	diff(rt, "what consumers remember of "+p.name, gotStates, wantStates)
	diff(rt, "consumers of "+p.name, gotInfos, wantInfos)
	diff(rt, "open deliveries of "+p.name, gotOpen, wantOpen)
}

// removeBeginners removes the consumers that begin with each subject's last message: which ones these are is found again when
// the store is opened, and may be others if messages were removed.
func (p *pair) removeBeginners(rt *rapid.T) {
	names, err := p.want.ConsumerNames(rt.Context())
	check(rt, err)
	for _, name := range names {
		c, err := p.want.Consumer(rt.Context(), name)
		check(rt, err)
		if c.Config().DeliverPolicy == store.DeliverLastPerSubject {
			same(rt, "remove consumer", p.got.RemoveConsumer(rt.Context(), name), p.want.RemoveConsumer(rt.Context(), name))
		}
	}
}
