package blockstore

import (
	"context"
	"errors"
	"fmt"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// Damage implements [store.Reader].
func (s *Stream) Damage(ctx context.Context) ([]store.Damage, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	return s.damage.List(), nil
}

// note adds damage to the list, and to the log if it is new there.
func (s *Stream) note(e store.Damage) {
	e.Stream = s.config.Load().Name
	if s.damage.Add(e) {
		s.log.Warn("damage found", "stream", e.Stream, "file", e.File, "offset", e.Offset, "length", e.Length,
			"first_seq", e.First, "last_seq", e.Last, "cause", e.Cause)
	}
}

// noteFile notes that something in a block's footer is damaged, if that is what err says: what could not be read may be the next time. No
// message is lost by it.
func (s *Stream) noteFile(b *block, err error) {
	if !errors.Is(err, record.ErrBad) && !isMissing(err) {
		return
	}
	s.note(store.Damage{File: b.name, Offset: b.dataEnd, Length: b.size - b.dataEnd, Cause: err.Error()})
}

// corrupt notes that message seq, length bytes at off of b, can't be read, and returns
// the error that says so.
func (s *Stream) corrupt(b *block, off, length int64, seq uint64, cause error) error {
	s.damage.AddBad(seq)
	s.note(store.Damage{
		File: b.name, Offset: off, Length: length,
		First: store.Seq(seq), Last: store.Seq(seq), Cause: cause.Error(),
	})
	return fmt.Errorf("message %d: %w", seq, &store.CorruptError{File: b.name, Offset: off, Err: cause})
}

func isCorrupt(err error) bool {
	if err == nil {
		return false
	}
	_, ok := errors.AsType[*store.CorruptError](err)
	return ok
}

// missing returns the error for a sequence that has no entry.
func (s *Stream) missing(seq uint64) error {
	if err := s.damage.LostAt(seq); err != nil {
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
	s.damage.AddLost(first, last, &store.CorruptError{File: file, Offset: off, Err: cause})
}
