package blockstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"jsfs/store"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/record"
)

// Remove implements [store.Writer]. The removal survives the end of the process; it is on
// disk with the next sync, which comes by itself unless the policy is SyncNever.
func (s *Stream) Remove(ctx context.Context, seq store.Seq) (bool, error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.gate.leave()
	for {
		live, err := s.removeSeq(seq)
		if !s.roomForRemovals(ctx, err) {
			return live, err
		}
	}
}

// removeSeq is Remove for who is inside the gate.
func (s *Stream) removeSeq(seq store.Seq) (bool, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.removableLocked(seq); err != nil {
		return false, err
	}
	return s.removeOneLocked(uint64(seq), false)
}

// removeOneLocked removes message seq, and says whether it was live. discard is as in removeLocked.
func (s *Stream) removeOneLocked(seq uint64, discard bool) (bool, error) {
	v, i, ok := s.cur.latest().find(seq)
	if !ok || v.isDeleted(i) {
		return false, nil
	}
	h, err := s.headLocked(&v, i)
	if isCorrupt(err) {
		return false, nil // it is not live: it has no entry
	}
	if err != nil {
		return false, err
	}
	m := h.Meta()
	discard = discard && !s.opt.KeepLimits
	at, err := s.changeLocked(record.FlagRemove, m, discard)
	if err != nil {
		return false, err
	}
	s.publishRemovedLocked(v.block, i, m, at, s.keepUntil(at, discard))
	return true, nil
}

// publishRemovedLocked shows that message i of b, which is m, is gone since the time at and kept until due, and tells of it.
func (s *Stream) publishRemovedLocked(b *block, i int, m store.Meta, at, due int64) {
	v, sums := s.cur.latest().viewOf(b), totals(m)
	v.keepRange(i, i+1, at, due, s.opt.Now)
	s.smu.Lock()
	b.live = b.live.Minus(sums)
	n := s.cur.begin()
	v.setDeleted(i, v.count, true)
	if n.first == uint64(m.Seq) {
		n.first = n.nextLive(n.first)
	}
	n.rev++
	n.live = n.live.Minus(sums)
	rev := n.rev
	s.cur.end()
	s.smu.Unlock()
	s.checkInvariants()
	if s.subjects.listening() {
		s.unindexOne(v, i)
	}
	s.post(store.Deleted, rev, m)
}

// unindexOne is unindex for one message.
func (s *Stream) unindexOne(v view, i int) {
	s.unindex(&v, func(yield func(int, int) bool) { yield(i, i+1) })
}

func (s *Stream) removableLocked(seq store.Seq) error {
	cfg := s.config.Load()
	if err := cfg.CheckRemove(); err != nil {
		return err
	}
	switch {
	case seq == 0:
		return s.notFound(0)
	case uint64(seq) > s.cur.latest().last:
		return fmt.Errorf("message %d of stream %s: %w", seq, cfg.Name, store.ErrBeyond)
	}
	return s.writableLocked()
}

// Undelete implements [store.Writer].
func (s *Stream) Undelete(ctx context.Context, seq store.Seq) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	cfg := s.config.Load()
	if cfg.Sealed {
		return fmt.Errorf("stream %s: %w", cfg.Name, store.ErrSealed)
	}
	if err := s.writableLocked(); err != nil {
		return err
	}
	v, i, ok := s.cur.Load().find(uint64(seq))
	if !ok {
		return s.missing(uint64(seq))
	}
	if !v.isDeleted(i) {
		return fmt.Errorf("message %d is live: %w", seq, store.ErrExists)
	}
	msg, err := s.load(&v, i, nil)
	if err != nil {
		return err
	}
	m := msg.Meta
	if err := s.undeletableLocked(cfg, &msg); err != nil {
		return err
	}
	if _, err := s.changeLocked(record.FlagUndelete, m, false); err != nil {
		return err
	}
	rev := s.publishUndeletedLocked(v.block, i, m)
	if s.subjects.listening() {
		s.subjects.tell(subjectChange{subjectSeq{msg.Subject, uint64(seq)}, store.Undeleted, nil})
	}
	s.post(store.Undeleted, rev, m)
	s.undeletedLocked(&msg)
	s.consumers.Poke()
	return nil
}

