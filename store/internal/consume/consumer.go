package consume

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
)

// Consumer delivers the messages of a stream. It implements [store.Consumer].
type Consumer struct {
	// Dependencies and constants, set before the Consumer is shared.
	set     *Set
	id      uint64
	created int64

	cfg     atomic.Pointer[store.ConsumerConfig] // what it points to never changes
	waiting atomic.Int64                         // calls of Next
	turn    chan struct{}                        // has room for one: who put something in delivers, the others wait for it
	poke    chan struct{}                        // has room for one: wakes who has the turn
	gone    chan struct{}                        // closed when the consumer is removed, or the set closed
	ended   sync.Once                            // closes gone

	// saving serialises writing what the consumer remembers.
	saving  sync.Mutex
	removed bool // nothing is kept any more; guarded by saving

	mu     sync.Mutex // a leaf; guards the rest
	state  *State
	resume store.Seq   // up to it only starts are delivered
	starts []store.Seq // each subject's last message up to resume, by sequence, of those that were not delivered
	forgot bool        // starts could not be found yet
	pace   pace
	pruned int64  // when it was looked for open deliveries of messages that are gone
	epoch  uint64 // counts how often the consumer began anew
	rev    uint64 // counts changes of what is kept
	saved  uint64 // the rev that is kept
}

// pace spaces deliveries as the messages were stored.
type pace struct {
	on        bool
	msg, made int64 // time of the last message, and when it was delivered; 0 if there is none
}

// early returns for how long a message of that time must wait.
func (p *pace) early(msg, now int64) time.Duration {
	if !p.on || p.made == 0 {
		return 0
	}
	return time.Duration(p.made + max(msg-p.msg, 0) - now)
}

func (s *Set) newConsumer(id uint64, cfg store.ConsumerConfig, created int64) *Consumer {
	c := &Consumer{
		set: s, id: id, created: created, state: NewState(cfg.AckPolicy, 0), rev: 1,
		turn: make(chan struct{}, 1), poke: make(chan struct{}, 1), gone: make(chan struct{}),
		pace: pace{on: cfg.ReplayPolicy == store.ReplayOriginal},
	}
	c.cfg.Store(&cfg)
	return c
}

// revive makes the consumer that was kept.
func (s *Set) revive(kept Stored) (*Consumer, error) {
	if kept.Err != nil {
		return nil, kept.Err
	}
	r, err := Decode(kept.Content)
	if err != nil {
		return nil, err
	}
	c, err := s.consumerLike(kept.ID, &r)
	if err == nil {
		c.saved = c.rev
	}
	return c, err
}

// consumerLike makes a consumer that is and remembers what r tells; recall has still to be called.
func (s *Set) consumerLike(id uint64, r *store.ConsumerState) (*Consumer, error) {
	c := s.newConsumer(id, r.Config, r.Created)
	c.resume = r.Resume
	return c, c.state.Replace(r.Deliveries)
}

// start finds where a new consumer begins.
func (c *Consumer) start(ctx context.Context) error {
	cfg, st := c.cfg.Load(), c.set.opt.Stream
	state, err := st.State(ctx)
	if err != nil {
		return err
	}
	begin := store.Seq(0) // behind it
	switch cfg.DeliverPolicy {
	case store.DeliverNew:
		begin = state.Last
	case store.DeliverLast:
		m, err := st.Prev(ctx, store.QueryOf(cfg.Filters()), nil)
		switch {
		case errors.Is(err, store.ErrNotFound):
			begin = state.Last
		case err != nil && m.Seq == 0:
			return err
		default:
			begin = m.Seq - 1
		}
	case store.DeliverByStartSequence:
		begin = cfg.OptStartSeq - 1
	case store.DeliverByStartTime:
		seq, err := st.SeekTime(ctx, cfg.OptStartTime.UnixNano())
		if err != nil {
			return err
		}
		begin = seq - 1
	case store.DeliverLastPerSubject:
		c.resume = state.Last
	}
	c.state = NewState(cfg.AckPolicy, begin)
	return c.recall(ctx)
}

// recall finds what a consumer that begins with each subject's last message has still to deliver of these. Until it did, nothing
// new is delivered, and nothing else may deliver meanwhile.
func (c *Consumer) recall(ctx context.Context) error {
	c.mu.Lock()
	at, resume, epoch := c.state.Delivered().Stream, c.resume, c.epoch
	c.forgot = at < resume
	c.mu.Unlock()
	if at >= resume {
		return nil
	}
	starts, err := c.set.opt.Stream.LastSeqs(ctx, c.cfg.Load().Filters(), resume, 0)
	if err != nil {
		return err
	}
	i, _ := slices.BinarySearch(starts, at+1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch {
		c.starts, c.forgot = slices.Clone(starts[i:]), false
	}
	return nil
}

// Config implements [store.Consumer].
func (c *Consumer) Config() store.ConsumerConfig { return c.cfg.Load().Clone() }

// Created implements [store.Consumer].
func (c *Consumer) Created() int64 { return c.created }

// matches says whether the consumer wants messages on a subject.
func (c *Consumer) matches(subject string) bool {
	f := c.cfg.Load().Filters()
	return len(f) == 0 || slices.ContainsFunc(f, func(p string) bool { return store.MatchSubject(p, subject) })
}

// need is whether a consumer needs a message.
type need int

const (
	needless need = iota
	needed
	neededIfMatching // if it matches its filters
)

// needOf says whether message seq is to be delivered, or was and is not acknowledged.
func (c *Consumer) needOf(seq store.Seq) need {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state.IsOpen(seq) || c.state.IsSpent(seq):
		return needed
	case seq <= c.state.Delivered().Stream:
		return needless
	case seq <= c.resume && !c.forgot:
		if _, start := slices.BinarySearch(c.starts, seq); !start {
			return needless
		}
	}
	if cfg := c.cfg.Load(); cfg.FilterSubject == "" && len(cfg.FilterSubjects) == 0 {
		return needed
	}
	return neededIfMatching
}

