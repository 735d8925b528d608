package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// writeStateLocked puts the state, as the writer has it, into the older slot, durably.
// The file has its full size from the start, so that it takes no space to write.
func (s *Stream) writeStateLocked(clean bool, mark uint64) error {
	w := &s.w
	if w.stateFile == nil {
		f, err := s.openState()
		if isNoSpace(err) || vfs.IsExhausted(err) {
			return fmt.Errorf("state of stream %s: %w", s.config.Load().Name, diskError(err)) // the next call may be lucky
		}
		if err != nil {
			return s.failLocked(fmt.Errorf("state of stream %s: %w", s.config.Load().Name, err))
		}
		w.stateFile = f
	}
	st := record.State{
		Generation: w.state.Generation + 1, Store: s.st.id, Incarnation: s.inc, Boot: s.boot,
		Clean: clean, Mark: mark, Block: w.lastBlock, Last: w.next - 1, LastTime: w.time,
	}
	if w.file != nil {
		st.Len = w.synced
	}
	b, off := st.Slot()
	_, err := w.stateFile.WriteAt(b, off)
	if err == nil {
		err = w.stateFile.Sync()
	}
	if err != nil {
		return s.failLocked(fmt.Errorf("state of stream %s: %w", s.config.Load().Name, err))
	}
	w.state = st
	return nil
}

// openState opens the file that the state is in. One that was lost is made again, without a state.
func (s *Stream) openState() (vfs.File, error) {
	name := s.dir + "/state"
	f, err := s.fs.Open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := writeNewFile(s.fs, name, make([]byte, record.StateSize)); err != nil {
		return nil, errors.Join(err, removeIfThere(s.fs, name))
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return nil, err
	}
	return s.fs.Open(name)
}

// reserveLocked lets the durable mark run ahead, so that seq may be handed out.
func (s *Stream) reserveLocked(seq uint64) error {
	if seq <= s.w.state.Mark {
		return nil
	}
	return s.writeStateLocked(false, markFor(seq))
}

// markFor is the durable mark from which seq and those that follow are handed out.
func markFor(seq uint64) uint64 {
	if seq >= math.MaxUint64-reserveStep {
		return math.MaxUint64
	}
	return seq + reserveStep - 1
}

// closeWriterLocked makes everything durable and leaves the state clean, if anything
// was written, nothing failed, and nothing is left to be removed: that is done by who opens a stream that is not clean.
func (s *Stream) closeWriterLocked() error {
	w := &s.w
	var left error
	if w.failed == nil {
		left = s.leaveLocked()
	}
	if left != nil && w.state.Clean {
		left = errors.Join(left, s.prepareLocked()) // which says that it is in use
	}
	if !w.ready {
		return errors.Join(left, s.closeFilesLocked())
	}
	err := w.failed // what was stored before may not be on disk
	if err == nil {
		err = s.syncLocked()
	}
	if err == nil && left == nil {
		if err = s.writeStateLocked(true, w.next-1); err == nil {
			s.dropSpentLocked(w.next - 1)
		}
	}
	err = errors.Join(left, err, s.closeFilesLocked())
	w.ready = false
	w.failed = store.ErrClosed
	return err
}

// closeFilesLocked closes the files that the writer has open.
func (s *Stream) closeFilesLocked() (err error) {
	w := &s.w
	if w.file != nil {
		err = w.file.Close()
	}
	if w.stateFile != nil {
		err = errors.Join(err, w.stateFile.Close())
	}
	w.file, w.stateFile = nil, nil
	return err
}
