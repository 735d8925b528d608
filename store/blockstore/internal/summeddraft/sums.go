package summeddraft

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

const (
	// PieceSize is of what has a checksum of its own, in bytes; the last piece may be shorter.
	PieceSize = 4096

	keptHead = 8 + 8 // size and time of the file, before the sums
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeros      [PieceSize]byte
	zeroSum    = sumOf(zeros[:])
)

// unknown is the sum of a piece whose bytes are taken for what they are.
const unknown = 0

// sumOf is the CRC32C of a piece, and 1 where that is the value of unknown.
func sumOf(piece []byte) uint32 { return max(crc32.Checksum(piece, castagnoli), unknown+1) }

// ErrKept means that the sums are on disk and are to be taken from there first: else, after a loss of power, what is written would be
// taken for damage.
var ErrKept = errors.New("the draft's checksums are on disk")

// Sums are the checksums of a draft, shared by all who have it open. They may be used concurrently.
type Sums struct {
	name string                 // of the file, in error messages
	load func() ([]byte, error) // gives what Keep gave, nil if nothing is there

	mu      sync.RWMutex // guards the rest; held while the disk works
	loaded  bool
	size    int64
	sums    []uint32 // of each piece
	kept    bool     // they are on disk, or others are
	stale   bool     // those that are on disk are none of the draft's
	changes uint64   // how often the draft was changed, or was to be
	changed time.Time
	failed  error // the first sync that failed; sticky
}

// New returns the sums of an empty draft, whose file is name.
func New(name string) *Sums { return &Sums{name: name, loaded: true, changed: time.Now()} }

// Find returns the sums of a draft that is there. load, which is called once they are needed, gives what is on disk of
// them, nil if that is nothing.
func Find(name string, load func() ([]byte, error)) *Sums {
	return &Sums{name: name, load: load, changed: time.Now()}
}

// Draft returns the draft whose file is f, which is closed with it.
func (s *Sums) Draft(f vfs.File) *Draft { return &Draft{f: f, Sums: s} }

// ready sees to it that the sums are known as far as they can be.
func (s *Sums) ready(f vfs.File) error {
	s.mu.RLock()
	loaded := s.loaded
	s.mu.RUnlock()
	if loaded {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readyLocked(f)
}

func (s *Sums) readyLocked(f vfs.File) error {
	if s.loaded {
		return nil
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	mtime, err := f.ModTime()
	if err != nil {
		return err
	}
	b, err := s.load()
	if err != nil {
		return err
	}
	s.loaded, s.kept = true, b != nil
	if !s.take(b, mtime) {
		s.stale = true
		s.size, s.sums = size, make([]uint32, pieces(size))
	}
	return nil
}

// take takes what Keep gave, unless the file was changed since then by who knows of no sums.
func (s *Sums) take(b []byte, mtime int64) bool {
	if len(b) < keptHead || int64(binary.LittleEndian.Uint64(b[8:])) != mtime {
		return false
	}
	size := int64(binary.LittleEndian.Uint64(b))
	if size < 0 || pieces(size) != int64(len(b)-keptHead)/4 || len(b)%4 != 0 {
		return false
	}
	s.size, s.sums = size, make([]uint32, pieces(size))
	for i := range s.sums {
		s.sums[i] = binary.LittleEndian.Uint32(b[keptHead+4*i:])
	}
	return true
}

// pieces is how many pieces so many bytes have.
func pieces(size int64) int64 { return (size + PieceSize - 1) / PieceSize }

// Changed says when the draft was changed last, or opened if it was not since.
func (s *Sums) Changed() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// Needed says whether somebody has needed the sums, and they are not on disk, or not those of the draft.
func (s *Sums) Needed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.loaded && (!s.kept || s.stale)
}

// Keep makes the draft in f durable, and returns what is to be on disk of its sums. Pieces without a sum get that of what the file has. It
// is of use as long as the draft is not changed: done, which is called once it is on disk, or would be by its next step, calls
// then under the draft's lock if that is so.
func (s *Sums) Keep(f vfs.File) (b []byte, done func(then func() error) error, err error) {
	s.mu.Lock()
	err = s.readyLocked(f)
	changes := s.changes
	s.mu.Unlock()
	if err == nil {
		err = s.sync(f)
	}
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fill(f); err != nil {
		return nil, nil, err
	}
	mtime, err := f.ModTime()
	if err != nil {
		return nil, nil, err
	}
	b = binary.LittleEndian.AppendUint64(make([]byte, 0, keptHead+4*len(s.sums)), uint64(s.size))
	b = binary.LittleEndian.AppendUint64(b, uint64(mtime))
	for _, sum := range s.sums {
		b = binary.LittleEndian.AppendUint32(b, sum)
	}
	return b, func(then func() error) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.changes != changes {
			return ErrChanged
		}
		if err := then(); err != nil {
			return err
		}
		s.kept, s.stale = true, false
		return nil
	}, nil
}

// ErrChanged means that a draft was changed while its sums were written.
var ErrChanged = errors.New("the draft was changed meanwhile")

// fill gives a sum to the pieces that have none.
func (s *Sums) fill(f vfs.File) error {
	var buf [PieceSize]byte
	for i, sum := range s.sums {
		if sum != unknown {
			continue
		}
		b, err := s.piece(f, int64(i), buf[:])
		if err != nil {
			return err
		}
		s.sums[i] = sumOf(b)
	}
	return nil
}

// Taken says that no sums are on disk any more, durably.
func (s *Sums) Taken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = false
}

// piece reads a piece into buf, and returns it.
func (s *Sums) piece(f vfs.File, i int64, buf []byte) ([]byte, error) {
	b := buf[:min(PieceSize, s.size-i*PieceSize)]
	if n, err := f.ReadAt(b, i*PieceSize); n < len(b) {
		if errors.Is(err, io.EOF) {
			err = s.corrupt(i)
		}
		return nil, err
	}
	return b, s.check(i, b)
}

// check says whether piece i is what was written.
func (s *Sums) check(i int64, piece []byte) error {
	if sum := s.sums[i]; sum != unknown && sum != sumOf(piece) {
		return s.corrupt(i)
	}
	return nil
}

func (s *Sums) corrupt(i int64) error {
	return &store.CorruptError{File: s.name, Offset: i * PieceSize, Err: record.ErrBad}
}

// sync makes the file durable. A sync that failed is not repeated: what it was for may be lost.
func (s *Sums) sync(f vfs.File) error {
	s.mu.RLock()
	failed := s.failed
	s.mu.RUnlock()
	if failed != nil {
		return failed
	}
	err := f.Sync()
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = err
	}
	return err
}
