package memstore

import (
	"context"
	"errors"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/consume"
)

func (st *stream) newConsumers(stored ...consume.Stored) *consume.Set {
	return consume.NewSet(consume.Options{
		Stream: st, Retention: st.retention, Discard: st.discard, Now: st.s.opt.Now, Logger: st.s.opt.Logger,
	}, stored)
}

// retention says what becomes of messages that are acknowledged.
func (st *stream) retention() store.Retention {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.cfg.Sealed {
		return store.RetentionLimits
	}
	return st.cfg.Retention
}

// discard removes the live messages in ranges.
func (st *stream) discard(_ context.Context, ranges []store.Range) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return err
	}
	for _, r := range store.MergeRanges(ranges) {
		st.removeRangeLocked(r, true)
	}
	return nil
}

// unwantedLocked notes that a message was stored that no consumer wants, if so.
func (st *stream) unwantedLocked(seq store.Seq, subject string) {
	if st.cfg.Retention == store.RetentionInterest && !st.consumers.Wanted(subject) {
		st.unwanted = append(st.unwanted, seq)
	}
}

// dropUnwantedLocked removes what was noted.
func (st *stream) dropUnwantedLocked() {
	for _, seq := range st.unwanted {
		if m := st.findLocked(seq); m != nil && m.live {
			st.removeLocked(m, true)
		}
	}
	st.unwanted = st.unwanted[:0]
}

// CreateConsumer implements [store.Consumers].
func (st *stream) CreateConsumer(ctx context.Context, cfg store.ConsumerConfig) (store.Consumer, error) {
	if err := st.usable(); err != nil {
		return nil, err
	}
	st.s.making.Lock()
	defer st.s.making.Unlock()
	if err := st.s.roomForConsumer(); err != nil {
		return nil, err
	}
	return st.consumers.CreateConsumer(ctx, cfg)
}

// roomForConsumer returns nil if the store may have one consumer more. The caller holds making.
func (s *Store) roomForConsumer() error {
	have := 0
	for _, c := range s.allConsumers() {
		have += c.Len()
	}
	return s.opt.Limits.CheckConsumer(have)
}

// RestoreConsumer implements [store.Consumers].
func (st *stream) RestoreConsumer(ctx context.Context, from store.ConsumerState) (store.Consumer, error) {
	if err := st.usable(); err != nil {
		return nil, err
	}
	st.s.making.Lock()
	defer st.s.making.Unlock()
	if _, err := st.consumers.Consumer(ctx, from.Config.WithDefaults().Name); errors.Is(err, store.ErrNotFound) {
		if err := st.s.roomForConsumer(); err != nil {
			return nil, err
		}
	}
	return st.consumers.RestoreConsumer(ctx, from)
}

// UpdateConsumer implements [store.Consumers].
func (st *stream) UpdateConsumer(ctx context.Context, cfg store.ConsumerConfig) error {
	if err := st.usable(); err != nil {
		return err
	}
	return st.consumers.UpdateConsumer(ctx, cfg)
}

// RemoveConsumer implements [store.Consumers].
func (st *stream) RemoveConsumer(ctx context.Context, name string) error {
	if err := st.usable(); err != nil {
		return err
	}
	return st.consumers.RemoveConsumer(ctx, name)
}

// Consumer implements [store.Consumers].
func (st *stream) Consumer(ctx context.Context, name string) (store.Consumer, error) {
	return st.consumers.Consumer(ctx, name)
}

// ConsumerNames implements [store.Consumers].
func (st *stream) ConsumerNames(ctx context.Context) ([]string, error) {
	return st.consumers.ConsumerNames(ctx)
}

func (st *stream) usable() error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	return st.openLocked()
}

// allConsumers returns the consumers of every stream.
func (s *Store) allConsumers() []*consume.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*consume.Set
	for _, st := range s.streams {
		out = append(out, st.consumers)
	}
	return slices.Clip(out)
}
