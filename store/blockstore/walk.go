package blockstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
	"jsfs/store/internal/record"
)

const (
	walkMetas = 256      // that are read before they are handed out
	walkRead  = 64 << 10 // bytes that are read at once where messages are small
	smallGap  = 8 << 10  // below it a message is small
)

// walk is one Scan.
type walk struct {
	s     *Stream
	q     store.Query
	f     *subjects.Filter
	from  uint64 // what comes next
	done  bool
	metas []walked
	buf   []byte
	off   int64  // of what is in bytes
	bytes []byte // read from the block that read is about
	read  *block
	ahead foresight
}

// walked is a message that was read and is still to be handed out.
type walked struct {
	store.Meta
	b *block
	i int
}

var walks = sync.Pool{New: func() any {
	return &walk{metas: make([]walked, 0, walkMetas), buf: make([]byte, walkRead)}
}}

// Scan implements [store.Reader].
func (s *Stream) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Meta, error] {
	return func(yield func(store.Meta, error) bool) {
		if err := q.Check(); err != nil {
			yield(store.Meta{}, err)
			return
		}
		w := newWalk(s, q)
		defer w.free()
		for !w.done {
			w.forget()
			if err := w.fill(ctx); err != nil {
				yield(store.Meta{}, err)
				return
			}
			for i := range w.metas {
				m := &w.metas[i]
				if s.lives(m.b, m.i, uint64(m.Seq)) && !yield(m.Meta, nil) {
					return
				}
			}
		}
	}
}

// lives says whether message seq, which was found as the i-th of b, is still live. The block may have been replaced meanwhile: then
// it knows nothing of what was removed since.
func (s *Stream) lives(b *block, i int, seq uint64) bool {
	if b.last.Load() == nil {
		return !b.isDeleted(i)
	}
	_, ok := s.cur.Load().at(seq)
	return ok
}

// newWalk begins a walk, which must be freed.
func newWalk(s *Stream, q store.Query) *walk {
	w := walks.Get().(*walk)
	w.s, w.q, w.f, w.from, w.done, w.read = s, q, subjects.NewFilter(q), max(uint64(q.From), 1), false, nil
	w.ahead = foresight{}
	return w
}

// forget drops what was read: who can reach a block that is replaced keeps its space.
func (w *walk) forget() {
	clear(w.metas)
	w.metas = w.metas[:0]
}

func (w *walk) free() {
	w.forget()
	w.s, w.f, w.read, w.bytes, w.q, w.ahead = nil, nil, nil, nil, store.Query{}, foresight{}
	walks.Put(w)
}

// fill reads the next messages, some of them if there are any.
func (w *walk) fill(ctx context.Context) error {
	if err := w.s.enter(ctx); err != nil {
		return err
	}
	defer w.s.gate.leave()
	if !w.f.All {
		if err := w.s.buildSubjects(ctx); err != nil {
			return err
		}
	}
	_, to := w.f.Bounds()
	r := w.s.span(w.f, w.from, to)
	n := w.s.cur.Load()
	w.from, to = max(w.from, r.first), min(r.last, n.last)
	b := max(n.blockOf(w.from), 0)
	for ; b < len(n.blocks) && len(w.metas) == 0; b++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n.blocks[b].hdr.First > to {
			break
		}
		v := n.view(b)
		if err := w.fillBlock(&v, to); err != nil {
			return err
		}
	}
	w.done = len(w.metas) == 0 || w.from > to || w.from == 0
	return nil
}

// fillBlock reads messages of one block, up to sequence to.
func (w *walk) fillBlock(v *view, to uint64) error {
	i, _ := v.place(w.from)
	if i = v.nextLive(i); i >= v.count {
		return nil
	}
	m, err := w.s.matcher(*v, w.f)
	if err != nil {
		return err
	}
	if i = m.next(i); i >= v.count {
		return nil
	}
	offs, err := w.s.indexOf(v)
	if err != nil {
		return err
	}
	for ; i < v.count && len(w.metas) < walkMetas; i = m.next(i + 1) {
		seq := v.seqOf(i)
		if seq > to {
			break
		}
		w.from = seq + 1
		meta, ok, err := w.look(v, offs, i, seq)
		if err != nil {
			return err
		}
		if ok {
			w.metas = append(w.metas, walked{meta, v.block, i})
		}
		if w.ahead.cold {
			w.s.foresee(&w.ahead, v, offs, &m, i, to)
		}
	}
	return nil
}

// look reads the head of message i, and says whether it is there.
func (w *walk) look(v *view, offs offsets, i int, seq uint64) (store.Meta, bool, error) {
	off, end := offs.bounds(v, i)
	b, err := w.bytesAt(v, off, end)
	var h record.Head
	if err == nil {
		h, err = v.coder.Head(b, off)
	}
	if err == nil && (h.Seq != seq || h.Control()) {
		err = record.ErrBad
	}
	if err != nil {
		if off == 0 {
			err = errNoRecord
		}
		return store.Meta{}, false, w.passOver(v, off, end, seq, err)
	}
	return h.Meta(), true, nil
}

// passOver notes a message that can't be told about; other errors than damage end the walk.
func (w *walk) passOver(v *view, off, end int64, seq uint64, err error) error {
	if record.IsVersion(err) {
		return err
	}
	if !errors.Is(err, record.ErrBad) && !errors.Is(err, record.ErrShort) {
		err = w.s.readError(v, off, end-off, seq, err)
		var corrupt *store.CorruptError
		if errors.As(err, &corrupt) {
			return nil
		}
		return err
	}
	_ = w.s.corrupt(v.block, off, end-off, seq, err)
	return nil
}

// bytesAt returns bytes of the block from off on, some way to end or beyond.
func (w *walk) bytesAt(v *view, off, end int64) ([]byte, error) {
	if off < record.DataStart {
		return nil, record.ErrBad
	}
	need := min(end-off, record.MaxHead)
	if w.read == v.block && off >= w.off && off+need <= w.off+int64(len(w.bytes)) {
		b := w.bytes[off-w.off:]
		if end-off > smallGap || int64(len(b)) >= end-off {
			return b, nil
		}
	}
	size := min(v.end-off, walkRead)
	switch {
	case !w.f.All && (w.read != v.block || off > w.off+int64(len(w.bytes))+smallGap):
		size = min(size, record.MaxHead) // there are others between it and the one before
	case end-off > smallGap:
		size = min(size, peekRead)
	}
	w.read, w.off, w.bytes = v.block, off, w.buf[:size]
	if err := w.ahead.read(func() error { return w.s.readAt(v.block, w.bytes, off) }, size <= peekRead); err != nil {
		w.read = nil
		return nil, fmt.Errorf("scan: %w", err)
	}
	return w.bytes, nil
}
