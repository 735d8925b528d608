package consume

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jsfs/store"
)

// CreateConsumer implements [store.Consumers].
func (s *Set) CreateConsumer(ctx context.Context, cfg store.ConsumerConfig) (store.Consumer, error) {
	cfg = cfg.WithDefaults().Clone()
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("create consumer: %w", err)
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	if err := s.creatable(cfg); err != nil {
		return nil, fmt.Errorf("create consumer %s: %w", cfg.Name, err)
	}
	s.lastMade = max(s.lastMade+1, s.opt.Now())
	c := s.newConsumer(s.lastID+1, cfg, s.lastMade)
	err := c.start(ctx)
	if err == nil {
		err = s.add(c)
	}
	if err != nil {
		return nil, fmt.Errorf("create consumer %s: %w", cfg.Name, err)
	}
	return c, nil
}

// add keeps a new consumer, and adds it to the roster. The caller holds admin.
func (s *Set) add(c *Consumer) error {
	s.lastID++
	if err := c.save(); err != nil {
		if s.opt.Keeper != nil {
			_ = s.opt.Keeper.Remove(c.id) // it must not be there at the next open
		}
		return err
	}
	s.settling.Lock() // what is being removed was not for it
	defer s.settling.Unlock()
	s.cur.Store(s.cur.Load().with(c))
	return nil
}

func (s *Set) creatable(cfg store.ConsumerConfig) error {
	stream, r := s.opt.Stream.Config(), s.cur.Load()
	_, taken := r.broken[cfg.Name]
	switch {
	case s.closed():
		return store.ErrClosed
	case s.opt.ReadOnly:
		return store.ErrReadOnly
	case taken || r.find(cfg.Name) != nil:
		return store.ErrExists
	case stream.MaxConsumers > 0 && s.Len() >= stream.MaxConsumers:
		return fmt.Errorf("stream %s: %w: max_consumers is %d", stream.Name, store.ErrLimit, stream.MaxConsumers)
	}
	return cfg.CheckAmong(stream, s.others(cfg.Name))
}

func (s *Set) closed() bool {
	s.saves.Lock()
	defer s.saves.Unlock()
	return s.saves.closed
}

// others are the configurations of the other consumers.
func (s *Set) others(name string) (out []store.ConsumerConfig) {
	for _, c := range s.cur.Load().consumers {
		if cfg := c.cfg.Load(); cfg.Name != name {
			out = append(out, *cfg)
		}
	}
	return out
}

// UpdateConsumer implements [store.Consumers].
func (s *Set) UpdateConsumer(ctx context.Context, cfg store.ConsumerConfig) error {
	cfg = cfg.WithDefaults().Clone()
	if err := cfg.Check(); err != nil {
		return fmt.Errorf("update consumer: %w", err)
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	c, err := s.find(cfg.Name)
	if err == nil {
		err = s.update(ctx, c, cfg)
	}
	if err != nil {
		return fmt.Errorf("update consumer %s: %w", cfg.Name, err)
	}
	return nil
}

func (s *Set) update(ctx context.Context, c *Consumer, cfg store.ConsumerConfig) error {
	old := c.cfg.Load()
	denied := old.CheckUpdate(cfg)
	if denied != nil && (cfg.Name != old.Name || !c.untouched()) {
		return denied
	}
	if err := cfg.CheckAmong(s.opt.Stream.Config(), s.others(cfg.Name)); err != nil {
		return err
	}
	if s.opt.ReadOnly {
		return store.ErrReadOnly
	}
	if denied != nil {
		if err := c.restart(ctx, old, &cfg); err != nil {
			return err
		}
	} else if err := c.configure(old, &cfg); err != nil {
		return err
	}
	if denied == nil && slices.Equal(old.Filters(), cfg.Filters()) {
		return nil
	}
	if err := s.Sweep(ctx); err != nil {
		s.opt.Logger.Warn("messages that no consumer wants could not be removed", "stream", s.opt.Stream.Config().Name, "cause", err)
	}
	return nil
}

// RemoveConsumer implements [store.Consumers].
func (s *Set) RemoveConsumer(ctx context.Context, name string) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	if s.opt.ReadOnly {
		return fmt.Errorf("remove consumer %s: %w", name, store.ErrReadOnly)
	}
	r := s.cur.Load()
	next := &roster{r.consumers, r.broken}
	if b, ok := r.broken[name]; ok {
		if err := s.opt.Keeper.Remove(b.id); err != nil {
			return fmt.Errorf("remove consumer %s: %w", name, err)
		}
		next.broken = maps.Clone(r.broken)
		delete(next.broken, name)
	} else {
		c, err := s.find(name)
		if err == nil {
			err = c.forget()
		}
		if err != nil {
			return fmt.Errorf("remove consumer %s: %w", name, err)
		}
		next.consumers = slices.DeleteFunc(slices.Clone(r.consumers), func(o *Consumer) bool { return o == c })
		defer c.end()
	}
	s.cur.Store(next)
	if err := s.Sweep(ctx); err != nil {
		return fmt.Errorf("consumer %s is removed, but not what it alone wanted: %w", name, err)
	}
	return nil
}

// find returns the consumer with that name.
func (s *Set) find(name string) (*Consumer, error) {
	r := s.cur.Load()
	if c := r.find(name); c != nil {
		return c, nil
	}
	if b, ok := r.broken[name]; ok {
		return nil, b.err
	}
	return nil, store.ErrNotFound
}

// Consumer implements [store.Consumers].
func (s *Set) Consumer(_ context.Context, name string) (store.Consumer, error) {
	c, err := s.find(name)
	if err == nil && s.closed() {
		err = store.ErrClosed
	}
	if err != nil {
		return nil, fmt.Errorf("consumer %q: %w", name, err)
	}
	return c, nil
}

// ConsumerNames implements [store.Consumers].
func (s *Set) ConsumerNames(context.Context) ([]string, error) {
	if s.closed() {
		return nil, store.ErrClosed
	}
	r := s.cur.Load()
	names := make([]string, 0, s.Len())
	for _, c := range r.consumers {
		names = append(names, c.cfg.Load().Name)
	}
	for name := range r.broken {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names, nil
}
