package memstore

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

// policies is what a stream keeps for what its configuration and its messages' headers ask for.
type policies struct {
	ids  *policy.Window // nil until it is needed: then it is made from the messages
	ttls policy.Deadlines
	aged store.Seq // live messages below are too old, and spared

	news    bool     // a message was stored since limits were enforced
	touched []string // subjects that got one since then
	rollups []rollup // that came since then

	unwanted []store.Seq // stored since limits were enforced, and no consumer wants them

	clock policy.Clock
	timer *time.Timer // of the next look for what has expired; nil if none is planned
	due   int64       // for what it is planned
}

// rollup is a message that replaces those before it, on its subject or all.
type rollup struct {
	subject string
	seq     store.Seq
	all     bool
}

// view is the stream as a decision sees it at the time t. A decision about subjects or the newest message
// comes after all that was stored before has had its effects.
type view struct {
	*stream
	t int64
}

func (v view) Live() store.Totals { return v.live }
func (v view) Last() store.Seq    { return v.last }

func (v view) LastOn(pattern string) (store.Seq, error) {
	v.enforceLocked()
	for _, m := range slices.Backward(v.rangeLocked(store.Query{Subject: pattern})) {
		if m.live && store.MatchSubject(pattern, m.Subject) {
			return m.Seq, nil
		}
	}
	return 0, nil
}

func (v view) OnSubject(subject string) (int64, store.Meta, error) {
	v.enforceLocked()
	for m := range v.liveOnLocked(subject) {
		return v.onSubject[subject].live, m.Meta, nil
	}
	return 0, store.Meta{}, nil
}

func (v view) LastID() (string, error) {
	v.enforceLocked()
	for _, m := range slices.Backward(v.msgs) {
		if m.live {
			return policy.IDOf(m.Header), nil
		}
	}
	return "", nil
}

func (v view) Seen(id string) (store.Seq, error) {
	if v.ids == nil {
		v.ids = policy.NewWindow()
		for _, m := range v.msgs {
			v.noteIDLocked(m)
		}
	}
	return v.ids.Seen(id, v.t, v.cfg.DuplicateWindow), nil
}

// repeatRollupLocked lets message seq roll up again, which came again: what was brought back meanwhile goes.
func (st *stream) repeatRollupLocked(seq store.Seq, kind policy.Rollup) {
	m := st.findLocked(seq)
	if m == nil || kind == "" {
		return
	}
	if acts, err := policy.Parse(m.Header); err == nil && acts.Rollup == kind {
		st.rollups = append(st.rollups, rollup{m.Subject, seq, kind == policy.RollupAll})
	}
}

func (st *stream) noteIDLocked(m *message) {
	if id := policy.IDOf(m.Header); id != "" {
		st.ids.Add(id, m.Seq, m.Time)
	}
}

// noteLocked takes a message in that was stored.
func (st *stream) noteLocked(m *message) {
	st.news = true
	if st.ids != nil {
		st.noteIDLocked(m)
	}
	st.deadlineLocked(m)
	if st.cfg.MaxMsgsPerSubject > 0 {
		st.touched = append(st.touched, m.Subject)
	}
}

func (st *stream) deadlineLocked(m *message) {
	if st.cfg.AllowMsgTTL {
		st.ttls.Add(m.Seq, m.Time, policy.TTLOf(m.Header))
	}
}

// tally counts a subject's live messages.
type tally struct {
	live  int64
	first int // no message of the subject below this index in bySubject is live
}

// tallyLocked counts in a message that became live.
func (st *stream) tallyLocked(m *message) {
	t := st.onSubject[m.Subject]
	i, _ := slices.BinarySearchFunc(st.bySubject[m.Subject], m.Seq, func(m *message, seq store.Seq) int { return cmp.Compare(m.Seq, seq) })
	if t == nil {
		t = &tally{first: i}
		st.onSubject[m.Subject] = t
	}
	t.live, t.first = t.live+1, min(t.first, i)
}

// liveOnLocked walks the live messages on a literal subject, in order.
func (st *stream) liveOnLocked(subject string) iter.Seq[*message] {
	return func(yield func(*message) bool) {
		t, among := st.onSubject[subject], st.bySubject[subject]
		if t == nil {
			return
		}
		for !among[t.first].live {
			t.first++
		}
		for _, m := range among[t.first:] {
			if m.live && !yield(m) {
				return
			}
		}
	}
}

