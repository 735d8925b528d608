package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

// Append implements [store.Writer].
func (st *stream) Append(_ context.Context, e store.Entry) (store.Seq, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	defer st.enforceLocked()
	return st.appendLocked(e)
}

// AppendAll implements [store.Writer].
func (st *stream) AppendAll(_ context.Context, es []store.Entry) (int, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	defer st.enforceLocked()
	for i, e := range es {
		if _, err := st.appendLocked(e); err != nil {
			return i, err
		}
	}
	return len(es), st.openLocked()
}

func (st *stream) appendLocked(e store.Entry) (store.Seq, error) {
	if err := st.openLocked(); err != nil {
		return 0, err
	}
	if err := st.cfg.CheckEntry(&e); err != nil {
		return 0, err
	}
	if st.last == math.MaxUint64 {
		return 0, fmt.Errorf("stream %s: %w: no sequence number is left", st.cfg.Name, store.ErrInvalid)
	}
	acts, err := policy.Parse(e.Header)
	if err != nil && !e.Sourced {
		return 0, err
	}
	t := max(st.s.opt.Now(), st.lastTime)
	if dup, err := policy.Decide(&st.cfg, &e, &acts, view{st, t}); dup > 0 || err != nil {
		st.repeatRollupLocked(dup, acts.Rollup)
		return dup, err
	}
	seq := st.last + 1
	if err := st.storeLocked(seq, t, e); err != nil {
		return 0, err
	}
	st.unwantedLocked(seq, e.Subject)
	if acts.Rollup != "" {
		st.rollups = append(st.rollups, rollup{e.Subject, seq, acts.Rollup == policy.RollupAll})
	}
	return seq, nil
}

// Restore implements [store.Writer].
func (st *stream) Restore(_ context.Context, m store.Msg) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	defer st.enforceLocked()
	return st.restoreLocked(m)
}

func (st *stream) restoreLocked(m store.Msg) error {
	if err := st.openLocked(); err != nil {
		return err
	}
	e := store.Entry{Subject: m.Subject, Header: m.Header, Data: m.Data}
	if err := st.cfg.CheckRestore(&e); err != nil {
		return err
	}
	if m.Seq <= st.last {
		return fmt.Errorf("message %d of stream %s: %w", m.Seq, st.cfg.Name, store.ErrExists)
	}
	if err := st.storeLocked(m.Seq, m.Time, e); err != nil {
		return err
	}
	if st.cfg.Mirror != nil {
		st.unwantedLocked(m.Seq, m.Subject)
	}
	return nil
}

// storeLocked stores a message that was checked. A time below the last one is raised to it.
func (st *stream) storeLocked(seq store.Seq, t int64, e store.Entry) error {
	if st.last > 0 {
		t = max(t, st.lastTime)
	}
	m := &message{live: true, at: len(st.msgs), Msg: store.Msg{
		Meta:    metaOf(seq, t, e.Subject, e.Header, e.Data),
		Subject: strings.Clone(e.Subject), Header: bytes.Clone(e.Header), Data: bytes.Clone(e.Data),
	}}
	if err := st.s.takeLocked(m.space()); err != nil {
		return err
	}
	m.at = len(st.msgs) // making room may have moved it
	st.msgs = append(st.msgs, m)
	st.bySubject[m.Subject] = append(st.bySubject[m.Subject], m)
	if seq > st.last+1 {
		st.skipLocked(seq - 1)
	}
	st.last, st.lastTime = seq, t
	st.appended = st.appended.Add(m.Meta)
	st.countLocked(m)
	st.noteLocked(m)
	st.postLocked(store.Stored, m.Meta)
	return nil
}

// skipLocked passes over the sequences up to last.
func (st *stream) skipLocked(last store.Seq) {
	if n := len(st.skipped); n > 0 && st.skipped[n-1].Last == st.last {
		st.skipped[n-1].Last = last
	} else {
		st.skipped = append(st.skipped, store.Range{First: st.last + 1, Last: last})
	}
	st.last = last
}

// countLocked counts in a message that became live.
func (st *stream) countLocked(m *message) {
	i := m.at / extentLen
	if i == len(st.extents) {
		st.extents = append(st.extents, store.Totals{})
	}
	st.extents[i] = st.extents[i].Add(m.Meta)
	st.live = st.live.Add(m.Meta)
	st.first = min(st.first, m.at)
	st.tallyLocked(m)
}

// Remove implements [store.Writer].
func (st *stream) Remove(_ context.Context, seq store.Seq) (bool, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	m, err := st.removableLocked(seq)
	if m == nil || !m.live {
		return false, err
	}
	st.removeLocked(m, false)
	return true, nil
}

// removableLocked returns the message seq, nil if there is nothing left of it, or why it can't be removed.
func (st *stream) removableLocked(seq store.Seq) (*message, error) {
	if err := cmp.Or(st.openLocked(), st.cfg.CheckRemove()); err != nil {
		return nil, err
	}
	switch {
	case seq == 0:
		return nil, fmt.Errorf("message %d of stream %s: %w", seq, st.cfg.Name, store.ErrNotFound)
	case seq > st.last:
		return nil, fmt.Errorf("message %d of stream %s: %w", seq, st.cfg.Name, store.ErrBeyond)
	}
	return st.findLocked(seq), nil
}

