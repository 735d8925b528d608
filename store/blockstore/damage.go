package blockstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
)

// damage is what is known to be damaged in a stream.
type damage struct {
	mu    sync.RWMutex // guards the rest; held for a few comparisons
	list  []store.Damage
	known map[place]bool  // what list has
	lost  []lostRun       // sorted; sequences that were stored and have no entry any more
	gone  []store.Range   // sorted; likewise, but they were removed before
	bad   map[uint64]bool // sequences with an entry that can't be read
}

// place is where damage is, and the first message that it costs.
type place struct {
	file  string
	off   int64
	first store.Seq
}

// lostRun is a run of sequences that are lost, and why.
type lostRun struct {
	first, last uint64
	why         *store.CorruptError
}

// add notes damage, once for each place, and says whether it was new.
func (d *damage) add(e store.Damage) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := place{e.File, e.Offset, e.First}
	if d.known[p] {
		return false
	}
	if d.known == nil {
		d.known = map[place]bool{}
	}
	d.known[p] = true
	d.list = append(d.list, e)
	return true
}

// addBad notes that message seq can't be read.
func (d *damage) addBad(seq uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad == nil {
		d.bad = map[uint64]bool{}
	}
	d.bad[seq] = true
}

// addLost notes that the sequences of r have no entry any more. Runs are added in order.
func (d *damage) addLost(r lostRun) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost = append(d.lost, r)
}

// lostAt returns why seq is lost, or nil.
func (d *damage) lostAt(seq uint64) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, r := range d.lost {
		if r.first <= seq && seq <= r.last {
			return r.why
		}
	}
	return nil
}

// count returns how many sequences of first to last have no entry because of damage,
// and how many messages are known to be unreadable in all.
func (d *damage) count(first, last uint64) (unlisted, lost uint64) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, r := range d.lost {
		lost += r.last - r.first + 1
		if lo, hi := max(r.first, first), min(r.last, last); lo <= hi {
			unlisted += hi - lo + 1
		}
	}
	return unlisted, lost + uint64(len(d.bad))
}

// in says whether any damage in b is known.
func (d *damage) in(b *block) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.ContainsFunc(d.list, func(e store.Damage) bool {
		return e.File == b.name || e.First > 0 && uint64(e.First) < b.next && uint64(e.Last) >= b.hdr.First
	})
}

// found returns how many damaged places are known.
func (d *damage) found() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.list)
}

// Damage implements [store.Reader].
func (s *Stream) Damage(ctx context.Context) ([]store.Damage, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	s.damage.mu.RLock()
	defer s.damage.mu.RUnlock()
	return slices.Clone(s.damage.list), nil
}

// note adds damage to the list, and to the log if it is new there.
func (s *Stream) note(e store.Damage) {
	e.Stream = s.config.Load().Name
	if s.damage.add(e) {
		s.log.Warn("damage found", "stream", e.Stream, "file", e.File, "offset", e.Offset, "length", e.Length,
			"first_seq", e.First, "last_seq", e.Last, "cause", e.Cause)
	}
}

// noteFile notes that something in a block's footer is damaged. No message is lost by it.
func (s *Stream) noteFile(b *block, err error) {
	s.note(store.Damage{File: b.name, Offset: b.dataEnd, Length: b.size - b.dataEnd, Cause: err.Error()})
}

// corrupt notes that message seq, length bytes at off of b, can't be read, and returns
// the error that says so.
func (s *Stream) corrupt(b *block, off, length int64, seq uint64, cause error) error {
	s.damage.addBad(seq)
	s.note(store.Damage{
		File: b.name, Offset: off, Length: length,
		First: store.Seq(seq), Last: store.Seq(seq), Cause: cause.Error(),
	})
	return fmt.Errorf("message %d: %w", seq, &store.CorruptError{File: b.name, Offset: off, Err: cause})
}

func isCorrupt(err error) bool {
	var corrupt *store.CorruptError
	return errors.As(err, &corrupt)
}

// missing returns the error for a sequence that has no entry.
func (s *Stream) missing(seq uint64) error {
	if err := s.damage.lostAt(seq); err != nil {
		return fmt.Errorf("message %d: %w", seq, err)
	}
	return s.notFound(seq)
}

func (s *Stream) notFound(seq uint64) error {
	return fmt.Errorf("message %d of stream %s: %w", seq, s.config.Load().Name, store.ErrNotFound)
}

// loseRun notes that sequences first to last are lost.
func (s *Stream) loseRun(first, last uint64, file string, off, length int64, cause error) {
	s.note(store.Damage{
		File: file, Offset: off, Length: length,
		First: store.Seq(first), Last: store.Seq(last), Cause: cause.Error(),
	})
	s.damage.addLost(lostRun{first, last, &store.CorruptError{File: file, Offset: off, Err: cause}})
}

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

// readAt fills p from the block. The bytes must be there.
func (s *Stream) readAt(b *block, p []byte, off int64) error {
	n, err := (blockReader{s, b}).ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return fmt.Errorf("read %s: %w", b.name, unexpected(err))
}