// enforceLocked removes what must go after messages were stored: what rollups replace, what is too much on a subject,
// and what is too much at all. Each of the three goes in the order of sequences.
func (st *stream) enforceLocked() {
	if !st.news && len(st.rollups) == 0 {
		return
	}
	st.news = false
	st.consumers.Poke()
	var gone []*message
	for _, r := range st.rollups {
		among := st.liveOnLocked(r.subject)
		if r.all {
			among = st.matchesLocked(store.Query{})
		}
		for m := range among {
			if m.Seq >= r.seq {
				break
			}
			gone = append(gone, m)
		}
	}
	gone = st.removeAllLocked(gone)
	slices.Sort(st.touched)
	for _, subject := range slices.Compact(st.touched) {
		gone = append(gone, st.tooManyLocked(subject)...)
	}
	st.removeAllLocked(gone)
	st.rollups, st.touched = nil, nil
	st.dropUnwantedLocked()
	for st.cfg.Discard == store.DiscardOld && st.cfg.Over(st.live) {
		st.stateLocked() // moves first
		st.removeLocked(st.msgs[st.first], true)
	}
	st.armLocked()
}

// tooManyLocked returns the live messages of a subject that are over its limit: the oldest.
func (st *stream) tooManyLocked(subject string) (gone []*message) {
	for m := range st.liveOnLocked(subject) {
		if st.onSubject[subject].live-int64(len(gone)) <= st.cfg.MaxMsgsPerSubject {
			break
		}
		gone = append(gone, m)
	}
	return gone
}

// removeAllLocked removes live messages, of which some may be named twice, in the order of their
// sequences. It returns gone, emptied.
func (st *stream) removeAllLocked(gone []*message) []*message {
	slices.SortFunc(gone, func(a, b *message) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, m := range slices.Compact(gone) {
		st.removeLocked(m, true)
	}
	return gone[:0]
}

// reconsiderLocked makes a new configuration hold for the messages that are there.
func (st *stream) reconsiderLocked() {
	st.ids, st.ttls, st.aged = nil, policy.Deadlines{}, 0
	for _, m := range st.msgs {
		if m.live {
			st.deadlineLocked(m)
		}
	}
	if st.cfg.MaxMsgsPerSubject > 0 {
		for subject := range st.onSubject {
			st.touched = append(st.touched, subject)
		}
	}
	st.news = true
	st.enforceLocked()
	st.expireLocked()
}

// expireLocked removes the messages whose time has come.
func (st *stream) expireLocked() {
	if st.cfg.Sealed {
		return
	}
	now := st.s.opt.Now()
	if ok, began := st.clock.Trust(now, time.Now()); !ok {
		if began {
			st.s.opt.Logger.Warn("the clock is far ahead: nothing expires for an hour", "stream", st.cfg.Name, "hold", policy.Hold)
		}
		st.armLocked()
		return
	}
	var gone []*message
	for _, seq := range st.ttls.Due(now) {
		if m := st.findLocked(seq); m != nil && m.live {
			gone = append(gone, m)
		}
	}
	if st.cfg.MaxAge > 0 {
		for _, m := range st.msgs[st.indexLocked(st.aged):] {
			if policy.After(m.Time, st.cfg.MaxAge) > now {
				break
			}
			st.aged = m.Seq + 1
			if m.live && !st.sparedLocked(m) {
				gone = append(gone, m)
			}
		}
	}
	st.removeAllLocked(gone)
	st.armLocked()
}

// sparedLocked says whether a message survives max_age.
func (st *stream) sparedLocked(m *message) bool {
	return st.cfg.AllowMsgTTL && policy.TTLOf(m.Header) == policy.Never
}

// dueLocked returns when the next message may expire.
func (st *stream) dueLocked() (ns int64, ok bool) {
	ns, ok = st.ttls.Next()
	if st.cfg.MaxAge > 0 {
		for _, m := range st.msgs[st.indexLocked(max(st.aged, st.stateLocked().First)):] {
			if m.live {
				if at := policy.After(m.Time, st.cfg.MaxAge); !ok || at < ns {
					ns, ok = at, true
				}
				break
			}
		}
	}
	return ns, ok && !st.cfg.Sealed
}

// armLocked plans the next look for what has expired, unless one is planned that is early enough.
func (st *stream) armLocked() {
	if st.cfg.MaxAge == 0 && st.ttls.Len() == 0 || st.s.closed || st.gone {
		return
	}
	st.ttls.Prune(st.live.Messages, func(seq store.Seq) bool {
		m := st.findLocked(seq)
		return m != nil && m.live
	})
	due, ok := st.dueLocked()
	if !ok || st.timer != nil && st.due <= due {
		return
	}
	st.stopLocked()
	st.due = due
	st.timer = time.AfterFunc(policy.Delay(due, st.s.opt.Now()), st.expire)
}

func (st *stream) stopLocked() {
	if st.timer != nil {
		st.timer.Stop()
		st.timer = nil
	}
}

// expire is what the timer calls.
func (st *stream) expire() {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.s.closed || st.gone {
		return
	}
	st.timer = nil
	st.expireLocked()
}
