package memstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jsfs/store"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/watch"
	"jsfs/store/replicate"
)

// Truncate implements [store.Store].
func (s *Store) Truncate(ctx context.Context, name string, last store.Seq) (store.Stream, error) {
	s.updating.Lock()
	defer s.updating.Unlock()
	old, st, err := s.truncate(name, last)
	if err == nil && old != st {
		err = errors.Join(old.consumers.Close(), st.consumers.Begin(ctx, false))
	}
	if err != nil {
		return nil, fmt.Errorf("truncate stream %s: %w", name, err)
	}
	s.links.Wake(name)
	s.links.Start(st)
	return st, nil
}

// truncate returns the stream before and after, which are the same if there is nothing to do.
func (s *Store) truncate(name string, last store.Seq) (old, st *stream, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, err = s.findLocked(name); err != nil {
		return nil, nil, err
	}
	if err := old.cfg.CheckRemoveAll(); err != nil {
		return nil, nil, err
	}
	last = max(last, old.cfg.First()-1)
	switch {
	case last > old.last:
		return nil, nil, fmt.Errorf("sequence %d: %w, which is %d", last, store.ErrBeyond, old.last)
	case last == old.last:
		return old, old, nil
	}
	kept, err := old.consumers.Truncated(last)
	if err != nil {
		return nil, nil, err
	}
	s.lastInc++
	st = &stream{
		s: s, cfg: old.cfg, inc: s.lastInc, hub: watch.NewHub(s.hub), last: last,
		origins:   replicate.PositionsUpTo(old.origins, &old.cfg, last),
		bySubject: map[string][]*message{}, onSubject: map[string]*tally{}, drafts: map[string]*draftFile{},
	}
	st.clock = policy.NewClock(s.opt.Now(), time.Now())
	st.consumers = st.newConsumers(kept...)
	st.takeLocked(old)
	st.takeDraftsLocked(old)
	s.setAsideLocked(old)
	old.endLocked()
	s.streams[name] = st
	s.hub.Post(st.eventLocked(store.StreamCreated, store.Meta{}))
	st.reconsiderLocked()
	s.makeRoomLocked(0)
	return old, st, nil
}

// takeLocked copies from old what stays of it.
func (st *stream) takeLocked(old *stream) {
	for _, r := range old.skipped {
		if r.First <= st.last {
			r.Last = min(r.Last, st.last)
			st.skipped = append(st.skipped, r)
		}
	}
	for _, m := range old.msgs {
		if m.Seq > st.last {
			break
		}
		m = m.clone()
		st.s.used += m.space()
		if !m.live {
			st.s.removed += m.space()
		}
		m.at = len(st.msgs)
		st.msgs = append(st.msgs, m)
		st.bySubject[m.Subject] = append(st.bySubject[m.Subject], m)
		if m.erased {
			m.Time = st.lastTime // what it was is not known any more: the times of what follows may be before it
		}
		st.lastTime = m.Time
		if m.live {
			st.countLocked(m)
		} else if i := m.at / extentLen; i == len(st.extents) {
			st.extents = append(st.extents, store.Totals{})
		}
	}
}

// takeDraftsLocked takes over the drafts of old. Who has one of them open can't go on with it.
func (st *stream) takeDraftsLocked(old *stream) {
	for name, f := range old.drafts {
		st.drafts[name] = &draftFile{data: f.data, modTime: f.modTime, named: true}
		*f = draftFile{opens: f.opens, moved: true}
	}
}

// endLocked makes a stream one that the store has no more, and tells of it.
func (st *stream) endLocked() {
	st.gone, st.msgs, st.bySubject, st.drafts, st.policies = true, nil, nil, nil, policies{timer: st.timer}
	st.stopLocked()
	st.s.links.Drop(st.inc)
	st.postLocked(store.StreamRemoved, store.Meta{})
	st.hub.Close()
}
