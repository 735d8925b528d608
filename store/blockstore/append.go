package blockstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/jsonl"
)

const (
	// writeSize is how much is gathered before it is written with one call.
	writeSize = 1 << 20
	// keepBuffer is how large the buffer for that may stay.
	keepBuffer = 4 << 20
	// reserveStep is by how much the durable mark runs ahead of the sequences.
	reserveStep = 65536
	// sameTime is how many messages of one call get the time that the first of them came.
	sameTime = 64
)

// Append implements [store.Writer].
func (s *Stream) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	var seq store.Seq
	err := s.withRoom(ctx, func() (err error) {
		seq, err = s.appendOne(e)
		return err
	})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// appendOne is Append for who is inside the gate.
func (s *Stream) appendOne(e store.Entry) (store.Seq, error) {
	if s.opt.Sync == SyncAlways {
		op := newOp([]store.Entry{e})
		s.commit(op)
		return store.Seq(op.last), op.err
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	one := [1]store.Entry{e}
	r := s.writeLocked(one[:])
	if r.err != nil {
		return 0, r.err
	}
	s.publishStored()
	return s.seqOf(&r, 0), replaced(one[:], s.enforceLocked())
}

// AppendAll implements [store.Writer].
func (s *Stream) AppendAll(ctx context.Context, es []store.Entry) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	n := 0
	err := s.withRoom(ctx, func() error {
		k, err := s.appendSome(es[n:])
		n += k
		return err
	})
	return n, err
}

