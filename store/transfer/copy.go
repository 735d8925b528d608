package transfer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sort"

	"jsfs/store"
)

// Copy makes a copy of a stream in another store, or the same one, under that name. It goes on with a
// copy that stopped half way.
func Copy(ctx context.Context, from store.Stream, to store.Store, name string, opt Options) (Result, error) {
	o, err := originOf(ctx, from)
	if err != nil {
		return Result{}, err
	}
	return o.copyTo(ctx, to, name, opt)
}

// copyTo makes the copy of an origin.
func (o *origin) copyTo(ctx context.Context, to store.Store, name string, opt Options) (Result, error) {
	cfg := o.config.Clone()
	cfg.Name = name
	cfg = cfg.WithDefaults()
	st, err := o.stage(ctx, to, cfg)
	if err != nil {
		return Result{}, err
	}
	if err := o.checkConsumers(ctx, st); err != nil {
		return Result{}, err
	}
	t, resumed, err := o.fill(ctx, to, st, opt)
	if err != nil {
		return Result{}, err
	}
	lost, unread, err := o.lost(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := o.finish(ctx, st, t); err != nil {
		return Result{}, err
	}
	if err := o.restoreConsumers(ctx, to, st); err != nil {
		return Result{}, err
	}
	if opt.Verify {
		if err := verify(ctx, st, t); err != nil {
			return Result{}, err
		}
	}
	r := t.result(name, resumed, o.last, o.salvage.without(lost))
	r.Consumers, r.LostConsumers = len(o.consumers), unread
	if cfg.Retention == store.RetentionInterest && len(unread) > 0 {
		cfg.Retention, r.KeepsAll = store.RetentionLimits, true
	}
	if !sameConfig(st.Config(), cfg) {
		if err := adopt(ctx, to, cfg); err != nil {
			return Result{}, fmt.Errorf("give stream %s its configuration: %w", name, err)
		}
	}
	return r, nil
}

// adopt gives the copy its configuration.
func adopt(ctx context.Context, to store.Store, cfg store.Config) error {
	if a, ok := to.(store.Adopter); ok {
		return a.Adopt(ctx, cfg)
	}
	return to.Update(ctx, cfg)
}

// stage returns the stream that is to become the copy with configuration cfg: a new one, or one that
// an earlier call left. Until all messages are there it takes whatever the original once took, and until all consumers
// are, it keeps everything.
func (o *origin) stage(ctx context.Context, to store.Store, cfg store.Config) (store.Stream, error) {
	open := cfg.Clone()
	open.Mirror, open.Sources = nil, nil // or messages of its origins would come between
	open.Subjects, open.MaxMsgSize = []string{">"}, store.MaxMsgSize
	open.MaxMsgs, open.MaxBytes, open.MaxMsgsPerSubject, open.MaxAge = 0, 0, 0, 0
	open.Discard, open.DiscardNewPerSubject, open.AllowMsgTTL = store.DiscardOld, false, false
	open.Sealed, open.DenyDelete, open.DenyPurge, open.MaxConsumers = false, false, false, 0
	st, err := to.Stream(ctx, cfg.Name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if o.needsHold(&open) {
			open.Retention = store.RetentionLimits
		}
		return to.Create(ctx, open)
	case err != nil:
		return nil, err
	}
	have := st.Config()
	if cfg.Retention == store.RetentionInterest && have.Retention == store.RetentionLimits { // it was held
		have.Retention = store.RetentionInterest
	}
	if !sameConfig(have, cfg) && !sameConfig(have, open) {
		return nil, fmt.Errorf("stream %s: %w, with another configuration", cfg.Name, store.ErrExists)
	}
	return st, nil
}

// needsHold says whether a copy with that configuration must keep, until all consumers are there, what only those want that
// are not: with interest retention, a stream that was not closed drops at the next open what no consumer wants.
func (o *origin) needsHold(cfg *store.Config) bool {
	return cfg.Retention == store.RetentionInterest && !cfg.Sealed && len(o.consumers) > 0
}

// hold lets the copy keep everything. It is called before anything of the copy is changed.
func (o *origin) hold(ctx context.Context, to store.Store, st store.Stream) error {
	cfg := st.Config()
	if !o.needsHold(&cfg) {
		return nil
	}
	cfg.Retention = store.RetentionLimits
	return to.Update(ctx, cfg)
}

func sameConfig(a, b store.Config) bool {
	x, errA := json.Marshal(a.WithDefaults())
	y, errB := json.Marshal(b.WithDefaults())
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

// fill stores the messages that st does not have. Those that it has must be the origin's first ones.
func (o *origin) fill(ctx context.Context, to store.Store, st store.Stream, opt Options) (t *tally, resumed int64, err error) {
	have, err := st.State(ctx)
	if err != nil {
		return nil, 0, err
	}
	name := st.Config().Name
	if have.Last > o.last && o.salvage == nil {
		return nil, 0, differs(name, fmt.Sprintf("it goes up to message %d, the original to %d", have.Last, o.last))
	}
	o.last = max(o.last, have.Last)
	c := newComparison(readBatches(ctx, st, 1, have.Last))
	defer c.stop()
	t = newTally()
	for ms, err := range ahead(o.batches) {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return nil, 0, err
		}
		old := sort.Search(len(ms), func(i int) bool { return ms[i].Seq > have.Last })
		for i := range ms[:old] {
			err := o.salvage.passKept(ctx, c, ms[i].Seq, t)
			if err == nil {
				err = c.same(name, &ms[i])
			}
			if err != nil {
				return nil, 0, err
			}
			t.add(&ms[i])
		}
		resumed += int64(old)
		if ms = ms[old:]; len(ms) > 0 {
			if err := o.endOf(ctx, c, name, t); err != nil {
				return nil, 0, err
			}
			if err := o.hold(ctx, to, st); err != nil {
				return nil, 0, err
			}
			if _, err := st.RestoreAll(ctx, ms); err != nil {
				return nil, 0, explainCut(name, have.Last, ms[0].Seq, err)
			}
		}
		for i := range ms {
			t.add(&ms[i])
		}
		opt.progress(t.Messages, o.total)
	}
	err = o.endOf(ctx, c, name, t)
	return t, resumed + o.salvage.many(), err
}

// endOf demands that the copy has no other message of its own.
func (o *origin) endOf(ctx context.Context, c *comparison, name string, t *tally) error {
	if err := o.salvage.passKept(ctx, c, ^store.Seq(0), t); err != nil {
		return err
	}
	return c.end(name)
}

// explainCut says why a sequence that was above the last one is taken: a stream whose machine lost power
// goes on above every sequence that it may have handed out.
func explainCut(name string, last, seq store.Seq, err error) error {
	if last > 0 && errors.Is(err, store.ErrExists) {
		return fmt.Errorf("stream %s was cut off behind message %d by a loss of power, and can't take message %d any more: "+
			"remove the stream and start again: %w", name, last, seq, err)
	}
	return err
}

func differs(name, how string) error {
	return fmt.Errorf("stream %s: %w, and is not a part of this copy: %s", name, store.ErrExists, how)
}

// comparison walks what a copy has already, side by side with its origin.
type comparison struct {
	next func() ([]store.Msg, error, bool)
	stop func()
	msgs []store.Msg
}

func newComparison(batches iter.Seq2[[]store.Msg, error]) *comparison {
	c := &comparison{}
	c.next, c.stop = iter.Pull2(batches)
	return c
}

// peek returns the next message that the copy has, nil if there is none.
func (c *comparison) peek() (*store.Msg, error) {
	for len(c.msgs) == 0 {
		ms, err, ok := c.next()
		if err != nil || !ok {
			return nil, err
		}
		c.msgs = ms
	}
	return &c.msgs[0], nil
}

// same demands that the next message is want.
func (c *comparison) same(name string, want *store.Msg) error {
	got, err := c.peek()
	switch {
	case err != nil:
		return err
	case got == nil || got.Seq > want.Seq:
		return differs(name, fmt.Sprintf("it lacks message %d", want.Seq))
	case got.Seq < want.Seq:
		return differs(name, fmt.Sprintf("it has message %d, which the original does not", got.Seq))
	case got.Time != want.Time || got.Subject != want.Subject || !bytes.Equal(got.Header, want.Header) || !bytes.Equal(got.Data, want.Data):
		return differs(name, fmt.Sprintf("message %d is another one", want.Seq))
	}
	c.msgs = c.msgs[1:]
	return nil
}

// end demands that there is no other message.
func (c *comparison) end(name string) error {
	got, err := c.peek()
	if err == nil && got != nil {
		err = differs(name, fmt.Sprintf("it has message %d, which the original does not", got.Seq))
	}
	return err
}

// finish brings the copy to the origin's end, makes it durable, and compares the counts.
func (o *origin) finish(ctx context.Context, st store.Stream, t *tally) error {
	state, err := st.State(ctx)
	if err == nil && state.Last < o.last {
		err = st.SkipTo(ctx, o.last, o.lastTime)
	}
	if err == nil {
		err = st.Sync(ctx)
	}
	if err == nil {
		state, err = st.State(ctx)
	}
	if err != nil {
		return err
	}
	if state.Live != t.Totals || state.Last != o.last {
		return fmt.Errorf("stream %s: the copy has %d messages of %d bytes up to %d; %d messages of %d bytes up to %d were stored",
			st.Config().Name, state.Live.Messages, state.Live.Payload, state.Last, t.Messages, t.Payload, o.last)
	}
	return nil
}

// verify reads st back and compares it with what was stored.
func verify(ctx context.Context, st store.Stream, want *tally) error {
	got := newTally()
	for ms, err := range readBatches(ctx, st, 1, ^store.Seq(0)) {
		if err != nil {
			return fmt.Errorf("verify stream %s: %w", st.Config().Name, err)
		}
		for i := range ms {
			got.add(&ms[i])
		}
	}
	if got.Totals != want.Totals || got.sum.Sum64() != want.sum.Sum64() {
		return fmt.Errorf("verify stream %s: %w: read back, its checksum over %d messages is %016x; %d messages with %016x were stored",
			st.Config().Name, errVerify, got.Messages, got.sum.Sum64(), want.Messages, want.sum.Sum64())
	}
	return nil
}

var errVerify = errors.New("what was written is not what can be read")
