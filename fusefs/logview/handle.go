package logview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"jsfs/store"
)

// maxMarks is how many runs that it passed over a handle remembers. It forgets the
// oldest, and with them the beginning of its pass.
const maxMarks = 4096

// Handle is one reader of a log. Its methods may be called concurrently, but what a
// pass is depends on the order of the calls.
type Handle struct {
	log *Log
	e   *epoch
	r   Source

	// mu guards the rest, and is held while a read is under way. The epoch's mu is
	// taken under it.
	mu     sync.Mutex
	closed bool
	// toldBefore is how many sizes of the log were told before it was opened, or met its end the last time.
	toldBefore uint64
	// marks are the places of the pass where the reader's position fell back behind the
	// layout's; the first is the pass's beginning. Without any there is no pass.
	marks []mark
	pos   int64 // the reader's position at the frontier
	front frontier
}

// mark says that from the reader's position pos on the layout's is shift further.
type mark struct{ pos, shift int64 }

// ReadAt reads at the reader's position off. Fewer bytes than len(p) mean the end, with
// io.EOF, or that the next byte can't be read: what stands before it is given without
// an error, and the read after it gives the error. A read of the log of a whole stream that would end at a size that was told
// since the handle was opened gives no message that was stored later, and that is the end for it. Who met the end, and reads on, has come to
// follow the log: of the sizes that were told before none counts any more.
func (h *Handle) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := h.readLocked(ctx, p, off)
	if n == 0 && errors.Is(err, io.EOF) {
		h.toldBefore = h.e.told.count()
	}
	return n, err
}

func (h *Handle) readLocked(ctx context.Context, p []byte, off int64) (int, error) {
	if h.closed {
		return 0, fmt.Errorf("log: %w", store.ErrClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if off < 0 {
		return 0, fmt.Errorf("log at %d: %w", off, store.ErrInvalid)
	}
	if err := h.e.take(ctx); err != nil {
		return 0, err
	}
	if err := h.front.blankErased(ctx, h.e); err != nil {
		return 0, err
	}
	h.front.check(h.e)
	n := 0
	switch {
	case len(h.marks) > 0 && off >= h.marks[0].pos && off < h.pos:
		m, err := h.again(ctx, p[:min(int64(len(p)), h.pos-off)], off)
		if err != nil || off+int64(m) < h.pos {
			return m, err
		}
		n = m
	case len(h.marks) == 0 || off != h.pos:
		if err := h.seek(ctx, off); err != nil {
			return 0, err
		}
	}
	return h.onward(ctx, p, n, h.limit(off+int64(len(p))))
}

// limit is where in the layout a read ends that would end at the reader's position end; 0 if that is not known. It is for places
// that are known for certain: else something that was there when the size was told might seem to be behind it.
func (h *Handle) limit(end int64) int64 {
	if h.e.part || h.e.changes.Load() == 0 || h.e.guessed.Load() || !h.e.told.has(end, h.toldBefore) {
		return 0
	}
	return end
}

// Close ends the reader's use of the log. A second Close does nothing.
func (h *Handle) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	h.front, h.marks = frontier{}, nil
	h.log.release()
}

// seek begins a new pass. Beyond the end it gives io.EOF and leaves the pass.
func (h *Handle) seek(ctx context.Context, off int64) error {
	at, ok, err := h.e.find(ctx, off)
	if err != nil {
		return err
	}
	if !ok {
		return io.EOF
	}
	h.marks = append(h.marks[:0], mark{off, 0})
	h.pos = off
	h.front.begin(at)
	return nil
}

// again reads what the pass has read before.
func (h *Handle) again(ctx context.Context, p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		pos := off + int64(n)
		i := sort.Search(len(h.marks), func(i int) bool { return h.marks[i].pos > pos }) - 1
		piece := p[n:]
		if i+1 < len(h.marks) {
			piece = piece[:min(int64(len(piece)), h.marks[i+1].pos-pos)]
		}
		m, err := h.e.readAt(ctx, piece, pos+h.marks[i].shift)
		if n += m; err != nil {
			if n > 0 {
				err = nil
			}
			return n, err
		}
	}
	return n, nil
}

// onward reads at the frontier into p, behind the n bytes that are in it, and up to the layout's limit, if that is not 0.
func (h *Handle) onward(ctx context.Context, p []byte, n int, limit int64) (int, error) {
	f := &h.front
	for n < len(p) {
		switch {
		case f.blank > 0:
			k := min(f.blank, int64(len(p)-n))
			h.e.framing.blank(p[n : n+int(k)])
			f.blank -= k
			h.pos += k
			n += int(k)
		case f.at < len(f.buf):
			k := f.before(limit) - f.at
			if k <= 0 {
				return n, io.EOF
			}
			n += h.deliver(p[n:min(len(p), n+k)])
		default:
			err := f.load(ctx, h, len(p)-n)
			if err == nil {
				continue
			}
			if n > 0 && !errors.Is(err, io.EOF) {
				f.owe(err)
				err = nil
			}
			return n, err
		}
	}
	return n, nil
}

// deliver gives out framed bytes, and marks where runs were passed over.
func (h *Handle) deliver(p []byte) int {
	f := &h.front
	n := copy(p, f.buf[f.at:])
	for ; f.cur < len(f.msgs); f.cur++ {
		begin := f.begins(f.cur)
		if begin >= f.at+n {
			break
		}
		pos := h.pos + int64(begin-f.at)
		if shift := f.msgs[f.cur].start - pos; shift != h.marks[len(h.marks)-1].shift {
			h.mark(mark{pos, shift})
		}
		if f.msgs[f.cur].end > f.at+n {
			break
		}
	}
	f.at += n
	h.pos += int64(n)
	return n
}

func (h *Handle) mark(m mark) {
	if len(h.marks) >= maxMarks {
		h.marks = append(h.marks[:0], h.marks[maxMarks/2:]...)
	}
	h.marks = append(h.marks, m)
}
