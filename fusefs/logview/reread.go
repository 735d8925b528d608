package logview

import (
	"context"
	"errors"

	"jsfs/store"
)

// isHidden says whether a message, though it may be live, is not shown in this epoch. It costs
// nothing as long as no message came back.
func (e *epoch) isHidden(seq store.Seq) bool {
	if e.returns.Load() == 0 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return seq <= e.l.last && e.l.isHidden(seq)
}

// anyRun says whether a message from first to last is gone.
func (e *epoch) anyRun(first, last store.Seq) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.l.anyRun(first, last)
}

// startAfter returns where message to begins in the layout of the State rev, if next, or what comes
// after it, begins at start, and nothing between the two is shown.
func (e *epoch) startAfter(ctx context.Context, rev uint64, next store.Seq, start int64, to store.Seq) (int64, error) {
	e.mu.Lock()
	err := e.reachLocked(ctx, rev)
	n, ok := e.l.deadBytes(next, to-1)
	e.mu.Unlock()
	if err != nil || ok {
		return start + n, err
	}
	off, ok, err := e.startOf(ctx, to)
	if err != nil || !ok {
		return start, err
	}
	return off, nil
}

// readAt reads from the layout: messages that are live, and newlines for all else. It
// gives an error, with the bytes before it, if it does not fill p.
func (e *epoch) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		s, err := e.stretchAt(ctx, off+int64(n))
		if err != nil {
			return n, err
		}
		m, err := e.readStretch(ctx, &s, p[n:], off+int64(n))
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

func (e *epoch) readStretch(ctx context.Context, s *stretch, p []byte, off int64) (int, error) {
	p = p[:min(int64(len(p)), s.end-off)]
	n, start := 0, s.start
	var buf []byte
	for _, it := range s.items {
		begin := start
		if start += it.size; start <= off+int64(n) {
			continue
		}
		if n == len(p) {
			return n, nil
		}
		into := off + int64(n) - begin
		piece := p[n:min(int64(len(p)), int64(n)+it.size-into)]
		if err := e.readItem(ctx, it, &buf, piece, into); err != nil {
			return n, err
		}
		n += len(piece)
	}
	e.framing.blank(p[n:])
	return len(p), nil
}

// readItem fills p with an item's bytes from into on.
func (e *epoch) readItem(ctx context.Context, it item, buf *[]byte, p []byte, into int64) error {
	if it.dead {
		e.framing.blank(p)
		return nil
	}
	m, err := e.r.Load(ctx, it.first, *buf)
	if errors.Is(err, store.ErrNotFound) {
		e.framing.blank(p)
		return nil
	}
	if err != nil {
		return err
	}
	if cap(m.Data) > cap(*buf) {
		*buf = m.Data[:0]
	}
	if e.framing == JSONLines {
		copy(p, e.framing.Append(nil, m)[into:])
		return nil
	}
	k := 0
	if into < int64(len(m.Data)) {
		k = copy(p, m.Data[into:])
	}
	e.framing.blank(p[k:]) // the newline that the framing adds
	return nil
}
