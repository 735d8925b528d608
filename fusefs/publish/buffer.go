package publish

import (
	"context"
	"errors"
	"io"

	"jsfs/store"
)

// maxMem is what a buffer keeps in memory at most, in bytes.
const maxMem = 64 << 10

// chunk is the unit in which drafts are copied, in bytes.
const chunk = 256 << 10

// buffer is a byte array that grows, in memory while it is small, then in a draft
// without a name. It is guarded by the mutex of the open that it belongs to, and its
// caller bounds its size.
type buffer struct {
	drafts store.Drafts
	budget *Budget

	mem     []byte      // the bytes, while scratch is nil; its capacity is taken from budget
	scratch store.Draft // the bytes, once they are too many
	size    int64
}

// WriteAt writes p at an offset; a gap before it reads as zeros.
func (b *buffer) writeAt(ctx context.Context, p []byte, off int64) error {
	end := off + int64(len(p))
	ok, err := b.reach(ctx, max(end, b.size))
	if err != nil {
		return err
	}
	if ok {
		copy(b.mem[off:end], p)
		return nil
	}
	if _, err := b.scratch.WriteAt(p, off); err != nil {
		return err
	}
	b.size = max(b.size, end)
	return nil
}

// reach sees to room for size bytes. inMem says that they are in memory, and that the buffer
// has that size now.
func (b *buffer) reach(ctx context.Context, size int64) (inMem bool, err error) {
	if b.scratch != nil {
		return false, nil
	}
	if b.grow(size) {
		b.mem = b.mem[:size]
		b.size = size
		return true, nil
	}
	s, err := b.drafts.ScratchDraft(ctx)
	if err != nil {
		return false, err
	}
	if len(b.mem) > 0 {
		if _, err := s.WriteAt(b.mem, 0); err != nil {
			s.Close()
			return false, err
		}
	}
	b.freeMem()
	b.scratch = s
	return false, nil
}

// grow makes the memory's capacity at least size, zeros behind its length, and says
// whether that was possible.
func (b *buffer) grow(size int64) bool {
	have := int64(cap(b.mem))
	if size <= have {
		return true
	}
	if size > maxMem {
		return false
	}
	want := min(max(size, 2*have, 512), maxMem)
	if !b.budget.take(want - have) {
		return false
	}
	mem := make([]byte, len(b.mem), want)
	copy(mem, b.mem)
	b.mem = mem
	return true
}

func (b *buffer) freeMem() {
	b.budget.give(int64(cap(b.mem)))
	b.mem = nil
}

// ReadAt implements io.ReaderAt.
func (b *buffer) ReadAt(p []byte, off int64) (int, error) {
	if off >= b.size {
		return 0, io.EOF
	}
	if b.scratch != nil {
		return b.scratch.ReadAt(p, off)
	}
	n := copy(p, b.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// truncate cuts the buffer to size, or extends it with zeros.
func (b *buffer) truncate(ctx context.Context, size int64) error {
	if size == 0 {
		return b.reset()
	}
	if b.scratch == nil && size < b.size {
		clear(b.mem[size:])
		b.mem = b.mem[:size]
		b.size = size
		return nil
	}
	ok, err := b.reach(ctx, size)
	if err != nil || ok {
		return err
	}
	if err := b.scratch.Truncate(size); err != nil {
		return err
	}
	b.size = size
	return nil
}

// shift moves the bytes up by n; zeros come before them.
func (b *buffer) shift(ctx context.Context, n int64) error {
	old := b.size
	ok, err := b.reach(ctx, old+n)
	if err != nil {
		return err
	}
	if ok {
		copy(b.mem[n:], b.mem[:old])
		clear(b.mem[:min(n, old)])
		return nil
	}
	buf := make([]byte, min(chunk, old))
	for end := old; end > 0; {
		at := max(end-chunk, 0)
		p := buf[:end-at]
		if _, err := b.scratch.ReadAt(p, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if _, err := b.scratch.WriteAt(p, at+n); err != nil {
			return err
		}
		end = at
	}
	for at, zero := int64(0), make([]byte, min(chunk, n)); at < min(n, old); at += chunk {
		if _, err := b.scratch.WriteAt(zero[:min(chunk, n-at, old-at)], at); err != nil {
			return err
		}
	}
	b.size = old + n
	return nil
}

// load returns all bytes, valid until done is called; they are not to be changed.
func (b *buffer) load(ctx context.Context) (data []byte, done func(), err error) {
	if b.scratch == nil {
		return b.mem, func() {}, nil
	}
	size := b.size
	if err := b.budget.load(ctx, size); err != nil {
		return nil, nil, err
	}
	data = make([]byte, size)
	if n, err := b.scratch.ReadAt(data, 0); int64(n) < size {
		b.budget.unload(size)
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, nil, err
	}
	return data, func() { b.budget.unload(size) }, nil
}

// reset empties the buffer and gives back what it took, but for a little memory.
func (b *buffer) reset() error {
	b.size = 0
	if cap(b.mem) > 4096 {
		b.freeMem()
	}
	clear(b.mem)
	b.mem = b.mem[:0]
	return b.closeScratch()
}

// close gives back all that the buffer took.
func (b *buffer) close() error {
	b.size = 0
	b.freeMem()
	return b.closeScratch()
}

func (b *buffer) closeScratch() error {
	if b.scratch == nil {
		return nil
	}
	s := b.scratch
	b.scratch = nil
	return s.Close()
}
