package publish

import (
	"bytes"
	"context"
	"sync"

	"jsfs/store"
)

// maxBatch is how many lines are appended in one call at most.
const maxBatch = 16 << 10

// batches recycles the lines of a write: they are many, and needed during a call only.
var batches = sync.Pool{New: func() any { return new([][]byte) }}

// sink is a Target that takes whole lines.
type sink interface {
	Target
	// storeAll stores lines in order, newlines included, and returns how many were stored, from the first
	// one on: all of them if the error is nil.
	storeAll(ctx context.Context, lines [][]byte) (int, error)
}

// Lines is an open of a log: each line that is written becomes a message before the write
// returns. What follows the last newline waits for the rest of its line, or for a commit by
// the package's rule.
type Lines struct {
	*open
	sink sink
	// pending is an error that the next Write gives: the last one was refused in the middle.
	// Guarded by mu.
	pending error
}

// NewLines returns the Lines of a log that was opened: a line's bytes, newline included, are the payload.
func (d *Desk) NewLines(s Subject, o Open) *Lines { return d.newLines(s.Stream, textLines{s}, o) }

func (d *Desk) newLines(s store.Stream, to sink, o Open) *Lines {
	o.Empty = false
	return &Lines{open: d.open(s, to, o), sink: to}
}

// Write appends the lines that p completes, with one sync at most for each maxBatch of them,
// and returns how many bytes of p it took. A refusal at a line returns the bytes before it; the
// next call gives the error, unless ctx ended. It gives the error itself if it took nothing.
func (l *Lines) Write(ctx context.Context, p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0, ErrTaken
	}
	if err := l.pending; err != nil {
		l.pending = nil
		return 0, err
	}
	n, err := l.appendLocked(ctx, p)
	if err == nil && n < len(p) {
		if err = l.carryLocked(ctx, p[n:]); err == nil {
			n = len(p)
		}
	}
	l.spoiled = nil
	switch {
	case err == nil:
	case n > 0 && ctx.Err() != nil:
		err = nil // who is interrupted hears how far he came
	case n > 0:
		l.pending, err = err, nil
	case l.buf.size > 0:
		l.spoiled = err // a line of which a part was refused is no message
	}
	return n, err
}

// appendLocked appends the whole lines of p, and returns how many bytes those are.
func (l *Lines) appendLocked(ctx context.Context, p []byte) (n int, err error) {
	end := bytes.LastIndexByte(p, '\n') + 1
	if end == 0 {
		return 0, nil
	}
	batch := batches.Get().(*[][]byte)
	defer func() {
		clear(*batch)
		*batch = (*batch)[:0]
		batches.Put(batch)
	}()
	carried := int(l.buf.size)
	for n < end && err == nil {
		lines := (*batch)[:0]
		for at := n; at < end && len(lines) < maxBatch; {
			i := at + bytes.IndexByte(p[at:end], '\n') + 1
			lines = append(lines, p[at:i])
			at = i
		}
		*batch = lines
		var k int
		if k, err = l.storeLocked(ctx, lines); k == 0 {
			break
		}
		for _, line := range lines[:k] {
			n += len(line)
		}
		n -= carried // the carry is not part of p
		carried = 0
	}
	return n, err
}

// storeLocked appends the lines, the first one behind what was carried over, and returns how
// many were stored. The first one is replaced by the whole line.
func (l *Lines) storeLocked(ctx context.Context, lines [][]byte) (int, error) {
	if l.buf.size > 0 {
		size := l.buf.size + int64(len(lines[0]))
		if size > l.limit {
			return 0, tooLarge(size, l.limit)
		}
		if err := l.target.Check(ctx, 0); err != nil {
			return 0, err
		}
		head, done, err := l.buf.load(ctx)
		if err != nil {
			return 0, err
		}
		defer done()
		lines[0] = append(head[:len(head):len(head)], lines[0]...)
	}
	k, err := l.sink.storeAll(ctx, lines)
	if k > 0 && l.buf.size > 0 {
		if cerr := l.settleLocked(); err == nil {
			err = cerr
		}
	}
	return k, err
}

// carryLocked keeps the beginning of a line.
func (l *Lines) carryLocked(ctx context.Context, p []byte) error {
	size := l.buf.size + int64(len(p))
	if size > l.limit {
		return tooLarge(size, l.limit)
	}
	if l.buf.size == 0 {
		if err := l.target.Check(ctx, int64(len(p))); err != nil {
			return err
		}
	}
	if err := l.buf.writeAt(ctx, p, l.buf.size); err != nil {
		return err
	}
	l.dirty = true
	return nil
}
