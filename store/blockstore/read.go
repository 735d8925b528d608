package blockstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"jsfs/store"
	"jsfs/store/internal/record"
)

const (
	// directRead is the most that Load reads at once before it knows the record's length, where its caller
	// has no larger buffer.
	directRead = 64 << 10
	// peekRead is what it reads first of what may be longer.
	peekRead = 512
)

func isClosed(err error) bool { return errors.Is(err, fs.ErrClosed) }

// unexpected turns the end of a file into an error that says it should not be there.
func unexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// isMissing says that an error is about bytes that are not there any more.
func isMissing(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, fs.ErrNotExist)
}

// Load implements [store.Reader].
func (s *Stream) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	if err := s.enter(ctx); err != nil {
		return store.Msg{}, err
	}
	defer s.gate.leave()
	v, i, err := s.locate(uint64(seq))
	if err != nil {
		return store.Msg{}, err
	}
	return s.load(&v, i, buf)
}

// Stat implements [store.Reader].
func (s *Stream) Stat(ctx context.Context, seq store.Seq) (store.Meta, error) {
	if err := s.enter(ctx); err != nil {
		return store.Meta{}, err
	}
	defer s.gate.leave()
	v, i, err := s.locate(uint64(seq))
	if err != nil {
		return store.Meta{}, err
	}
	h, err := s.readHead(&v, i)
	if err != nil {
		return store.Meta{}, err
	}
	return h.Meta(), nil
}

// locate finds the live message seq.
func (s *Stream) locate(seq uint64) (view, int, error) {
	n := s.cur.Load()
	if seq == 0 {
		return view{}, 0, s.notFound(seq)
	}
	if seq > n.last {
		return view{}, 0, fmt.Errorf("message %d of stream %s: %w", seq, s.config.Load().Name, store.ErrBeyond)
	}
	v, i, ok := n.find(seq)
	if !ok {
		return v, 0, s.missing(seq)
	}
	if v.isDeleted(i) {
		return v, 0, s.notFound(seq)
	}
	return v, i, nil
}

// extent returns where message i of v stands, and where what is behind it does.
func (s *Stream) extent(v *view, i int) (off, end int64, err error) {
	offs, err := s.indexOf(v)
	if err != nil {
		return 0, 0, err
	}
	off, end = offs.bounds(v, i)
	return off, end, nil
}

// load reads message i of v.
func (s *Stream) load(v *view, i int, buf []byte) (store.Msg, error) { return s.loadOn(v, i, buf, "") }

// loadOn is load of a message that is likely to be on a subject, which need not be copied then.
func (s *Stream) loadOn(v *view, i int, buf []byte, likely string) (store.Msg, error) {
	off, end, err := s.extent(v, i)
	if err != nil {
		return store.Msg{}, err
	}
	seq := v.seqOf(i)
	size := end - off
	if size > aheadLimit {
		defer s.fetchNext(v, off, end, seq, s.ahead.next.Load(), time.Now())
	}
	if size > int64(max(directRead, cap(buf))) {
		size = peekRead
	}
	rec := sized(buf, int(size))
	h, err := s.headAt(v, rec, off, end-off, seq)
	if err != nil {
		return store.Msg{}, err
	}
	if h.Size > end-off {
		return store.Msg{}, s.corrupt(v.block, off, end-off, seq, errOverrun)
	}
	if h.Size > size {
		rec = sized(buf, int(h.Size))
		if err := s.readAt(v.block, rec, off); err != nil {
			return store.Msg{}, s.readError(v, off, h.Size, seq, err)
		}
	}
	rec = rec[:h.Size]
	subject, header, data, err := v.coder.Open(&h, rec, off)
	if err != nil {
		switch erased, rerr := s.wasErased(v, i, &h, rec, off); {
		case rerr != nil:
			return store.Msg{}, s.readError(v, off, h.Size, seq, rerr)
		case erased:
			return store.Msg{}, s.notFound(seq)
		}
		return store.Msg{}, s.corrupt(v.block, off, h.Size, seq, err)
	}
	m := store.Msg{Meta: h.Meta(), Subject: s.intern(subject, likely), Header: header, Data: data}
	if len(header) == 0 {
		m.Header = nil
	}
	return m, nil
}

var errOverrun = fmt.Errorf("record reaches into the next one: %w", record.ErrBad)

// sized returns n bytes, of buf if it has room for them.
func sized(buf []byte, n int) []byte {
	if cap(buf) >= n {
		return buf[:n]
	}
	return make([]byte, n)
}

// intern returns b as a string: likely if that is the same, and the same string again if it is asked for again.
func (s *Stream) intern(b []byte, likely string) string {
	if likely == string(b) {
		return likely
	}
	if p := s.lastSubject.Load(); p != nil && *p == string(b) {
		return *p
	}
	str := string(b)
	s.lastSubject.Store(&str)
	return str
}

// readHead reads the head of message i of v.
func (s *Stream) readHead(v *view, i int) (record.Head, error) {
	off, end, err := s.extent(v, i)
	if err != nil {
		return record.Head{}, err
	}
	var a [record.MaxHead]byte
	return s.headAt(v, a[:min(record.MaxHead, end-off)], off, end-off, v.seqOf(i))
}

// headLocked is readHead for who holds wmu, which spares the memory.
func (s *Stream) headLocked(v *view, i int) (record.Head, error) {
	off, end, err := s.extent(v, i)
	if err != nil {
		return record.Head{}, err
	}
	return s.headAt(v, s.w.head[:min(record.MaxHead, end-off)], off, end-off, v.seqOf(i))
}

// headAt fills b from off and decodes the head of message seq, which must stand there and takes up to size bytes.
func (s *Stream) headAt(v *view, b []byte, off, size int64, seq uint64) (record.Head, error) {
	if off == 0 {
		return record.Head{}, s.corrupt(v.block, v.end, 0, seq, errNoRecord)
	}
	if err := s.readRecord(v, b, off, size, seq); err != nil {
		return record.Head{}, s.readError(v, off, int64(len(b)), seq, err)
	}
	h, err := v.coder.Head(b, off)
	if record.IsVersion(err) {
		return h, err
	}
	if err == nil && (h.Seq != seq || h.Control()) {
		err = record.ErrBad
	}
	if err != nil {
		return h, s.corrupt(v.block, off, int64(len(b)), seq, err)
	}
	return h, nil
}

var errNoRecord = fmt.Errorf("no record of the message is left: %w", record.ErrBad)

// readError says what a failed read of a message means: bytes that are not there any more are
// damage, other errors may pass.
func (s *Stream) readError(v *view, off, length int64, seq uint64, err error) error {
	if isMissing(err) {
		return s.corrupt(v.block, off, length, seq, err)
	}
	return fmt.Errorf("message %d: %w", seq, err)
}
