package blockstore

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// Restore implements [store.Writer].
func (s *Stream) Restore(ctx context.Context, m store.Msg) error {
	_, err := s.RestoreAll(ctx, []store.Msg{m})
	return err
}

// RestoreAll implements [store.Writer].
func (s *Stream) RestoreAll(ctx context.Context, ms []store.Msg) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	n := 0
	err := s.withRoom(ctx, func() error {
		k, err := s.restoreSome(ms[n:])
		n += k
		return err
	})
	return n, err
}

// restoreSome is RestoreAll for who is inside the gate.
func (s *Stream) restoreSome(ms []store.Msg) (int, error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	n, err := s.restoreLocked(ms)
	if n > 0 && s.opt.Sync == SyncAlways {
		if serr := s.syncLocked(); serr != nil {
			return 0, cmp.Or(err, serr) // err is why, if the stream is read-only by now
		}
	}
	s.publishStored()
	_ = s.enforceLocked() // rolls up nothing
	return n, err
}

// restoreLocked writes messages, as many as it can, and returns how many; see writeLocked.
func (s *Stream) restoreLocked(ms []store.Msg) (int, error) {
	before := s.w.flushed
	var err error
	for i := 0; i < len(ms) && err == nil; i++ {
		err = s.encodeRestoredLocked(ms[i:])
		if err == nil && len(s.w.buf) >= writeSize {
			err = s.flushLocked()
		}
	}
	if ferr := s.flushLocked(); ferr != nil {
		err = ferr
	}
	return s.w.flushed - before, err
}

// encodeRestoredLocked is encodeNextLocked for a message that has a sequence, the first one of ms: what lies
// before it is skipped. The others are those that come next.
func (s *Stream) encodeRestoredLocked(ms []store.Msg) error {
	w, m, seq := &s.w, &ms[0], uint64(ms[0].Seq)
	e := store.Entry{Subject: m.Subject, Header: m.Header, Data: m.Data}
	if err := s.config.Load().CheckRestore(&e); err != nil {
		return err
	}
	if err := s.storableLocked(recordSize(&e)); err != nil {
		return err
	}
	if err := s.takeLocked(seq, ms); err != nil {
		return fmt.Errorf("restore of message %d: %w", seq, err)
	}
	if err := s.roomLocked(recordSize(&e) + skipSize); err != nil {
		return err
	}
	if gap := seq - w.coming(); gap > 0 {
		s.encodeSkip(gap, record.SkipUnused, w.time)
	}
	s.encode(&e, seq, max(m.Time, w.time))
	cfg := s.config.Load()
	s.noteRestoredLocked(cfg, &e)
	if cfg.Mirror != nil {
		s.noteUnwantedLocked(cfg, &e)
	}
	return nil
}

// takeLocked sees to it that seq may be handed out, if it was not yet, and those of ms with it.
func (s *Stream) takeLocked(seq uint64, ms []store.Msg) error {
	if s.w.taken(seq) { // before anything is prepared
		return store.ErrExists
	}
	if err := s.prepareLocked(); err != nil {
		return err
	}
	if s.w.taken(seq) {
		return store.ErrExists
	}
	if seq > s.w.state.Mark {
		return s.reserveLocked(max(seq, s.highest(ms)))
	}
	return nil
}

// highest is the highest sequence of the messages that can be restored in this order.
func (s *Stream) highest(ms []store.Msg) (seq uint64) {
	cfg := s.config.Load()
	for i := range ms {
		m := &ms[i]
		if uint64(m.Seq) <= seq || cfg.CheckRestore(&store.Entry{Subject: m.Subject, Header: m.Header, Data: m.Data}) != nil {
			break
		}
		seq = uint64(m.Seq)
	}
	return seq
}

// coming is the sequence that comes behind what is encoded; 0 if the highest one was handed out.
func (w *writer) coming() uint64 { return w.next + uint64(w.made) + w.skipped }

// taken says whether seq was handed out already.
func (w *writer) taken(seq uint64) bool { return w.coming() == 0 || seq < w.coming() }

// SkipTo implements [store.Writer].
func (s *Stream) SkipTo(ctx context.Context, last store.Seq, t int64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.skipToLocked(uint64(last), t); err != nil {
		return fmt.Errorf("skip to sequence %d of stream %s: %w", last, s.config.Load().Name, err)
	}
	if s.opt.Sync == SyncAlways {
		if err := s.syncLocked(); err != nil {
			return err
		}
	}
	s.publishSkippedLocked()
	return nil
}

func (s *Stream) skipToLocked(last uint64, t int64) error {
	w := &s.w
	if s.config.Load().Sealed {
		return store.ErrSealed
	}
	if last == math.MaxUint64 && !w.taken(last) {
		return fmt.Errorf("%w: no sequence number would be left", store.ErrInvalid)
	}
	if err := s.takeLocked(last, nil); err != nil {
		return err
	}
	if err := s.roomLocked(skipSize); err != nil {
		return err
	}
	t = max(t, w.time)
	s.encodeSkip(last-w.coming()+1, record.SkipUnused, t)
	if err := s.flushLocked(); err != nil {
		return err
	}
	w.time = t
	return nil
}

// skipSize is no less than what a skip takes on disk.
const skipSize = 2 * 64

// encodeSkip puts a skip of the next n sequences into the buffer. From then on the stream's last time is t.
func (s *Stream) encodeSkip(n uint64, why byte, t int64) {
	w := &s.w
	ct := record.Control{Kind: record.FlagSkip, Seq: w.coming(), Time: t, Skip: n, Why: why}
	w.buf = w.tail.coder.AppendControl(w.buf, w.end+int64(len(w.buf)), w.synced, &ct)
	w.notes.control(&w.tail.hdr, &ct)
	w.skipped += n
}

// publishSkippedLocked shows that sequences were taken without a message.
func (s *Stream) publishSkippedLocked() {
	w := &s.w
	n := *s.cur.Load()
	if n.live.Messages == 0 {
		n.first = w.next
	}
	n.last, n.lastTime = w.next-1, w.time
	n.tail = w.view()
	s.publish(&n)
}
