package blockstore

import (
	"context"
	"errors"
	"fmt"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// RemovedStreams implements [store.Attic].
func (st *Store) RemovedStreams(ctx context.Context) ([]store.RemovedStream, error) {
	if err := st.enter(ctx); err != nil {
		return nil, err
	}
	defer st.gate.leave()
	out, untold, err := st.listRemoved()
	if len(untold) > 0 || st.hasOutdated() {
		st.originMu.Lock() // none comes or is brought back meanwhile, and no message of one is erased
		defer st.originMu.Unlock()
		st.setOutdatedAside()
		if err = st.tellRemoved(ctx); err == nil {
			out, _, err = st.listRemoved()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("removed streams: %w", err)
	}
	return out, nil
}

// listRemoved returns what is told of the removed streams that are kept, and which of them nobody has looked into yet.
func (st *Store) listRemoved() (told []store.RemovedStream, untold []uint64, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	removed, err := st.lookLocked()
	for _, r := range removed {
		switch {
		case !r.isKept(&st.opt, st.opt.Now()):
		case r.told == nil:
			untold = append(untold, r.inc)
		default:
			told = append(told, *r.told)
		}
	}
	return told, untold, err
}

// tellRemoved looks into the removed streams of which nothing is told yet. The caller holds originMu.
func (st *Store) tellRemoved(ctx context.Context) error {
	_, untold, err := st.listRemoved()
	for _, inc := range untold {
		gone := true
		err = st.withRemoved(inc, func(r *removedStream) error {
			gone = false
			told, err := st.tell(ctx, r)
			if err == nil {
				st.mu.Lock()
				r.told = told
				st.mu.Unlock()
			}
			return err
		})
		if err != nil && !gone {
			return fmt.Errorf("removed stream %d: %w", inc, err)
		}
		err = nil
	}
	return err
}

// withRemoved calls f with the removed stream of an incarnation, which stays where it is and what it is meanwhile; it gives
// store.ErrNotFound if none is kept. The caller holds originMu, and not mu, so that others find streams while the disk works.
func (st *Store) withRemoved(inc uint64, f func(*removedStream) error) error {
	st.mu.Lock()
	r, err := st.findRemovedLocked(inc)
	if err == nil {
		r.read++
	}
	st.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		st.mu.Lock()
		r.read--
		st.mu.Unlock()
	}()
	return f(r)
}

// tell reads what is told of a removed stream. One that can't be opened has no messages.
func (st *Store) tell(ctx context.Context, r *removedStream) (*store.RemovedStream, error) {
	s, err := st.openStream(r.dir, r.inc)
	told := &store.RemovedStream{Name: s.config.Load().Name, Incarnation: r.inc, Time: r.at}
	if vfs.IsExhausted(err) {
		return nil, err
	}
	if err != nil {
		return told, nil //nolint:nilerr // bringing it back tells of it
	}
	g, err := s.inOneGo(ctx, r.at)
	if err == nil {
		live := s.cur.Load().live
		told.Messages, told.Bytes = g.n+live.Messages, g.sums.Payload+live.Payload
	}
	s.hub.Close()
	return told, errors.Join(err, s.close())
}

// LoadRemoved implements [store.Attic].
func (st *Store) LoadRemoved(ctx context.Context, inc uint64, seq store.Seq, buf []byte) (store.Msg, error) {
	if err := st.enter(ctx); err != nil {
		return store.Msg{}, err
	}
	defer st.gate.leave()
	st.originMu.Lock() // who was truncated may not be in its place yet
	defer st.originMu.Unlock()
	var m store.Msg
	err := st.withRemoved(inc, func(r *removedStream) (err error) {
		m, err = st.loadRemoved(ctx, r, seq, buf)
		return err
	})
	if err != nil {
		err = fmt.Errorf("message %d of removed stream %d: %w", seq, inc, err)
	}
	return m, err
}

// loadRemoved reads a message of a removed stream.
func (st *Store) loadRemoved(ctx context.Context, r *removedStream, seq store.Seq, buf []byte) (store.Msg, error) {
	s, err := st.openStream(r.dir, r.inc)
	if err != nil {
		return store.Msg{}, err
	}
	defer s.hub.Close()
	m, err := s.Load(ctx, seq, buf)
	if errors.Is(err, store.ErrNotFound) {
		m, err = s.LoadKept(ctx, seq, buf)
	}
	return m, errors.Join(err, s.close())
}