// Erase implements [store.Writer].
func (st *stream) Erase(_ context.Context, seq store.Seq) (bool, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	m, err := st.removableLocked(seq)
	if m == nil || m.erased {
		return false, err
	}
	for _, r := range st.s.attic { // what the stream was before it was truncated has the message, too
		if c := r.findLocked(seq); c != nil && r.cfg.Name == st.cfg.Name && !c.erased && c.Meta == m.Meta &&
			c.Subject == m.Subject && bytes.Equal(c.Header, m.Header) && bytes.Equal(c.Data, m.Data) {
			st.s.eraseLocked(c)
		}
	}
	live := m.live
	if live {
		st.removeLocked(m, false)
	}
	st.s.eraseLocked(m)
	if st.ids != nil {
		st.ids.Erase(seq)
	}
	if !live {
		st.postLocked(store.Erased, m.Meta)
	}
	return live, nil
}

// eraseLocked forgets what a removed message had.
func (s *Store) eraseLocked(m *message) {
	s.used -= m.space()
	s.removed -= m.space()
	clear(m.Header)
	clear(m.Data)
	m.Header, m.Data, m.erased, m.due, m.removed = nil, nil, true, math.MinInt64, 0
	s.used += m.space()
	s.removed += m.space()
}

// removeLocked soft-deletes a live message. limit says that a limit, an age or a rollup does it.
func (st *stream) removeLocked(m *message, limit bool) {
	st.takeOutLocked(m, limit)
	st.postLocked(store.Deleted, m.Meta)
}

// takeOutLocked is removeLocked without telling anybody.
func (st *stream) takeOutLocked(m *message, limit bool) {
	m.live = false
	st.keepLocked(m, limit)
	one := store.Totals{}.Add(m.Meta)
	st.live = st.live.Minus(one)
	st.extents[m.at/extentLen] = st.extents[m.at/extentLen].Minus(one)
	if t := st.onSubject[m.Subject]; t.live > 1 {
		t.live--
	} else {
		delete(st.onSubject, m.Subject)
	}
	st.s.removed += m.space()
}

// Undelete implements [store.Writer].
func (st *stream) Undelete(_ context.Context, seq store.Seq) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return err
	}
	m := st.findLocked(seq)
	what := fmt.Sprintf("message %d of stream %s", seq, st.cfg.Name)
	switch {
	case st.cfg.Sealed:
		return fmt.Errorf("%s: %w", what, store.ErrSealed)
	case m == nil, m.erased:
		return fmt.Errorf("%s: %w", what, store.ErrNotFound)
	case m.live:
		return fmt.Errorf("%s: %w", what, store.ErrExists)
	}
	n, _, _ := view{stream: st}.OnSubject(m.Subject)
	if err := cmp.Or(policy.CheckAge(&st.cfg, &m.Msg, st.s.opt.Now()), st.cfg.CheckUndelete(m.Meta, st.live, n)); err != nil {
		return fmt.Errorf("undelete %s: %w", what, err)
	}
	if err := st.consumers.CheckUndelete(st.cfg.Retention, seq, m.Subject); err != nil {
		return fmt.Errorf("undelete %s: %w", what, err)
	}
	m.live = true
	st.s.removed -= m.space()
	st.countLocked(m)
	st.aged = min(st.aged, m.Seq)
	st.deadlineLocked(m)
	st.postLocked(store.Undeleted, m.Meta)
	st.consumers.Poke()
	st.armLocked()
	return nil
}

// Sync implements [store.Writer]: memory is as durable as it gets.
func (st *stream) Sync(context.Context) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	return st.openLocked()
}

// idsSince is the time from which on messages have ids that are still to be remembered.
func (st *stream) idsSince() int64 { return st.s.opt.Now() - int64(st.cfg.DuplicateWindow) }

// isPinned says whether a message must stay for its Nats-Msg-Id.
func (m *message) isPinned(since int64) bool { return m.Time >= since && policy.IDOf(m.Header) != "" }

// forgetLocked drops what was removed and is kept until due at most, unless its Nats-Msg-Id is still to be remembered.
func (st *stream) forgetLocked(due int64) {
	since := st.idsSince()
	over := func(m *message) bool { return !m.live && m.due <= due && !m.isPinned(since) }
	if !slices.ContainsFunc(st.msgs, over) {
		return
	}
	all := st.msgs
	st.msgs, st.extents, st.bySubject = nil, nil, map[string][]*message{}
	st.live, st.first, st.onSubject = store.Totals{}, 0, map[string]*tally{}
	for _, m := range all {
		if over(m) {
			st.s.used -= m.space()
			st.s.removed -= m.space()
			continue
		}
		m.at = len(st.msgs)
		st.msgs = append(st.msgs, m)
		st.bySubject[m.Subject] = append(st.bySubject[m.Subject], m)
		if m.live {
			st.countLocked(m)
		} else if m.at/extentLen == len(st.extents) {
			st.extents = append(st.extents, store.Totals{})
		}
	}
}

func (st *stream) eventLocked(kind store.Kind, m store.Meta) store.Event {
	return store.Event{Kind: kind, Stream: st.cfg.Name, Incarnation: st.inc, Rev: st.rev, Meta: m}
}

// postLocked counts a change and tells of it.
func (st *stream) postLocked(kind store.Kind, m store.Meta) {
	st.rev++
	if st.hub.Listening() {
		st.hub.Post(st.eventLocked(kind, m))
	}
}
