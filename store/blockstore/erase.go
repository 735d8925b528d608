package blockstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// Erase implements [store.Writer]. The removal is on disk before the first byte is overwritten; when Erase returns, the
// zeros are, whatever the sync policy; see eraseCopies for what the stream was before it was truncated. Files that were copied from the store before, and what the medium or the
// file system below keeps of overwritten bytes, are out of its reach.
func (s *Stream) Erase(ctx context.Context, seq store.Seq) (bool, error) {
	if err := s.erasable(ctx, seq); err != nil {
		return false, err
	}
	if err := s.eraseCopies(ctx, seq); err != nil {
		return false, fmt.Errorf("erase message %d: %w", seq, err)
	}
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.gate.leave()
	return s.eraseStored(seq)
}

// erasable returns why the message can't be erased, nil if it can as far as is known without a look at it.
func (s *Stream) erasable(ctx context.Context, seq store.Seq) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	return s.removableLocked(seq)
}

// eraseStored erases a message that the stream has. The caller is inside the gate, or nobody else has the stream.
func (s *Stream) eraseStored(seq store.Seq) (bool, error) {
	// A block that is being written anew may have the message.
	s.wanted.Add(1)
	s.reclaimMu.Lock()
	s.wanted.Add(-1)
	defer s.reclaimMu.Unlock()
	if err := s.oneFileEach(); err != nil {
		return false, fmt.Errorf("erase message %d: %w", seq, err)
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.removableLocked(seq); err != nil {
		return false, err
	}
	v, i, ok := s.cur.Load().find(uint64(seq))
	if !ok {
		if err := s.missing(uint64(seq)); !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		return false, nil
	}
	if err := s.placeControlLocked(); err != nil { // it may seal the message's block
		return false, err
	}
	e, err := s.newErasureLocked(s.cur.Load().viewOf(v.block), i)
	if err != nil {
		return false, fmt.Errorf("erase message %d: %w", seq, err)
	}
	if e.done {
		return false, nil
	}
	if err := s.eraseLocked(e); err != nil {
		return false, fmt.Errorf("erase message %d: %w", seq, err)
	}
	return e.live, nil
}

// erasure is the erasing of one message.
type erasure struct {
	v    view
	i    int
	off  int64
	h    record.Head
	head [record.MaxHead]byte // as it stands in the file
	file vfs.File             // of the block; the cache may close it
	live bool                 // it was not removed before
	done bool                 // it was erased before
	// names says that the footer's names must go, too: one of them is the message's alone, or may be.
	names bool
	// bare says that the block has no names of subjects in a footer: they went before, or there is none.
	bare bool
}

// newErasureLocked looks at message i of v, which is to be erased.
func (s *Stream) newErasureLocked(v view, i int) (*erasure, error) {
	e := &erasure{v: v, i: i, live: !v.isDeleted(i)}
	off, end, err := s.extent(&v, i)
	if err != nil {
		return nil, err
	}
	e.off = off
	seq := v.seqOf(i)
	if e.h, err = s.headAt(&v, e.head[:min(record.MaxHead, end-off)], off, end-off, seq); err != nil {
		return nil, err
	}
	if e.h.Size > end-off {
		return nil, s.corrupt(v.block, off, end-off, seq, errOverrun)
	}
	if !e.live && s.erasing.Load() != seq {
		if e.done, err = s.isErased(&v, &e.h, off); err != nil || e.done {
			return e, err
		}
	}
	if e.bare, err = s.lacksNames(&v); err != nil {
		return nil, err
	}
	if !e.bare {
		if e.names, err = s.ownsName(&v, i); err != nil {
			return nil, err
		}
	}
	e.file, err = s.cache.open(v.block)
	return e, err
}

// erasedProbe is how much of a body is looked at to know whether it was erased. What is overwritten in part only is known
// otherwise.
const erasedProbe = 64

// isErased says whether the record at off of v, whose message was removed, was erased.
func (s *Stream) isErased(v *view, h *record.Head, off int64) (bool, error) {
	begin, size := h.Body(off)
	b := make([]byte, min(size, erasedProbe))
	if err := s.readAt(v.block, b, begin); err != nil {
		return false, err
	}
	return record.AllZero(b), nil
}

// lacksNames says whether v has no names of subjects in a footer.
func (s *Stream) lacksNames(v *view) (bool, error) {
	if v.trailer == nil {
		return true, nil
	}
	off, size := v.trailer.Place(record.Subjects)
	b := make([]byte, min(size, erasedProbe))
	if err := s.readAt(v.block, b, off); err != nil {
		return false, err
	}
	return record.AllZero(b), nil
}

// ownsName says whether message i is the only one of v, which is sealed, on its subject that was not erased; true if that can't
// be found out.
func (s *Stream) ownsName(v *view, i int) (bool, error) {
	m, err := s.load(v, i, nil)
	if isCorrupt(err) || errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	t, err := s.tableOf(v)
	if err != nil {
		return false, err
	}
	entry, ok := t.Find(m.Subject)
	if !ok {
		return true, nil
	}
	for _, p := range []uint32{entry.First, entry.Last} { // most often one of them is enough
		if int(p) != i {
			if kept, err := s.keepsName(v, int(p)); err != nil || kept {
				return false, err
			}
		}
	}
	places := entry.Places(nil)
	for k := range places { // from both ends, as messages are erased in order, if many are
		p := int(places[k/2])
		if k%2 == 1 {
			p = int(places[len(places)-1-k/2])
		}
		if p == i {
			continue
		}
		if kept, err := s.keepsName(v, p); err != nil || kept {
			return false, err
		}
	}
	return true, nil
}

// keepsName says whether message i of v was not erased.
func (s *Stream) keepsName(v *view, i int) (bool, error) {
	if !v.isDeleted(i) {
		return true, nil
	}
	off, _, err := s.extent(v, i)
	if err != nil {
		return false, err
	}
	h, err := s.readHead(v, i)
	if isCorrupt(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	erased, err := s.isErased(v, &h, off)
	return !erased, err
}

// eraseLocked removes the message, durably, and overwrites it. After an error behind the first step the stream is read-only, and
// opening it erases the message.
func (s *Stream) eraseLocked(e *erasure) error {
	// What stands before the control must not be taken for a torn tail because the message was overwritten in part.
	if err := s.syncLocked(); err != nil {
		return err
	}
	m := e.h.Meta()
	ct := record.Control{Kind: record.FlagRemove, Seq: s.w.next, Discard: true, Erase: true}
	ct.Ranges = []record.Range{{First: e.h.Seq, Count: 1}}
	if e.live {
		ct.Ranges[0].Sums = totals(m)
	}
	if err := s.writeControlLocked(&ct); err != nil {
		return err
	}
	if err := s.syncLocked(); err != nil {
		return err
	}
	if e.live {
		s.publishRemovedLocked(e.v.block, e.i, m, ct.Time, s.keepUntil(ct.Time, true))
	}
	e.v.forget(e.i, e.i+1)
	s.lastSubject.Store(nil)
	if s.lim.ids != nil {
		s.lim.ids.Erase(m.Seq)
	}
	if err := s.overwriteLocked(e); err != nil || e.live {
		return err
	}
	n := *s.cur.Load()
	n.rev++
	s.publish(&n)
	s.post(store.Erased, n.rev, m)
	return nil
}

// overwriteLocked puts zeros where a removed message's bytes are, and its name if it has to go, and syncs them.
func (s *Stream) overwriteLocked(e *erasure) error {
	s.erasing.Store(e.h.Seq)
	if s.w.tail == e.v.block {
		s.w.notes.drop() // they have the message's subject
	}
	err := e.overwriteAll()
	if isClosed(err) { // others wanted room for their files
		if e.file, err = s.fs.Open(e.v.name); err == nil {
			err = errors.Join(e.overwriteAll(), e.file.Close())
		}
	}
	s.ahead.forget()
	if err != nil {
		return s.failLocked(fmt.Errorf("overwrite %s: %w", e.v.name, err))
	}
	s.erasing.Store(0)
	if e.names || e.bare { // what is in memory may have the message's name
		s.cache.forgetTable(e.v.block)
	}
	return nil
}

// overwriteAll puts zeros where the message is, and its name if it has to go, and syncs them.
func (e *erasure) overwriteAll() error {
	err := e.overwrite()
	if err == nil && e.names {
		off, size := e.v.trailer.Place(record.Subjects)
		err = writeZeros(e.file, off, int64(size))
	}
	if err == nil {
		err = e.file.Sync()
	}
	return err
}

// overwrite puts zeros into the body of the record, and the sum behind it that it has then.
func (e *erasure) overwrite() error {
	sum := e.v.coder.ErasedSum(&e.h, e.head[:], e.off)
	begin, size := e.h.Body(e.off)
	if size <= keepBuffer {
		_, err := e.file.WriteAt(append(make([]byte, size, size+int64(len(sum))), sum...), begin)
		return err
	}
	if err := writeZeros(e.file, begin, size); err != nil {
		return err
	}
	_, err := e.file.WriteAt(sum, begin+size)
	return err
}

// writeZeros puts n zeros at off.
func writeZeros(w io.WriterAt, off, n int64) error {
	b := make([]byte, min(n, writeSize))
	for n > 0 {
		k := min(n, int64(len(b)))
		if _, err := w.WriteAt(b[:k], off); err != nil {
			return err
		}
		off, n = off+k, n-k
	}
	return nil
}

// wasErased says whether message i of v, whose record rec could not be opened, was erased: it is none that anybody looks for. With an
// error nobody knows.
func (s *Stream) wasErased(v *view, i int, h *record.Head, rec []byte, off int64) (bool, error) {
	if !v.isDeleted(i) {
		return false, nil
	}
	if s.erasing.Load() == h.Seq {
		return true, nil
	}
	// It may have been overwritten while it was read. It is read again: what overwrites it would have been seen.
	if err := s.readAt(v.block, rec, off); err != nil {
		return false, err
	}
	return v.coder.Check(rec, off) == nil && h.Erased(rec), nil
}

// erasingIn says whether a message of v may be overwritten in part.
func (s *Stream) erasingIn(v *view) bool {
	seq := s.erasing.Load()
	if seq == 0 {
		return false
	}
	_, exact := v.place(seq)
	return exact
}

// finishErasing overwrites the message again that a crash may have left in part.
func (s *Stream) finishErasing() {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	seq := s.erasing.Load()
	if seq == 0 || s.opt.ReadOnly {
		return
	}
	v, i, ok := s.cur.Load().find(seq)
	if !ok || !v.isDeleted(i) {
		s.erasing.Store(0)
		return
	}
	e, err := s.newErasureLocked(v, i)
	if isCorrupt(err) {
		return
	}
	if err == nil {
		e.names = v.trailer != nil
		err = s.overwriteLocked(e)
	}
	if err != nil {
		s.log.Error("message could not be erased to its end", "stream", s.config.Load().Name, "seq", seq,
			"cause", s.failLocked(err))
	}
}
