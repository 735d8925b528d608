package summeddraft

import (
	"errors"
	"io"
	"slices"
	"time"
)

// copied is how much of a draft is copied at a time, in bytes.
const copied = 16 * PieceSize

// CopyTo makes another draft, which is new, what d is: pieces that are damaged are so there, too, with the bytes that the file has. It
// returns at which offsets these begin. Nobody may be changing d; a call that failed may be repeated.
func (d *Draft) CopyTo(to *Draft) (damaged []int64, err error) {
	if err := d.ready(d.f); err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	sums := slices.Clone(d.sums)
	buf := make([]byte, copied)
	for off := int64(0); off < d.size; off += copied {
		b := buf[:min(copied, d.size-off)]
		n, err := d.f.ReadAt(b, off)
		if n < len(b) && !errors.Is(err, io.EOF) {
			return nil, err
		}
		clear(b[n:])
		i := off / PieceSize
		for piece := range slices.Chunk(b, PieceSize) {
			if lacks := int64(n) < i*PieceSize-off+int64(len(piece)); lacks && (sums[i] == unknown || sums[i] == sumOf(piece)) {
				sums[i] = otherThan(sumOf(piece))
			}
			if sums[i] != unknown && sums[i] != sumOf(piece) {
				damaged = append(damaged, i*PieceSize)
			}
			i++
		}
		if _, err := to.f.WriteAt(b, off); err != nil {
			return nil, err
		}
	}
	to.size, to.sums = d.size, sums
	to.changes++
	to.changed = time.Now()
	return damaged, nil
}

// otherThan returns a sum that is not that one.
func otherThan(sum uint32) uint32 {
	if sum == unknown+1 {
		return sum + 1
	}
	return sum - 1
}