// appendSome is AppendAll for who is inside the gate.
func (s *Stream) appendSome(es []store.Entry) (int, error) {
	if s.opt.Sync == SyncAlways {
		op := newOp(es)
		s.commit(op)
		return op.n, op.err
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	r := s.writeLocked(es)
	s.publishStored()
	err := replaced(es[:r.n], s.enforceLocked())
	if err != nil && r.err != nil {
		return r.n, fmt.Errorf("%w (%v)", r.err, err) //nolint:errorlint // the others are still to be stored
	}
	return r.n, cmp.Or(r.err, err)
}

// written is what became of entries.
type written struct {
	n      int // how many are stored, from the first on
	err    error
	stored int      // how many of the n were stored just now; the others had been before
	dups   []repeat // those others, in order
}

// repeat is an entry that was stored before.
type repeat struct {
	i   int
	seq store.Seq
}

// writeLocked writes entries, as many as it can. The caller syncs where the policy says so, and then
// publishes them.
func (s *Stream) writeLocked(es []store.Entry) (r written) {
	cfg, before, done := s.config.Load(), s.w.flushed, 0
	s.w.fresh = 0
	for ; done < len(es) && r.err == nil; done++ {
		var dup store.Seq
		if dup, r.err = s.takeEntryLocked(cfg, &es[done]); r.err != nil {
			break
		}
		if dup > 0 {
			r.dups = append(r.dups, repeat{done, dup})
		}
		if len(s.w.buf) >= writeSize {
			r.err = s.flushLocked()
		}
	}
	if err := s.flushLocked(); err != nil {
		r.err = err // of the first one that is not stored, which comes before one that was refused
	}
	r.stored = s.w.flushed - before
	r.n = r.stored
	for _, d := range r.dups {
		if d.i > r.n {
			break // what is before it was not written
		}
		r.n++
	}
	return r
}

// seqOf returns the sequence of entry i of those that are stored. It must be called before anything
// else is written.
func (s *Stream) seqOf(r *written, i int) store.Seq {
	at := i
	for _, d := range r.dups {
		if d.i == i {
			return d.seq
		}
		if d.i < i {
			at--
		}
	}
	return store.Seq(s.w.next - uint64(r.stored-at))
}

// encodeNextLocked puts e behind what is encoded already; where the block is full it
// writes that and begins a new one.
func (s *Stream) encodeNextLocked(e *store.Entry) error {
	w := &s.w
	seq := w.coming()
	if seq == 0 {
		return fmt.Errorf("stream has no sequence number left: %w", store.ErrInvalid)
	}
	if err := s.storableLocked(recordSize(e)); err != nil {
		return err
	}
	if seq > w.state.Mark {
		if err := s.reserveLocked(seq); err != nil {
			return err
		}
	}
	if err := s.roomLocked(recordSize(e)); err != nil {
		return err
	}
	if w.fresh == 0 {
		w.now, w.fresh = s.opt.Now(), sameTime
	}
	w.fresh--
	s.encode(e, seq, max(w.now, w.time))
	return nil
}

// recordSize is no less than what e takes on disk.
func recordSize(e *store.Entry) int64 {
	return int64(record.Overhead + len(e.Subject) + len(e.Header) + len(e.Data))
}

// roomLocked makes sure that n more bytes have a place in the tail: a block takes
// records up to its size, and always one.
func (s *Stream) roomLocked(n int64) error {
	if s.hasRoomLocked(n) {
		return nil
	}
	return s.rotateLocked()
}

// hasRoomLocked says whether n more bytes have a place in the tail.
func (s *Stream) hasRoomLocked(n int64) bool {
	end := s.w.end + int64(len(s.w.buf))
	return s.w.file != nil && (end+n <= s.opt.BlockSize || end == record.DataStart)
}

// encode puts the record of e into the buffer.
func (s *Stream) encode(e *store.Entry, seq uint64, time int64) {
	w := &s.w
	off := w.end + int64(len(w.buf))
	m := record.Message{
		Seq: seq, Time: time, Durable: w.synced, Subject: e.Subject, Header: e.Header, Data: e.Data,
		JSON: jsonl.Size(store.Seq(seq), e.Subject, e.Header, e.Data), Compress: s.config.Load().Compression == store.CompressionS2,
		Draft: w.drafted,
	}
	w.buf = w.tail.coder.AppendMessage(w.buf, off, &m)
	n := len(e.Data)
	meta := store.Meta{
		Seq: store.Seq(seq), Time: time, Size: int64(n), JSON: m.JSON,
		HasHeader: len(e.Header) > 0, NoNewline: n == 0 || e.Data[n-1] != '\n',
	}
	w.metas, w.unwritten = append(w.metas, meta), w.unwritten.Add(meta)
	if k := len(w.offs); k == 0 || w.runs[len(w.runs)-1].Seq+uint64(k)-uint64(w.runs[len(w.runs)-1].Index) != seq {
		w.runs = append(w.runs, record.Run{Seq: seq, Index: uint32(k)})
	}
	w.offs = append(w.offs, uint32(off))
	w.notes.message(e.Subject)
	if w.made == 0 {
		w.before = w.time
	}
	w.made++
	w.time = time
	w.told = append(w.told, subjectSeq{e.Subject, seq})
}

// flushLocked writes what is encoded. If that fails, nothing of it was stored.
func (s *Stream) flushLocked() error {
	w := &s.w
	if len(w.buf) == 0 {
		return nil
	}
	if w.failed != nil {
		s.forgetLocked()
		return w.failed
	}
	if err := s.writeTailLocked(w.buf); err != nil {
		s.forgetLocked()
		return err
	}
	if w.made > 0 {
		if w.all.Messages == 0 {
			w.first = w.metas[len(w.metas)-w.made].Time
		}
		w.newest = w.metas[len(w.metas)-1].Time
		w.all, w.sums = w.all.Plus(w.unwritten), w.sums.Plus(w.unwritten)
	}
	w.next = w.coming()
	w.flushed += w.made
	w.made, w.skipped, w.unwritten = 0, 0, store.Totals{}
	w.notes.flushed()
	if cap(w.buf) > keepBuffer {
		w.buf = nil
	}
	w.buf = w.buf[:0]
	return nil
}

// forgetLocked drops what is encoded and was not written.
func (s *Stream) forgetLocked() {
	w := &s.w
	w.offs = w.offs[:len(w.offs)-w.made]
	w.notes.forget(len(w.offs))
	for len(w.runs) > 0 && int(w.runs[len(w.runs)-1].Index) >= len(w.offs) {
		w.runs = w.runs[:len(w.runs)-1]
	}
	w.metas = w.metas[:len(w.metas)-w.made]
	if w.made > 0 {
		w.time = w.before
	}
	w.made, w.skipped, w.unwritten = 0, 0, store.Totals{}
	s.lim.cut(w.next)
	w.buf = w.buf[:0]
	w.told = slices.DeleteFunc(w.told, func(e subjectSeq) bool { return e.seq >= w.next })
}

// writeTailLocked puts b behind the tail's records. A full disk leaves the tail as it was; after any
// other error nobody knows what is there, and the stream is read-only.
func (s *Stream) writeTailLocked(b []byte) error {
	w := &s.w
	_, err := w.file.WriteAt(b, w.end)
	if err == nil {
		w.end += int64(len(b))
		s.grow(int64(len(b)))
		s.planSyncLocked()
		return nil
	}
	if !isNoSpace(err) {
		return s.failLocked(fmt.Errorf("write %s: %w", w.tail.name, err))
	}
	if terr := w.file.Truncate(w.end); terr != nil {
		return s.failLocked(fmt.Errorf("write %s: %w", w.tail.name, errors.Join(err, terr)))
	}
	return fmt.Errorf("write %s: %w", w.tail.name, diskError(err))
}

// failLocked makes the stream read-only because of err, and returns err.
func (s *Stream) failLocked(err error) error {
	if s.w.failed == nil {
		s.w.failed = err
		s.log.Error("stream is read-only until it is reopened", "stream", s.config.Load().Name, "cause", err)
	}
	return err
}

// publishStored shows the messages that were written, and tells of them.
func (s *Stream) publishStored() {
	w := &s.w
	if len(w.metas) == 0 {
		return
	}
	rev := s.publishToldLocked()
	if clear(w.told); cap(w.told) > 1<<16 {
		w.told = nil
	}
	w.told = w.told[:0]
	if s.hub.Listening() {
		for i, m := range w.metas {
			s.post(store.Stored, rev+uint64(i)+1, m)
		}
	}
	if cap(w.metas) > 1<<16 {
		w.metas = nil
	}
	w.metas, w.sums = w.metas[:0], store.Totals{}
	s.lim.news = true
	s.consumers.Poke()
}

// publishToldLocked is publishGrown, and lets the subject index know.
func (s *Stream) publishToldLocked() (rev uint64) {
	x := &s.subjects
	if !x.listening() {
		return s.publishGrown()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.storedLocked(s.w.tail, s.w.told)
	return s.publishGrown()
}

// publishGrown shows the messages that were written, and returns the revision before them.
func (s *Stream) publishGrown() (rev uint64) {
	w := &s.w
	s.smu.Lock()
	w.tail.live = w.tail.live.Plus(w.sums)
	n := s.cur.begin()
	if n.live.Messages == 0 {
		n.first = uint64(w.metas[0].Seq)
	}
	rev = n.rev
	n.rev += uint64(len(w.metas))
	n.last, n.lastTime = w.next-1, w.time
	n.live, n.appended = n.live.Plus(w.sums), n.appended.Plus(w.sums)
	n.tail = w.view()
	s.cur.end()
	s.smu.Unlock()
	s.checkInvariants()
	return rev
}

// view is the tail as the writer has it.
func (w *writer) view() view {
	if w.tail == nil {
		return view{}
	}
	return view{
		block: w.tail, runs: w.runs[:len(w.runs):len(w.runs)], count: len(w.offs), next: w.next,
		end: w.end, tail: w.offs[:len(w.offs):len(w.offs)], known: true,
	}
}
