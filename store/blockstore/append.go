package blockstore

import (
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
)

// Append implements [store.Writer].
func (s *Stream) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	if s.opt.Sync == SyncAlways {
		op := newOp([]store.Entry{e})
		s.commit(op)
		return store.Seq(op.last), op.err
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	one := [1]store.Entry{e}
	_, err := s.writeLocked(one[:])
	if err != nil {
		return 0, err
	}
	s.publishStored()
	return store.Seq(s.w.next - 1), nil
}

// AppendAll implements [store.Writer].
func (s *Stream) AppendAll(ctx context.Context, es []store.Entry) (int, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	if s.opt.Sync == SyncAlways {
		op := newOp(es)
		s.commit(op)
		return op.n, op.err
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	n, err := s.writeLocked(es)
	s.publishStored()
	return n, err
}

// writeLocked writes entries, as many as it can, and returns how many. The caller syncs
// where the policy says so, and then publishes them.
func (s *Stream) writeLocked(es []store.Entry) (int, error) {
	cfg, before := s.config.Load(), s.w.flushed
	var err error
	for i := 0; i < len(es) && err == nil; i++ {
		if err = cfg.CheckEntry(es[i]); err == nil {
			err = s.prepareLocked()
		}
		if err == nil {
			err = s.encodeNextLocked(es[i])
		}
		if err == nil && len(s.w.buf) >= writeSize {
			err = s.flushLocked()
		}
	}
	if ferr := s.flushLocked(); err == nil || s.w.failed != nil && ferr != nil {
		err = ferr
	}
	return s.w.flushed - before, err
}

// encodeNextLocked puts e behind what is encoded already; where the block is full it
// writes that and begins a new one.
func (s *Stream) encodeNextLocked(e store.Entry) error {
	w := &s.w
	seq := w.coming()
	if seq == 0 {
		return fmt.Errorf("stream has no sequence number left: %w", store.ErrInvalid)
	}
	if seq > w.state.Mark {
		if err := s.reserveLocked(seq); err != nil {
			return err
		}
	}
	if err := s.roomLocked(recordSize(e)); err != nil {
		return err
	}
	s.encode(e, seq, max(s.opt.Now(), w.time))
	return nil
}

// recordSize is no less than what e takes on disk.
func recordSize(e store.Entry) int64 {
	return int64(record.Overhead + len(e.Subject) + len(e.Header) + len(e.Data))
}

// roomLocked makes sure that n more bytes have a place in the tail: a block takes
// records up to its size, and always one.
func (s *Stream) roomLocked(n int64) error {
	w := &s.w
	if w.file != nil {
		end := w.end + int64(len(w.buf))
		if end+n <= s.opt.BlockSize || end == record.DataStart {
			return nil
		}
		if err := s.flushLocked(); err != nil {
			return err
		}
	}
	return s.rotateLocked()
}

// encode puts the record of e into the buffer.
func (s *Stream) encode(e store.Entry, seq uint64, time int64) {
	w := &s.w
	off := w.end + int64(len(w.buf))
	m := record.Message{
		Seq: seq, Time: time, Durable: w.synced, Subject: e.Subject, Header: e.Header, Data: e.Data,
		JSON: jsonl.Size(store.Seq(seq), e.Subject, e.Header, e.Data), Compress: s.config.Load().Compression == store.CompressionS2,
	}
	w.buf = w.tail.coder.AppendMessage(w.buf, off, &m)
	n := len(e.Data)
	w.metas = append(w.metas, store.Meta{
		Seq: store.Seq(seq), Time: time, Size: int64(n), JSON: m.JSON,
		HasHeader: len(e.Header) > 0, NoNewline: n == 0 || e.Data[n-1] != '\n',
	})
	if k := len(w.offs); k == 0 || w.runs[len(w.runs)-1].Seq+uint64(k)-uint64(w.runs[len(w.runs)-1].Index) != seq {
		w.runs = append(w.runs, record.Run{Seq: seq, Index: uint32(k)})
	}
	w.offs = append(w.offs, uint32(off))
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
	for _, m := range w.metas[len(w.metas)-w.made:] {
		if w.all.Messages == 0 {
			w.first = m.Time
		}
		w.all, w.newest = w.all.Add(m), m.Time
	}
	w.next = w.coming()
	w.flushed += w.made
	w.made, w.skipped = 0, 0
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
	for len(w.runs) > 0 && int(w.runs[len(w.runs)-1].Index) >= len(w.offs) {
		w.runs = w.runs[:len(w.runs)-1]
	}
	w.metas = w.metas[:len(w.metas)-w.made]
	w.made, w.skipped = 0, 0
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
	old := s.cur.Load()
	n := *old
	var sums store.Totals
	for _, m := range w.metas {
		sums = sums.Add(m)
	}
	if n.live.Messages == 0 {
		n.first = uint64(w.metas[0].Seq)
	}
	n.rev += uint64(len(w.metas))
	n.last, n.lastTime = w.next-1, w.time
	n.live, n.appended = n.live.Plus(sums), n.appended.Plus(sums)
	n.tail = w.view()
	s.publish(&n, w.tail, sums)
	if s.subjects.listening() {
		s.subjects.stored(w.tail, w.told)
	}
	if clear(w.told); cap(w.told) > 1<<16 {
		w.told = nil
	}
	w.told = w.told[:0]
	if s.hub.Listening() {
		for i, m := range w.metas {
			s.post(store.Stored, old.rev+uint64(i)+1, m)
		}
	}
	if cap(w.metas) > 1<<16 {
		w.metas = nil
	}
	w.metas = w.metas[:0]
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