// needs is needOf for who knows the message's subject.
func (c *Consumer) needs(seq store.Seq, subject string) bool {
	n := c.needOf(seq)
	return n == needed || n == neededIfMatching && c.matches(subject)
}

// wake lets who waits for a message look again.
func (c *Consumer) wake() {
	if c.waiting.Load() == 0 {
		return
	}
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

func (c *Consumer) end() { c.ended.Do(func() { close(c.gone) }) }

// usable returns the error that keeps a call from being served.
func (c *Consumer) usable(ctx context.Context) error {
	select {
	case <-c.gone:
		return c.wrap(store.ErrClosed)
	default:
	}
	if c.set.opt.ReadOnly {
		return c.wrap(store.ErrReadOnly)
	}
	return ctx.Err()
}

// changedLocked counts a change of what is kept.
func (c *Consumer) changedLocked() { c.rev++ }

// recordLocked returns what is to be kept.
func (c *Consumer) recordLocked(cfg *store.ConsumerConfig) ([]byte, error) {
	return Encode(&store.ConsumerState{Config: *cfg, Created: c.created, Resume: c.resume, Deliveries: c.state.Snapshot()})
}

// save keeps what the consumer remembers, if that changed.
func (c *Consumer) save() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	return c.saveAs(c.cfg.Load(), false)
}

// saveAs keeps what the consumer remembers with the configuration cfg. The caller holds saving.
func (c *Consumer) saveAs(cfg *store.ConsumerConfig, always bool) error {
	k := c.set.opt.Keeper
	if k == nil || c.removed || c.set.opt.ReadOnly {
		return nil
	}
	c.mu.Lock()
	rev := c.rev
	if rev == c.saved && !always {
		c.mu.Unlock()
		return nil
	}
	content, err := c.recordLocked(cfg)
	c.mu.Unlock()
	// A message that is acknowledged must not be there again after a crash: nobody would get it any more.
	if err == nil && c.set.opt.Retention() != store.RetentionLimits {
		err = k.Settle()
	}
	if err == nil {
		err = k.Save(c.id, content)
	}
	if err != nil {
		return fmt.Errorf("consumer %s: %w", cfg.Name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved = max(c.saved, rev)
	return nil
}

// configure gives the consumer another configuration, durably. If that fails the next save puts the old one back.
func (c *Consumer) configure(old, cfg *store.ConsumerConfig) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	if err := c.saveAs(cfg, true); err != nil {
		c.mu.Lock()
		c.changedLocked()
		c.mu.Unlock()
		if again := c.saveAs(old, true); again != nil {
			c.set.planSave()
		}
		return err
	}
	c.cfg.Store(cfg)
	c.wake()
	return nil
}

// untouched says whether nothing was ever delivered.
func (c *Consumer) untouched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Delivered().Consumer == 0
}

// restart lets a consumer that has delivered nothing begin anew with another configuration, durably. If that fails it goes on as
// it was.
func (c *Consumer) restart(ctx context.Context, old, cfg *store.ConsumerConfig) error {
	n := c.set.newConsumer(c.id, *cfg, c.created)
	if err := n.start(ctx); err != nil {
		return err
	}
	untouched := func() error {
		if c.state.Delivered().Consumer > 0 {
			return old.CheckUpdate(*cfg) // something was delivered meanwhile
		}
		return nil
	}
	was, err := c.exchange(n.memory(), untouched)
	if err != nil {
		return err
	}
	if err := c.configure(old, cfg); err != nil {
		_, _ = c.exchange(was, untouched)
		c.set.planSave() // what is on disk may be what it would have remembered
		return err
	}
	return nil
}

// memory is what a consumer remembers.
type memory struct {
	state  *State
	resume store.Seq
	starts []store.Seq
	forgot bool
	pace   pace
}

func (c *Consumer) memory() memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	return memory{c.state, c.resume, c.starts, c.forgot, c.pace}
}

// exchange replaces what the consumer remembers, unless may, which is called with mu held, gives an error. It returns what it was.
func (c *Consumer) exchange(m memory, may func() error) (was memory, err error) {
	c.set.settling.Lock()
	defer c.set.settling.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := may(); err != nil {
		return memory{}, err
	}
	was = memory{c.state, c.resume, c.starts, c.forgot, c.pace}
	c.state, c.resume, c.starts, c.forgot, c.pace = m.state, m.resume, m.starts, m.forgot, m.pace
	c.epoch++
	c.changedLocked()
	return was, nil
}

// forget lets nothing be kept any more.
func (c *Consumer) forget() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	if k := c.set.opt.Keeper; k != nil {
		if err := k.Remove(c.id); err != nil {
			c.mu.Lock()
			c.changedLocked() // it may be gone
			c.mu.Unlock()
			c.set.planSave()
			return err
		}
	}
	c.removed = true
	return nil
}
