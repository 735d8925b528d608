package publish

import (
	"context"
	"io"
	"math"

	"jsfs/store"
)

// Writer is an open of a name that stands for a subject: what is written between open and
// close is one message. All methods may be called concurrently.
type Writer struct {
	*open
	under Under // nil if there is none
	kept  int64 // how much of under was not cut off, in bytes; guarded by mu
}

// NewWriter returns the Writer of a file that was opened. Drafts of s hold what is
// large, killed or refused.
func (d *Desk) NewWriter(s store.Stream, t Target, o Open) *Writer {
	w := &Writer{open: d.open(s, t, o), under: o.Under}
	if w.under != nil {
		w.kept = w.under.Size()
	}
	return w
}

// Write is told that a thread writes p at an offset of the file, or at its end. Nothing is
// allocated for a message that would be too large. An error means that nothing was written; no
// message comes of what was written before, unless the same bytes are written again.
//
// The offsets that the kernel gives go on after a commit. So the next message begins with the
// lowest byte that is written after it: nothing before it is filled up. What the first one leaves out before its end is
// what the file held there when it was opened, if it was not emptied, and zeros where there was nothing.
func (w *Writer) Write(ctx context.Context, tid uint32, p []byte, off int64, atEnd bool) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if w.ended {
		return 0, ErrTaken
	}
	if atEnd {
		off = w.base + w.buf.size
	}
	if off <= w.base {
		w.unfit = nil
	}
	if w.unfit != nil {
		return 0, w.unfit
	}
	if err := w.writeLocked(ctx, p, off); err != nil {
		w.spoiled, w.spoiledAt = err, off
		return 0, err
	}
	if off == w.spoiledAt {
		w.spoiled = nil
	}
	w.rule.wrote.add(tid)
	w.dirty, w.empty = true, false
	return len(p), nil
}

func (w *Writer) writeLocked(ctx context.Context, p []byte, off int64) error {
	if off < 0 || off > math.MaxInt64-int64(len(p)) {
		return tooLarge(math.MaxInt64, w.limit)
	}
	base := w.base
	if w.settled && (off < base || !w.dirty) {
		base = off
	}
	size := max(off+int64(len(p)), w.base+w.buf.size) - base
	if w.buf.size == 0 {
		size = off + int64(len(p)) - base
	}
	if size > w.limit {
		return tooLarge(size, w.limit)
	}
	if !w.dirty || w.refused != nil {
		if err := w.target.Check(ctx, size); err != nil {
			return err
		}
	}
	if err := w.judgeLocked(ctx, p, off-base); err != nil {
		return err
	}
	if w.buf.size > 0 && base < w.base {
		if err := w.buf.shift(ctx, w.base-base); err != nil {
			return err
		}
	}
	w.base = base
	if err := w.fillLocked(ctx, off-base); err != nil {
		return err
	}
	return w.buf.writeAt(ctx, p, off-base)
}

// judgeLocked has the beginning of a message looked at while it is written, until it is judged.
func (w *Writer) judgeLocked(ctx context.Context, p []byte, at int64) error {
	j, ok := w.target.(judge)
	if !ok || w.judged || at != w.buf.size || at > maxJudged {
		return nil
	}
	head := p
	if at > 0 {
		head = make([]byte, at, int(at)+len(p))
		if n, err := w.buf.ReadAt(head, 0); n < len(head) {
			return err
		}
		head = append(head, p...)
	}
	done, err := j.judge(ctx, head)
	w.judged, w.unfit = done && err == nil, err
	return err
}

// Truncate sets the file's size. At 0 nothing is left to commit but, if there was no commit
// yet, an empty message. Bytes that are added are those that the file held there when it was opened, else zeros,
// and count as written. At the size that it has nothing happens.
func (w *Writer) Truncate(ctx context.Context, size int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	end := w.base + w.buf.size
	switch {
	case w.ended:
		return ErrTaken
	case size < 0:
		return store.ErrInvalid
	case size <= w.base:
		w.base, w.kept = size, 0
		w.dirty, w.empty, w.judged = false, !w.settled, false
		w.modTime, w.spoiled, w.unfit = nil, nil, nil
		return w.buf.reset()
	case size == end:
		w.kept = min(w.kept, size)
		return nil
	case end == 0 && size == w.kept:
		return nil // what it held, and nothing was written
	case size-w.base > w.limit:
		return tooLarge(size-w.base, w.limit)
	}
	if !w.dirty {
		if err := w.target.Check(ctx, size-w.base); err != nil {
			return err
		}
	}
	if err := w.fillLocked(ctx, size-w.base); err != nil {
		return err
	}
	if err := w.buf.truncate(ctx, size-w.base); err != nil {
		return err
	}
	w.kept = min(w.kept, size)
	w.dirty, w.empty = true, false
	return nil
}

// Size is the size of the file as its writer sees it: the end of what was written,
// committed or not.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.base + w.buf.size
}

// Settled says that all that was written is committed: the file may be closed, and its release not be told yet.
func (w *Writer) Settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.settled && !w.dirty
}

// Fresh says that the file is still as it was opened: neither written nor truncated.
func (w *Writer) Fresh() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.dirty && !w.empty && !w.settled
}

// ReadAt reads what was written since the last commit, as io.ReaderAt does. What was committed
// is no longer there.
func (w *Writer) ReadAt(p []byte, off int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if off < w.base || w.ended {
		return 0, io.EOF
	}
	return w.buf.ReadAt(p, off-w.base)
}
