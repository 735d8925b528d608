package blockstore

import (
	"errors"
	"fmt"
	"math"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
	"jsfs/store/internal/policy"
)

// writing is a decision that is made: what is encoded and not published counts as stored.
type writing struct {
	s   *Stream
	cfg *store.Config
}

// takeEntryLocked encodes e if the stream takes it. dup is not 0 if e is stored already, under that
// sequence.
func (s *Stream) takeEntryLocked(cfg *store.Config, e *store.Entry) (dup store.Seq, err error) {
	if err := cfg.CheckEntry(e); err != nil {
		return 0, err
	}
	var acts policy.Acts
	if len(e.Header) > 0 || !policy.Plain(cfg) {
		if err := s.writableLocked(); err != nil { // what was stored before may be lost
			return 0, err
		}
		if acts, err = policy.Parse(e.Header); err != nil && !e.Sourced {
			return 0, err
		}
		if dup, err := policy.Decide(cfg, e, &acts, writing{s, cfg}); dup > 0 || err != nil {
			s.repeatRollupLocked(dup, acts.Rollup)
			return dup, err
		}
	}
	if err := s.prepareLocked(); err != nil {
		return 0, err
	}
	if err := s.encodeNextLocked(e); err != nil {
		return 0, err
	}
	s.noteLocked(cfg, e, &acts)
	s.noteUnwantedLocked(cfg, e)
	return 0, nil
}

// repeatRollupLocked lets message seq roll up again, which came again: the first time the process may have been
// stopped between storing it and removing what it replaces.
func (s *Stream) repeatRollupLocked(seq store.Seq, kind policy.Rollup) {
	if seq == 0 || kind == "" {
		return
	}
	v, i, ok := s.cur.Load().find(uint64(seq))
	if !ok {
		return // it is not published, and noted
	}
	m, err := s.load(&v, i, nil)
	if err != nil {
		return
	}
	if acts, err := policy.Parse(m.Header); err == nil && acts.Rollup == kind {
		s.lim.rollups = append(s.lim.rollups, rollup{m.Subject, uint64(seq), kind == policy.RollupAll})
	}
}

// settleLocked writes and publishes what is encoded, durably if the policy says so, and removes what goes because of it:
// for a decision that needs to find it.
func (s *Stream) settleLocked() error {
	if len(s.w.metas) == 0 && len(s.lim.rollups) == 0 {
		return nil
	}
	if err := s.flushLocked(); err != nil {
		return err
	}
	if s.opt.Sync == SyncAlways {
		if err := s.syncLocked(); err != nil {
			return err
		}
	}
	s.publishStored()
	if err := s.enforceLocked(); err != nil {
		return fmt.Errorf("what messages replace that are stored could not be removed: %w", errors.Unwrap(err))
	}
	return nil
}

// Live implements [policy.View].
func (d writing) Live() store.Totals {
	return d.s.cur.latest().live.Plus(d.s.w.sums).Plus(d.s.w.unwritten)
}

// Last implements [policy.View].
func (d writing) Last() store.Seq {
	if !d.s.w.ready {
		return store.Seq(d.s.cur.latest().last)
	}
	return store.Seq(d.s.w.coming() - 1)
}

// LastOn implements [policy.View].
func (d writing) LastOn(pattern string) (store.Seq, error) {
	if err := d.s.settleLocked(); err != nil {
		return 0, err
	}
	return d.s.lastOnLocked(pattern)
}

// OnSubject implements [policy.View].
func (d writing) OnSubject(subject string) (int64, store.Meta, error) {
	if err := d.s.settleLocked(); err != nil {
		return 0, store.Meta{}, err
	}
	n, err := d.s.countOnLocked(subject)
	if err != nil || n < d.cfg.MaxMsgsPerSubject {
		return n, store.Meta{}, err
	}
	oldest, err := d.s.oldestOnLocked(subject, 0, 1)
	if err != nil || len(oldest) == 0 {
		return n, store.Meta{}, err
	}
	v, i, err := d.s.locate(uint64(oldest[0].First))
	if err != nil {
		return n, store.Meta{}, err
	}
	h, err := d.s.readHead(&v, i)
	return n, h.Meta(), err
}

// LastID implements [policy.View].
func (d writing) LastID() (string, error) {
	if err := d.s.settleLocked(); err != nil {
		return "", err
	}
	last, err := d.s.lastMatch(bg, subjects.NewFilter(store.Query{}), 1, math.MaxUint64)
	if err != nil || last.seq == 0 {
		return "", err
	}
	m, err := d.s.load(&last.v, last.i, nil)
	if err != nil {
		return "", fmt.Errorf("newest message: %w", err)
	}
	return policy.IDOf(m.Header), nil
}

// Seen implements [policy.View].
func (d writing) Seen(id string) (store.Seq, error) {
	s, now := d.s, max(d.s.opt.Now(), d.s.w.time)
	if s.lim.ids == nil {
		// Nothing that is encoded and not published has an id: it would have come by here.
		if err := s.findIDsLocked(now - int64(d.cfg.DuplicateWindow)); err != nil {
			return 0, err
		}
	}
	return s.lim.ids.Seen(id, now, d.cfg.DuplicateWindow), nil
}
