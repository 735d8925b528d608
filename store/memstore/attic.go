package memstore

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"jsfs/store"
	"jsfs/store/internal/consume"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/watch"
)

// removedStream is a stream that was removed and is kept.
type removedStream struct {
	*stream                  // a copy, which nobody has
	at      int64            // when it was removed
	due     int64            // until when it is kept
	stored  []consume.Stored // its consumers
}

// setAsideLocked keeps what a stream has that is being removed.
func (s *Store) setAsideLocked(st *stream) {
	for _, m := range st.msgs {
		if m.live { // the stream is sealed, or truncated
			st.takeOutLocked(m, false)
		}
	}
	at := s.opt.Now()
	copied := &stream{
		s: s, cfg: st.cfg, inc: st.inc, last: st.last, lastTime: st.lastTime, msgs: st.msgs, bySubject: st.bySubject,
		extents: st.extents, first: st.first, onSubject: map[string]*tally{}, drafts: map[string]*draftFile{},
		origins: st.origins, skipped: st.skipped,
	}
	stored, err := st.consumers.Truncated(math.MaxUint64) // all of it, also of consumers that begin behind the last message
	if err != nil {
		s.opt.Logger.Warn("consumers of a removed stream are lost", "stream", st.cfg.Name, "cause", err)
	}
	s.attic = append(s.attic, removedStream{copied, at, policy.KeptUntil(at, s.opt.KeepDeleted), stored})
}

// inOneGo returns the messages that were removed in one go with the stream.
func (r *removedStream) inOneGo() []*message {
	var gone []*message
	for _, m := range r.msgs {
		if m.removed > 0 && m.due > r.at { // else it may have been forgotten before
			gone = append(gone, m)
		}
	}
	slices.SortStableFunc(gone, func(a, b *message) int { return cmp.Compare(b.removed, a.removed) })
	last := r.at
	for i, m := range gone {
		if m.removed < last-store.OneGo {
			return gone[:i]
		}
		last = min(last, m.removed) // a message that is ahead of the clock makes removals behind it later than now
	}
	return gone
}

// RemovedStreams implements [store.Attic].
func (s *Store) RemovedStreams(context.Context) ([]store.RemovedStream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	var out []store.RemovedStream
	for _, r := range s.attic {
		if r.due <= s.opt.Now() {
			continue
		}
		e := store.RemovedStream{Name: r.cfg.Name, Incarnation: r.inc, Time: r.at}
		for _, m := range r.inOneGo() {
			e.Messages, e.Bytes = e.Messages+1, e.Bytes+m.Size
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b store.RemovedStream) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return out, nil
}

// LoadRemoved implements [store.Attic].
func (s *Store) LoadRemoved(_ context.Context, inc uint64, seq store.Seq, buf []byte) (store.Msg, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.Msg{}, store.ErrClosed
	}
	for _, r := range s.attic {
		if r.inc != inc || r.due <= s.opt.Now() {
			continue
		}
		if m := r.findLocked(seq); m != nil && m.due > s.opt.Now() {
			return m.copyTo(buf), nil
		}
	}
	return store.Msg{}, fmt.Errorf("message %d of removed stream %d: %w", seq, inc, store.ErrNotFound)
}

// Revive implements [store.Attic].
func (s *Store) Revive(ctx context.Context, inc uint64) (store.Stream, error) {
	st, err := s.revive(inc)
	if err == nil {
		err = st.consumers.Begin(ctx, false)
	}
	if err != nil {
		return nil, err
	}
	s.links.Wake(st.cfg.Name)
	s.links.Start(st)
	return st, nil
}

func (s *Store) revive(inc uint64) (*stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	i := slices.IndexFunc(s.attic, func(r removedStream) bool { return r.inc == inc && r.due > s.opt.Now() })
	if i < 0 {
		return nil, fmt.Errorf("removed stream %d: %w", inc, store.ErrNotFound)
	}
	r := s.attic[i]
	if err := r.cfg.CheckOrigins(s.configLocked); err != nil {
		return nil, err
	}
	if s.streams[r.cfg.Name] != nil {
		return nil, fmt.Errorf("stream %s: %w", r.cfg.Name, store.ErrExists)
	}
	consumers := 0
	for _, st := range s.streams {
		consumers += st.consumers.Len()
	}
	if err := s.opt.Limits.CheckRevive(len(s.streams), consumers, len(r.stored)); err != nil {
		return nil, fmt.Errorf("bring back stream %d: %w", inc, err)
	}
	s.attic = slices.Delete(s.attic, i, i+1)
	st := r.stream
	for _, m := range r.inOneGo() {
		m.live = true
		s.removed -= m.space()
		st.countLocked(m)
	}
	st.hub = watch.NewHub(s.hub)
	st.clock = policy.NewClock(cmp.Or(st.lastTime, s.opt.Now()), time.Now())
	st.consumers = st.newConsumers(r.stored...)
	s.streams[st.cfg.Name] = st
	s.hub.Post(st.eventLocked(store.StreamCreated, store.Meta{}))
	st.reconsiderLocked()
	return st, nil
}