// publishUndeletedLocked shows that message i of b, which is m, is back, and returns the revision with it.
func (s *Stream) publishUndeletedLocked(b *block, i int, m store.Meta) (rev uint64) {
	sums := totals(m)
	s.smu.Lock()
	b.live = b.live.Plus(sums)
	n := s.cur.begin()
	v := n.viewOf(b)
	s.returned.Add(1)
	v.setDeleted(i, v.count, false)
	v.forget(i, i+1)
	n.rev++
	n.live = n.live.Plus(sums)
	n.first = min(n.first, uint64(m.Seq))
	rev = n.rev
	s.cur.end()
	s.smu.Unlock()
	s.checkInvariants()
	return rev
}

// undeletableLocked says whether limits leave m in the stream if it comes back.
func (s *Stream) undeletableLocked(cfg *store.Config, m *store.Msg) error {
	n := int64(0)
	if cfg.MaxMsgsPerSubject > 0 {
		var err error
		if n, err = s.countOnLocked(m.Subject); err != nil {
			return err
		}
	}
	if err := cmp.Or(policy.CheckAge(cfg, m, s.opt.Now()), cfg.CheckUndelete(m.Meta, s.cur.Load().live, n)); err != nil {
		return fmt.Errorf("undelete message %d: %w", m.Seq, err)
	}
	if err := s.consumers.CheckUndelete(cfg.Retention, m.Seq, m.Subject); err != nil {
		return fmt.Errorf("undelete message %d: %w", m.Seq, err)
	}
	return nil
}

func totals(m store.Meta) store.Totals { return store.Totals{}.Add(m) }

// viewOf returns the view of b, which is one of the blocks.
func (n *snapshot) viewOf(b *block) view {
	if n.open && n.tail.block == b {
		return n.tail
	}
	return view{block: b, runs: b.runs, count: int(b.all.Messages), next: b.next, end: b.dataEnd}
}

// changeLocked writes the control that removes m, to be discarded or not, or brings it back, and returns its time.
func (s *Stream) changeLocked(kind byte, m store.Meta, discard bool) (int64, error) {
	if err := s.placeControlLocked(); err != nil {
		return 0, err
	}
	one := [1]record.Range{{First: uint64(m.Seq), Count: 1, Sums: totals(m)}}
	ct := record.Control{Kind: kind, Seq: s.w.next, Ranges: one[:], Discard: discard}
	err := s.writeControlLocked(&ct)
	return ct.Time, err
}

// placeControlLocked sees to it that there is a tail for a control. Sequences may be passed over
// meanwhile. It takes from the reserve if the disk is full.
func (s *Stream) placeControlLocked() error {
	if err := s.withReserve(s.prepareLocked); err != nil {
		return err
	}
	w := &s.w
	if w.file == nil || w.end >= s.opt.BlockSize && w.next != 0 { // a block can't begin behind the last sequence
		// Where there is no room for a new block, the old one grows.
		if err := s.rotateLocked(); err != nil && (w.failed != nil || !errors.Is(err, store.ErrNoSpace)) {
			return err
		}
	}
	if w.file == nil {
		return s.withReserve(s.beginBlockLocked)
	}
	return nil
}

// writeControlLocked writes ct, for which there is a place, with the time that it is now unless it has one. It takes from the
// reserve if the disk is full.
func (s *Stream) writeControlLocked(ct *record.Control) error {
	w := &s.w
	if ct.Time == 0 && !ct.Rewritten {
		ct.Time = max(s.opt.Now(), w.time)
	}
	err := s.withReserve(func() error {
		w.buf = w.tail.coder.AppendControl(w.buf[:0], w.end, w.synced, ct)
		return s.writeTailLocked(w.buf)
	})
	if err == nil {
		w.notes.control(&w.tail.hdr, ct)
		w.notes.flushed()
	}
	if w.buf = w.buf[:0]; cap(w.buf) > keepBuffer {
		w.buf = nil
	}
	return err
}
