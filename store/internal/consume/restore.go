package consume

import (
	"context"
	"fmt"

	"jsfs/store"
)

// State implements [store.Consumer].
func (c *Consumer) State(ctx context.Context) (store.ConsumerState, error) {
	if err := c.readable(ctx); err != nil {
		return store.ConsumerState{}, err
	}
	return c.record(), nil
}

// RestoreConsumer implements [store.Consumers].
func (s *Set) RestoreConsumer(ctx context.Context, from store.ConsumerState) (store.Consumer, error) {
	r := from.Clone()
	r.Config = r.Config.WithDefaults()
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("restore consumer: %w", err)
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	state, err := s.opt.Stream.State(ctx)
	if err != nil {
		return nil, err
	}
	r.Truncate(state.Last)
	c := s.cur.Load().find(r.Config.Name)
	if c == nil {
		c, err = s.restore(ctx, &r)
	} else {
		err = s.advance(ctx, c, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("restore consumer %s: %w", r.Config.Name, err)
	}
	return c, nil
}

// restore makes the consumer that r tells of. The caller holds admin.
func (s *Set) restore(ctx context.Context, r *store.ConsumerState) (*Consumer, error) {
	if err := s.creatable(r.Config); err != nil {
		return nil, err
	}
	c, err := s.consumerLike(s.lastID+1, r)
	if err == nil {
		err = c.recall(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.lastMade = max(s.lastMade, r.Created)
	return c, s.add(c)
}

// advance lets c, which is there, go on as r tells, durably. If that fails it goes on as it was. The caller holds admin.
func (s *Set) advance(ctx context.Context, c *Consumer, r *store.ConsumerState) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	if err := r.Config.CheckAmong(s.opt.Stream.Config(), s.others(r.Config.Name)); err != nil {
		return err
	}
	n, err := s.consumerLike(c.id, r)
	if err == nil {
		err = n.recall(ctx)
	}
	if err != nil {
		return err
	}
	old := c.cfg.Load()
	was, err := c.exchange(n.memory(), func() error {
		return r.CheckSuccession(&store.ConsumerState{Created: c.created, Deliveries: c.state.Snapshot()})
	})
	if err != nil {
		return err
	}
	if err := c.configure(old, &r.Config); err != nil {
		_, _ = c.exchange(was, func() error { return nil })
		s.planSave()
		return err
	}
	return nil
}
