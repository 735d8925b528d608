package blockstore

import (
	"fmt"

	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
)

// readSection reads a part of a sealed block's footer.
func (s *Stream) readSection(b *block, t *record.Trailer, sec record.Section) ([]byte, error) {
	if t == nil {
		return nil, fmt.Errorf("%s has no footer: %w", b.name, record.ErrBad)
	}
	off, size := t.Place(sec)
	buf := make([]byte, size)
	if err := s.readAt(b, buf, off); err != nil {
		return nil, err
	}
	return buf, nil
}

// rescan reads all records of a sealed block.
func (s *Stream) rescan(b *block) (*scan.Contents, error) {
	return scan.Block(blockReader{s, b}, &b.hdr, b.dataEnd, scan.WantMessages)
}

// blockReader reads a block whose file may be closed and opened meanwhile.
type blockReader struct {
	s *Stream
	b *block
}

func (r blockReader) ReadAt(p []byte, off int64) (int, error) {
	for {
		f, err := r.s.cache.open(r.b)
		if err != nil {
			return 0, err
		}
		if n, err := f.ReadAt(p, off); !isClosed(err) {
			return n, err
		}
	}
}

// willNeed says that n bytes of the block from off on will be read soon.
func (s *Stream) willNeed(b *block, off, n int64) {
	if f, err := s.cache.open(b); err == nil {
		f.WillNeed(off, n)
	}
}

// readAt fills p from the block. The bytes must be there.
func (s *Stream) readAt(b *block, p []byte, off int64) error {
	n, err := (blockReader{s, b}).ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return fmt.Errorf("read %s: %w", b.name, unexpected(err))
}
