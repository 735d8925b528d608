package blockstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

// limiter is what the writer keeps for what the configuration and the messages' headers ask for. It is
// guarded by Stream.wmu.
type limiter struct {
	ids  *policy.Window // nil until it is needed: then it is made from the messages
	ttls policy.Deadlines
	aged uint64 // live messages below are too old, and spared

	news    bool     // a message was stored since limits were enforced
	touched []string // subjects that got one since then
	rollups []rollup // that came since then

	seekOver bool // the subjects that have too many are to be found
	seekTTLs bool // the messages with a TTL are to be found

	unwanted []store.Seq // stored since limits were enforced, and no consumer wants them

	clock  policy.Clock
	timer  *time.Timer // of the next look for what has expired; nil if none is planned
	due    int64       // for what it is planned
	oldest bool        // the plan counts with a message that grows old; later ones do so later
	closed bool        // no timer is started any more
}

// rollup is a message that replaces those before it, on its subject or all.
type rollup struct {
	subject string
	seq     uint64
	all     bool
}

// noteLocked takes in that e was encoded, whose headers ask for acts.
func (s *Stream) noteLocked(cfg *store.Config, e *store.Entry, acts *policy.Acts) {
	l, seq := &s.lim, s.w.coming()-1
	if acts.ID != "" && l.ids != nil {
		l.ids.Add(acts.ID, store.Seq(seq), s.w.time)
	}
	if cfg.AllowMsgTTL {
		l.ttls.Add(store.Seq(seq), s.w.time, acts.TTL)
	}
	if acts.Rollup != "" {
		l.rollups = append(l.rollups, rollup{e.Subject, seq, acts.Rollup == policy.RollupAll})
	}
	if cfg.MaxMsgsPerSubject > 0 {
		l.touched = append(l.touched, e.Subject)
	}
}

// noteRestoredLocked is noteLocked for a message that asks for nothing but what is true of it.
func (s *Stream) noteRestoredLocked(cfg *store.Config, e *store.Entry) {
	var acts policy.Acts
	if len(e.Header) > 0 {
		acts = policy.Acts{ID: policy.IDOf(e.Header), TTL: policy.TTLOf(e.Header)}
	}
	s.noteLocked(cfg, e, &acts)
}

// undeletedLocked takes in that a message is back. It may be one whose time has come.
func (s *Stream) undeletedLocked(m *store.Msg) {
	cfg, l := s.config.Load(), &s.lim
	l.aged = min(l.aged, uint64(m.Seq))
	if cfg.AllowMsgTTL {
		l.ttls.Add(m.Seq, m.Time, policy.TTLOf(m.Header))
	}
	s.stopLocked()
	s.armLocked(cfg)
}

// cut takes back what was noted of the messages from seq on, which were not written.
func (l *limiter) cut(seq uint64) {
	if l.ids != nil {
		l.ids.Cut(store.Seq(seq))
	}
	if l.ttls.Len() > 0 {
		l.ttls.Cut(store.Seq(seq))
	}
	l.rollups = slices.DeleteFunc(l.rollups, func(r rollup) bool { return r.seq >= seq })
	l.unwanted = slices.DeleteFunc(l.unwanted, func(n store.Seq) bool { return uint64(n) >= seq })
}

// enforceLocked removes what must go after messages were stored and published: what rollups replace, what is too
// much on a subject, and what is too much at all. What can't be removed now, because the disk is full, is
// tried again after the next store: the messages are stored, and a failed write makes the stream read-only. An error
// says that rollups are still to be done.
func (s *Stream) enforceLocked() error {
	cfg, l := s.config.Load(), &s.lim
	if s.w.failed != nil || !l.news && len(l.rollups) == 0 {
		return nil //nolint:nilerr // who made it fail was told
	}
	l.news = false
	var err error
	if len(l.rollups) > 0 {
		if err = s.rollUpLocked(); err == nil {
			l.rollups = l.rollups[:0]
		}
	}
	unknown := s.seekLocked(cfg)
	if len(l.touched) > 0 && err == nil {
		if err = s.trimSubjectsLocked(cfg); err == nil {
			l.touched = l.touched[:0]
		}
	}
	if err == nil {
		err = s.dropUnwantedLocked()
	}
	if err == nil && s.overLocked(cfg) {
		err = s.trimLocked(cfg)
	}
	s.armLocked(cfg)
	if len(l.rollups) > 0 {
		return &replacesError{err}
	}
	if err = errors.Join(err, unknown); err != nil && s.w.failed == nil {
		s.log.Warn("what is over the limits could not be removed", "stream", cfg.Name, "cause", err)
	}
	return nil
}

// seekLocked finds out what limits need to know of the messages that were there before them. What fails is tried again after the next store.
func (s *Stream) seekLocked(cfg *store.Config) error {
	l := &s.lim
	if l.seekTTLs && cfg.AllowMsgTTL {
		if err := s.findDeadlinesLocked(); err != nil {
			return err
		}
	}
	l.seekTTLs = false
	if l.seekOver && cfg.MaxMsgsPerSubject > 0 {
		if err := s.touchAllLocked(cfg); err != nil {
			return err
		}
	}
	l.seekOver = false
	return nil
}

