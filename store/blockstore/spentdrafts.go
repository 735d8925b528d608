package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// spentDraft is the file of a draft that became message seq.
//
// Unless the policy is SyncAlways its new name is not on disk before the message may be, and the message says so. Where neither
// is known to be on disk after a loss of power, and the name is not there, the message is not taken: the draft is there. So the
// file stays until the state, on disk, says that the message is.
type spentDraft struct {
	seq   uint64
	file  string
	known bool // the message is known to be on disk when it is there
}

// syncMovesLocked makes the names durable that drafts got to become messages. Who syncs the tail calls it first.
func (s *Stream) syncMovesLocked() error {
	w := &s.w
	if s.moved.Load() == w.moves {
		return nil
	}
	if err := s.fs.SyncDir(s.draftDir()); err != nil {
		return s.failLocked(fmt.Errorf("sync %s: %w", s.draftDir(), err))
	}
	s.moved.Store(w.moves)
	return nil
}

// vacated are the names that the files of drafts lost when they got that of a message.
type vacated struct {
	moves map[string]uint64 // which of writer.moves it was
	many  int               // from so many on it is looked at which of them need no longer be known
}

// moveLocked notes that file got the name of a message. It is called under draftMu, too.
func (s *Stream) moveLocked(file string) {
	s.w.moves++
	v := &s.vacated
	if len(v.moves) >= v.many {
		moved := s.moved.Load()
		maps.DeleteFunc(v.moves, func(_ string, n uint64) bool { return n <= moved })
		v.many = 2*len(v.moves) + 1000
	}
	if v.moves == nil {
		v.moves = map[string]uint64{}
	}
	v.moves[file] = s.w.moves
}

// takeName sees to it that another draft's file may be called file. Where one had that name until it became a message, a loss of
// power could leave the other one under it and nothing of the first, so its new name has to be on disk. It is called under draftMu.
func (s *Stream) takeName(file string) error {
	if err := s.freeSums(file); err != nil {
		return err
	}
	if s.vacated.moves[file] <= s.moved.Load() {
		return nil
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	return s.syncMovesLocked()
}

// settleSpentLocked lets the state tell, durably, how much of the tail is on disk, and removes the files of the drafts that
// became messages up to last, which is.
func (s *Stream) settleSpentLocked(last uint64) error {
	untold := func(d spentDraft) bool { return !d.known && d.seq <= last }
	if slices.ContainsFunc(s.w.spent, untold) {
		if s.w.file == nil {
			return nil // a sealed block is told of when the next one is begun
		}
		if err := s.writeStateLocked(false, s.w.state.Mark); err != nil {
			return err
		}
	}
	s.dropSpentLocked(last)
	return nil
}

// dropSpentLocked removes the files of drafts that became messages up to last, which are on disk. What it can't remove is
// tried again with the next ones, or when the store is opened.
func (s *Stream) dropSpentLocked(last uint64) {
	kept := s.w.spent[:0]
	for _, d := range s.w.spent {
		if d.seq <= last {
			err := s.fs.Remove(s.draftDir() + "/" + d.file)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				s.removeMarkName(d.file)
				continue
			}
			s.log.Warn("file of a draft that became a message can't be removed yet", "stream", s.config.Load().Name, "file", d.file, "cause", err)
		}
		kept = append(kept, d)
	}
	s.w.spent = kept
}

// planSpentLocked sees to it that the files of drafts that became messages go soon: also where nothing else would be synced.
func (s *Stream) planSpentLocked() {
	if s.w.timer == nil {
		s.planLocked()
	}
}
