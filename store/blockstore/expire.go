package blockstore

import (
	"time"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

// expireLocked removes the messages whose time has come, and plans the next look.
func (s *Stream) expireLocked() {
	cfg, l := s.config.Load(), &s.lim
	if cfg.Sealed || s.w.failed != nil || cfg.MaxAge == 0 && l.ttls.Len() == 0 {
		return
	}
	now := s.opt.Now()
	ok, began := l.clock.Trust(now, time.Now())
	if began {
		s.log.Warn("the clock is far ahead of the last message: nothing expires for an hour", "stream", cfg.Name,
			"clock", time.Unix(0, now).UTC(), "last_message", time.Unix(0, s.cur.Load().lastTime).UTC())
	}
	if ok {
		if err := s.removeExpiredLocked(cfg, now); err != nil && s.w.failed == nil {
			s.log.Warn("messages that expired could not be removed", "stream", cfg.Name, "cause", err)
		}
	}
	s.armLocked(cfg)
}

func (s *Stream) removeExpiredLocked(cfg *store.Config, now int64) error {
	var ranges []store.Range
	l := &s.lim
	due := l.ttls.Due(now)
	for _, seq := range due {
		ranges = append(ranges, store.Range{First: seq, Last: seq})
	}
	aged := l.aged
	if cfg.MaxAge > 0 {
		first, err := s.firstAfter(now - int64(cfg.MaxAge))
		if err != nil {
			l.dueAgain(due, now)
			return err
		}
		from := max(s.cur.Load().first, aged)
		aged = max(aged, first)
		old, err := s.unsparedLocked(cfg, from, aged)
		if err != nil {
			l.dueAgain(due, now)
			return err
		}
		ranges = append(ranges, old...)
	}
	if err := s.discardLocked(ranges); err != nil {
		l.dueAgain(due, now)
		return err
	}
	l.aged = aged
	return nil
}

// dueAgain notes that messages whose time had come at now are still there.
func (l *limiter) dueAgain(due []store.Seq, now int64) {
	for _, seq := range due {
		l.ttls.Add(seq, now-1, 1)
	}
}

// unsparedLocked returns the ranges that cover the live messages from from to before end but for those that no age
// removes.
func (s *Stream) unsparedLocked(cfg *store.Config, from, end uint64) ([]store.Range, error) {
	if from >= end {
		return nil, nil
	}
	if !cfg.AllowMsgTTL {
		return []store.Range{{First: store.Seq(from), Last: store.Seq(end - 1)}}, nil
	}
	var ranges []store.Range
	next := store.Seq(from)
	add := func(end store.Seq) {
		if next < end {
			ranges = append(ranges, store.Range{First: next, Last: end - 1})
		}
	}
	err := s.eachHeader(from, func(_ *view, _ int, m *store.Msg) {
		if m.Seq < store.Seq(end) && policy.TTLOf(m.Header) == policy.Never {
			add(m.Seq)
			next = m.Seq + 1
		}
	})
	add(store.Seq(end))
	return ranges, err
}

// armLocked plans the next look for what has expired, unless one is planned that is early enough.
func (s *Stream) armLocked(cfg *store.Config) {
	l := &s.lim
	if cfg.MaxAge == 0 && l.ttls.Len() == 0 || cfg.Sealed || l.closed || s.opt.ReadOnly || s.w.failed != nil {
		return
	}
	n := s.cur.Load()
	l.ttls.Prune(n.live.Messages, func(seq store.Seq) bool {
		v, i, ok := n.find(uint64(seq))
		return ok && !v.isDeleted(i)
	})
	due, ok := l.ttls.Next()
	if l.timer != nil && (cfg.MaxAge == 0 || l.oldest) && (!ok || l.due <= due) {
		return
	}
	there := false
	if cfg.MaxAge > 0 {
		var t int64
		if t, there = s.oldestFrom(n, l.aged); there {
			if at := policy.After(t, cfg.MaxAge); !ok || at < due {
				due, ok = at, true
			}
		}
	}
	if !ok || l.timer != nil && l.due <= due {
		return
	}
	s.stopLocked()
	l.due, l.oldest = due, there
	s.background.Add(1)
	l.timer = time.AfterFunc(policy.Delay(due, s.opt.Now()), s.expire)
}

// oldestFrom returns the time of the first live message from seq on.
func (s *Stream) oldestFrom(n *snapshot, seq uint64) (ns int64, ok bool) {
	if n.live.Messages == 0 {
		return 0, false
	}
	if seq <= n.first {
		return s.timeOfFirst(n), true
	}
	next := n.nextLive(seq)
	v, i, ok := n.find(next)
	if !ok {
		return 0, false
	}
	if ns, err := s.timeAt(&v, i); err == nil {
		return ns, true
	}
	return v.hdr.Time, true // it is no younger: the look is early
}

// stopLocked forgets the look that is planned.
func (s *Stream) stopLocked() {
	if t := s.lim.timer; t != nil && t.Stop() {
		s.background.Done()
	}
	s.lim.timer = nil
}

// expire is what the timer calls.
func (s *Stream) expire() {
	defer s.background.Done()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.lim.closed {
		return
	}
	s.lim.timer = nil
	s.expireLocked()
}

// beginLimits makes the limits hold for what was found when the stream was opened. Subjects are looked at if it was not
// closed, or all says so: that something came back.
func (s *Stream) beginLimits(all bool) {
	if s.opt.ReadOnly {
		return
	}
	s.finishErasing()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	cfg := s.config.Load()
	last := s.cur.Load().lastTime
	if last == 0 {
		last = s.opt.Now()
	}
	s.lim.clock = policy.NewClock(last, time.Now())
	s.lim.seekTTLs = cfg.AllowMsgTTL
	s.lim.seekOver = (s.w.plan.newBlock || all) && !cfg.Sealed
	s.lim.news = true
	if err := s.enforceLocked(); err != nil {
		s.log.Error("limits could not be enforced", "stream", cfg.Name, "cause", err)
	}
	s.expireLocked()
}