// leaveLocked removes what limits should have taken away and could not, before the stream is closed. With an error, as also if there is
// what no consumer wants, who opens the stream does it: it must not be taken for clean.
func (s *Stream) leaveLocked() error {
	l := &s.lim
	if s.cur.Load().live.Messages == 0 {
		return nil
	}
	if s.consumers.Unswept() && s.retention() == store.RetentionInterest {
		return errors.New("messages that no consumer wants could not be removed")
	}
	if len(l.touched) == 0 && len(l.unwanted) == 0 && !l.seekOver {
		return nil
	}
	l.news = true
	err := s.enforceLocked()
	if s.w.failed == nil && err == nil && (len(l.touched) > 0 || len(l.unwanted) > 0 || l.seekOver) {
		err = errors.New("what is over the limits could not be removed")
	}
	return err
}

// replacesError says that messages are stored, and what they replace could not be removed.
type replacesError struct{ error }

func (e *replacesError) Error() string {
	return "message is stored, but not what it replaces removed: " + e.error.Error()
}

func (e *replacesError) Unwrap() error { return e.error }

// replaced returns err, which enforceLocked gave, to whoever stored es if one of them replaces others.
func replaced(es []store.Entry, err error) error {
	if err == nil {
		return nil
	}
	for i := range es {
		if acts, perr := policy.Parse(es[i].Header); perr == nil && acts.Rollup != "" {
			return err
		}
	}
	return nil
}

// rollUpAgain removes what messages replace that are stored.
func (s *Stream) rollUpAgain() error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.writableLocked(); err != nil {
		return &replacesError{err}
	}
	return s.enforceLocked()
}

// overLocked says whether the oldest messages must go.
func (s *Stream) overLocked(cfg *store.Config) bool {
	return cfg.Discard == store.DiscardOld && (cfg.MaxMsgs > 0 || cfg.MaxBytes > 0) && cfg.Over(s.cur.latest().live)
}

// trimLocked removes the oldest messages until the stream is within max_msgs and max_bytes.
func (s *Stream) trimLocked(cfg *store.Config) error {
	n, r := s.cur.Load(), s.newRemoval()
	left := n.live
	for i := max(n.blockOf(n.first), 0); i < len(n.blocks) && cfg.Over(left); i++ {
		v := n.view(i)
		if rest := left.Minus(v.block.live); cfg.Over(rest) { // it changes under wmu only
			if err := r.addPart(bg, &v, 0, n.last); err != nil {
				return err
			}
			left = rest
			continue
		}
		for at := v.nextLive(0); at < v.count && cfg.Over(left); at = v.nextLive(at + 1) {
			h, err := s.headLocked(&v, at)
			if isCorrupt(err) {
				continue // it is not live: it has no entry
			}
			if err != nil {
				return err
			}
			r.add(&v, h.Meta())
			left = left.Minus(totals(h.Meta()))
		}
	}
	return s.removeLocked(r, 0, true)
}

// bg is the context of what nobody can cancel.
var bg = context.Background()

// rollUpLocked removes what rollups replace.
func (s *Stream) rollUpLocked() error {
	r := s.newRemoval()
	last := uint64(0) // of the rollups of all
	for _, roll := range s.lim.rollups {
		if roll.all {
			last = max(last, roll.seq)
		}
	}
	if last > 0 {
		if err := r.addRange(bg, 0, last-1); err != nil {
			return err
		}
		if err := s.removeLocked(r, 0, true); err != nil {
			return err
		}
	}
	var ranges []store.Range
	for _, roll := range s.lim.rollups {
		if roll.all || roll.seq <= last {
			continue
		}
		seqs, err := s.oldestOnLocked(roll.subject, roll.seq, all)
		if err != nil {
			return err
		}
		ranges = append(ranges, seqs...)
	}
	err := s.discardLocked(ranges)
	if err == nil && s.opt.Sync == SyncAlways {
		err = s.syncLocked() // it is part of what the writer is told
	}
	return err
}

// trimSubjectsLocked removes the oldest messages of the subjects that have too many.
func (s *Stream) trimSubjectsLocked(cfg *store.Config) error {
	if cfg.MaxMsgsPerSubject <= 0 {
		return nil // the limit was lifted since they were noted
	}
	var ranges []store.Range
	slices.Sort(s.lim.touched)
	for _, subject := range slices.Compact(s.lim.touched) {
		n, err := s.countOnLocked(subject)
		if err != nil {
			return err
		}
		if n <= cfg.MaxMsgsPerSubject {
			continue
		}
		seqs, err := s.oldestOnLocked(subject, 0, n-cfg.MaxMsgsPerSubject)
		if err != nil {
			return err
		}
		ranges = append(ranges, seqs...)
	}
	return s.discardLocked(ranges)
}

// discardLocked removes the live messages in ranges, in one change, as limits do.
func (s *Stream) discardLocked(ranges []store.Range) error {
	switch {
	case len(ranges) == 0:
		return nil
	case len(ranges) == 1 && ranges[0].First == ranges[0].Last: // most often
		_, err := s.removeOneLocked(uint64(ranges[0].First), true)
		return err
	}
	_, err := s.removeRangesLocked(bg, store.MergeRanges(ranges), true)
	return err
}

// reconsiderLocked makes a configuration that replaced old hold for the messages that are there.
func (s *Stream) reconsiderLocked(old *store.Config) error {
	cfg, l := s.config.Load(), &s.lim
	l.ids, l.aged = nil, 0
	l.seekTTLs = l.seekTTLs || cfg.AllowMsgTTL && !old.AllowMsgTTL
	l.seekOver = l.seekOver || lower(cfg.MaxMsgsPerSubject, old.MaxMsgsPerSubject)
	s.stopLocked()
	l.news = true
	err := s.enforceLocked()
	s.expireLocked()
	return err
}

// lower says whether the limit now allows less than was.
func lower(now, was int64) bool { return now > 0 && (was == 0 || now < was) }
