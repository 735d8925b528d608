package publish

import (
	"context"
	"errors"
)

// Under is what a file held when it was opened, by who neither emptied it nor appends to it. It never changes.
type Under interface {
	// Size is how much it is, in bytes.
	Size() int64
	// ReadFull fills p with the bytes from off on; p ends within Size.
	ReadFull(ctx context.Context, p []byte, off int64) error
}

// fillLocked makes the message reach up to size with what the file held, as far as that reached; zeros are for nobody
// to see who only passed over what is there. After a commit nothing is filled up.
func (w *Writer) fillLocked(ctx context.Context, size int64) error {
	from, end := w.buf.size, min(size, w.kept)
	if w.settled || from >= end {
		return nil
	}
	p := make([]byte, min(chunk, end-from))
	for at := from; at < end; at += int64(len(p)) {
		p = p[:min(int64(len(p)), end-at)]
		err := w.under.ReadFull(ctx, p, at)
		if err == nil {
			err = w.buf.writeAt(ctx, p, at)
		}
		if err != nil {
			return errors.Join(err, w.buf.truncate(ctx, from))
		}
	}
	return nil
}
