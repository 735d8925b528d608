package summeddraft

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// maxFill is how much the size of a draft grows by a gap at most.
const maxFill = store.MaxMsgSize + store.MaxMsgSize/64

// Draft is one opening of a draft.
type Draft struct {
	*Sums
	f vfs.File
}

// ReadAt implements [store.Draft]. It gives what stands before the first piece that is damaged.
func (d *Draft) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, store.ErrInvalid
	}
	if err := d.ready(d.f); err != nil {
		return 0, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	end := min(off+int64(len(p)), d.size)
	for off < end {
		k, err := d.readSome(p[n:n+int(end-off)], off)
		n, off = n+k, off+int64(k)
		if err != nil {
			return n, err
		}
	}
	if n < len(p) {
		return n, d.ended()
	}
	return n, nil
}

// ended is io.EOF, or why the file can't be read.
func (d *Draft) ended() error {
	if _, err := d.f.Size(); err != nil {
		return err
	}
	return io.EOF
}

// readSome reads the whole pieces that p begins with, or what it has of the first one if that is not whole.
func (d *Draft) readSome(p []byte, off int64) (int, error) {
	i, at := off/PieceSize, off%PieceSize
	k := int64(len(p))
	if off+k < d.size {
		k -= k % PieceSize
	}
	if at > 0 || k == 0 {
		var buf [PieceSize]byte
		b, err := d.piece(d.f, i, buf[:])
		if err != nil {
			return 0, err
		}
		return copy(p, b[at:]), nil
	}
	n, err := d.f.ReadAt(p[:k], off)
	if int64(n) < k && errors.Is(err, io.EOF) {
		err = d.corrupt(i + int64(n)/PieceSize)
	} else if int64(n) == k {
		err = nil
	}
	good := 0
	for piece := range slices.Chunk(p[:n], PieceSize) {
		if len(piece) < PieceSize && int64(n) < k {
			break
		}
		if err := d.check(i, piece); err != nil {
			return good, err
		}
		good += len(piece)
		i++
	}
	return good, err
}

// WriteAt implements [store.Draft]. What it replaces of a piece in part must be whole.
func (d *Draft) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, store.ErrInvalid
	}
	if len(p) == 0 {
		return 0, nil // as pwrite(2): it does not fill up to off
	}
	end := off + int64(len(p))
	c, err := d.begin(min(off, end), max(off, end))
	if err != nil {
		return 0, err
	}
	defer d.mu.Unlock()
	if err := c.write(p, off); err != nil {
		return 0, err
	}
	n, err := d.f.WriteAt(p, off)
	return n, c.end(max(end, d.size), err)
}

// Truncate implements [store.Draft].
func (d *Draft) Truncate(size int64) error {
	if size < 0 {
		return store.ErrInvalid
	}
	c, err := d.begin(size, size)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := c.zeros(size); err != nil {
		return err
	}
	return c.end(size, d.f.Truncate(size))
}

// Size implements [store.Draft].
func (d *Draft) Size() (int64, error) {
	if err := d.ready(d.f); err != nil {
		return 0, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.size, nil
}

// Sync implements [store.Draft].
func (d *Draft) Sync() error { return d.sync(d.f) }

// ModTime implements [store.Draft].
func (d *Draft) ModTime() (int64, error) { return d.f.ModTime() }

// Close frees the file. It syncs nothing.
func (d *Draft) Close() error { return d.f.Close() }

// change is a change of a draft's bytes, with the sums that its pieces have after it.
type change struct {
	d     *Draft
	first int64 // piece
	sums  []uint32
}

// begin begins a change of the bytes from off to end, and what is between them and the draft's end. It takes the draft's lock if there is
// no error.
func (d *Draft) begin(off, end int64) (*change, error) {
	d.mu.Lock()
	err := d.readyLocked(d.f)
	switch {
	case err != nil:
	case d.kept:
		err = ErrKept
	case d.failed != nil:
		err = d.failed
	case end-d.size > maxFill:
		err = fmt.Errorf("draft of %d bytes: %w", end, store.ErrTooLarge)
	}
	if err != nil {
		d.mu.Unlock()
		return nil, err
	}
	d.changes++
	d.changed = time.Now()
	first := min(off, d.size) / PieceSize
	return &change{d: d, first: first, sums: make([]uint32, 0, max(0, pieces(end)-first))}, nil
}

// old returns what piece i has up to size, and zeros behind it up to there, in buf.
func (c *change) old(i, size int64, buf []byte) ([]byte, error) {
	n := min(PieceSize, size-i*PieceSize)
	b := buf[:0]
	if i*PieceSize < c.d.size {
		var err error
		if b, err = c.d.piece(c.d.f, i, buf); err != nil {
			return nil, err
		}
	}
	have := min(int64(len(b)), n)
	clear(buf[have:n])
	return buf[:n], nil
}

// zeros adds the sums of the pieces up to size, which have what they have and zeros behind it.
func (c *change) zeros(size int64) error {
	for i := c.first + int64(len(c.sums)); i*PieceSize < size; i++ {
		if i*PieceSize >= c.d.size && size-i*PieceSize >= PieceSize {
			c.sums = append(c.sums, zeroSum)
			continue
		}
		var buf [PieceSize]byte
		b, err := c.old(i, size, buf[:])
		if err != nil {
			return err
		}
		c.sums = append(c.sums, sumOf(b))
	}
	return nil
}

// write adds the sums of the pieces that have p, at off, and of those before.
func (c *change) write(p []byte, off int64) error {
	i, at := off/PieceSize, off%PieceSize
	if err := c.zeros(i * PieceSize); err != nil {
		return err
	}
	for len(p) > 0 {
		if at == 0 && len(p) >= PieceSize {
			c.sums = append(c.sums, sumOf(p[:PieceSize]))
			p = p[PieceSize:]
			i++
			continue
		}
		k := min(int64(len(p)), PieceSize-at)
		var buf [PieceSize]byte
		size := max(c.d.size, i*PieceSize+at+k)
		b := buf[:min(PieceSize, size-i*PieceSize)]
		if at > 0 || i*PieceSize+k < c.d.size {
			var err error
			if b, err = c.old(i, size, buf[:]); err != nil {
				return err
			}
		}
		copy(b[at:], p[:k])
		c.sums = append(c.sums, sumOf(b))
		p, at = p[k:], 0
		i++
	}
	return nil
}

// end ends the change, which gives the draft a size, with the error that the disk gave: then nobody knows what the pieces have.
func (c *change) end(size int64, err error) error {
	d := c.d
	last := c.first + int64(len(c.sums))
	if err != nil {
		clear(c.sums)
		now, serr := d.f.Size()
		if serr != nil {
			now = d.size
		}
		if now != d.size {
			last = max(pieces(d.size), pieces(now))
			c.sums = make([]uint32, last-c.first)
		}
		size = now
	}
	d.size = size
	if last < min(int64(len(d.sums)), pieces(size)) {
		copy(d.sums[c.first:], c.sums)
	} else {
		d.sums = append(d.sums[:c.first], c.sums...)[:pieces(size)]
	}
	return err
}
