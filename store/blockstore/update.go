package blockstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// Update implements [store.Store].
func (st *Store) Update(ctx context.Context, cfg store.Config) error {
	return st.configure(ctx, cfg, store.Config.CheckUpdate, true)
}

// Adopt implements [store.Adopter].
func (st *Store) Adopt(ctx context.Context, cfg store.Config) error {
	return st.configure(ctx, cfg, store.Config.CheckAdopt, false)
}

// checkChange says whether a stream in that state may get the configuration to.
type checkChange func(c, to store.Config, state store.State) error

// configure gives a stream another configuration, if check lets it. With sweep, a change of retention removes what no consumer wants.
func (st *Store) configure(ctx context.Context, cfg store.Config, check checkChange, sweep bool) error {
	if err := st.enter(ctx); err != nil {
		return err
	}
	defer st.gate.leave()
	cfg = cfg.WithDefaults().Clone()
	if err := cfg.Check(); err != nil {
		return fmt.Errorf("update stream: %w", err)
	}
	st.originMu.Lock()
	defer st.originMu.Unlock()
	st.mu.Lock()
	err := st.lookAgainLocked(cfg.Name)
	s := st.streams[cfg.Name]
	st.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("update stream %s: %w", cfg.Name, err)
	case s == nil:
		return fmt.Errorf("stream %s: %w", cfg.Name, store.ErrNotFound)
	}
	err = st.checkOrigins(cfg)
	if err == nil && !cfg.SameOrigins(s.Config()) {
		st.links.Stop(s.inc)
		defer st.links.Start(s)
	}
	was := s.config.Load().Retention
	if err == nil {
		err = s.update(cfg, check)
	}
	if err != nil {
		return fmt.Errorf("update stream %s: %w", cfg.Name, err)
	}
	if sweep && cfg.Retention != was {
		if err := s.consumers.Sweep(ctx); err != nil { // the configuration holds, and is on disk
			s.log.Error("messages that no consumer wants could not be removed", "stream", cfg.Name, "cause", err)
		}
	}
	return nil
}

// update puts cfg in place, if check lets it: on disk first.
func (s *Stream) update(cfg store.Config, check checkChange) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	old := s.config.Load()
	if err := check(*old, cfg, s.state(s.cur.Load())); err != nil {
		return err
	}
	if reflect.DeepEqual(*old, cfg) {
		return nil
	}
	if err := s.writeConfigLocked(old, &cfg); err != nil {
		return err
	}
	s.config.Store(&cfg)
	s.setFirstLocked(old, &cfg)
	if err := s.reconsiderLocked(old); err != nil {
		// The configuration holds, and is on disk; what can't be found out now is found out by the next open.
		s.log.Error("limits could not be enforced", "stream", cfg.Name, "cause", err)
	}
	return nil
}

// setFirstLocked lets the sequences begin where cfg says, if old said otherwise and there never was a message.
func (s *Stream) setFirstLocked(old, cfg *store.Config) {
	if cfg.First() == old.First() || s.cur.Load().last >= uint64(old.First()) {
		return
	}
	s.w.next = uint64(cfg.First())
	n := *s.cur.Load()
	n.first, n.last = s.w.next, s.w.next-1
	if n.open {
		n.tail = s.w.view()
	}
	s.publish(&n)
}

// writeConfigLocked replaces the configuration old on disk by cfg. If that fails old is
// there, or the stream is read-only: then nobody knows what the next open finds.
func (s *Stream) writeConfigLocked(old, cfg *store.Config) error {
	name := s.dir + "/config"
	content, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	if err := writeBeside(s.fs, name, s.st.smallFile(record.MagicConfig, s.inc, content)); err != nil {
		return diskError(err)
	}
	err = diskError(putInPlace(s.fs, name))
	if err == nil {
		return nil
	}
	content, jerr := json.Marshal(old)
	now, rerr := readFile(s.fs, name)
	if rerr == nil {
		was, damaged, oerr := s.st.openSmallFile(record.MagicConfig, s.inc, now)
		if oerr != nil || damaged || !bytes.Equal(was, content) {
			rerr = replaceFile(s.fs, name, s.st.smallFile(record.MagicConfig, s.inc, content))
		}
	}
	if rerr = errors.Join(jerr, rerr); rerr != nil {
		return s.failLocked(errors.Join(err, rerr))
	}
	return err
}
