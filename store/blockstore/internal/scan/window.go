package scan

import (
	"errors"
	"io"
)

// Window reads a file in large pieces.
type Window struct {
	f   io.ReaderAt
	end int64
	off int64
	b   []byte // what was read at off
	buf []byte
}

// WindowSize is what a window reads at once, if it is not asked for more.
const WindowSize = 256 << 10

// NewWindow returns a window on f. What is behind end is not looked at; 0 is not known.
func NewWindow(f io.ReaderAt, end int64) Window { return Window{f: f, end: end} }

// At returns the n bytes at off, which are good until the next call. It is
// io.ErrUnexpectedEOF if the file ends before.
func (w *Window) At(off, n int64) ([]byte, error) {
	if off >= w.off && off+n <= w.off+int64(len(w.b)) {
		return w.b[off-w.off:][:n], nil
	}
	size := int64(WindowSize)
	if w.end > 0 {
		size = min(size, w.end-off)
	}
	if size = max(n, size); int64(cap(w.buf)) < size {
		w.buf = make([]byte, size)
	}
	got, err := w.f.ReadAt(w.buf[:cap(w.buf)], off)
	w.off, w.b = off, w.buf[:got]
	switch {
	case int64(got) >= n:
		return w.b[:n], nil
	case err == nil || errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	}
	return nil, err
}
