package blockstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// writableLocked says whether anything may be changed.
func (s *Stream) writableLocked() error {
	name := s.config.Load().Name
	switch {
	case errors.Is(s.w.failed, store.ErrClosed):
		return fmt.Errorf("stream %s: %w", name, store.ErrClosed)
	case s.w.failed != nil:
		return fmt.Errorf("stream %s: %w: %w", name, store.ErrReadOnly, s.w.failed)
	case s.opt.ReadOnly:
		return fmt.Errorf("stream %s: %w", name, store.ErrReadOnly)
	}
	return nil
}

// prepareLocked does what has to be done before the first write. Each step that is
// done is not done again if a later one finds the disk full.
func (s *Stream) prepareLocked() error {
	if s.w.ready && s.w.failed == nil {
		return nil
	}
	if err := s.writableLocked(); err != nil || s.w.ready {
		return err
	}
	w, p := &s.w, &s.w.plan
	for len(p.torn) > 0 {
		if err := s.setAsideLocked(p.torn[0]); err != nil {
			return err
		}
		p.torn = p.torn[1:]
	}
	if w.tail != nil && w.file == nil {
		f, err := s.fs.Open(w.tail.name)
		if vfs.IsExhausted(err) {
			return fmt.Errorf("prepare stream: %w", err) // nothing was done to the disk: the next call may be lucky
		}
		if err != nil {
			return s.failLocked(fmt.Errorf("prepare stream: %w", err))
		}
		w.file = f
	}
	if p.junk > 0 {
		if err := s.cutLocked(); err != nil {
			return err
		}
	}
	if !p.newBlock {
		if err := s.syncNamesLocked(); err != nil { // who begins a block does that, too
			return err
		}
		err := s.writeStateLocked(false, markFor(w.next))
		w.ready = err == nil || w.failed != nil // else who opens the stream after a kill would take what comes for nobody's
		return err
	}
	if w.file != nil && !w.begun {
		if err := s.sealLeftLocked(); err != nil {
			return err
		}
	} else if !w.begun && !w.state.Clean {
		if err := s.syncNewestLocked(); err != nil {
			return err
		}
	}
	if err := s.beginAfterLocked(); err != nil {
		return err
	}
	w.ready = true
	return nil
}

// sealLeftLocked seals the tail that the process before left.
func (s *Stream) sealLeftLocked() error {
	w := &s.w
	if err := s.writeAgainLocked(w.tail, w.file, w.plan.durable, w.end); err != nil {
		return err
	}
	return s.sealTailLocked()
}

// syncNewestLocked makes the newest block durable, which has its footer: the process may have been killed right before it
// did that, and what comes behind the block must not be there without it.
func (s *Stream) syncNewestLocked() error {
	blocks := s.cur.Load().blocks
	if len(blocks) == 0 {
		return nil
	}
	b := blocks[len(blocks)-1]
	f, err := s.fs.Open(b.name)
	if vfs.IsExhausted(err) {
		return fmt.Errorf("prepare stream: %w", err)
	}
	if err != nil {
		return s.failLocked(fmt.Errorf("prepare stream: %w", err))
	}
	if err := s.writeAgainLocked(b, f, record.DataStart, b.size); err != nil {
		return errors.Join(err, f.Close())
	}
	if err = errors.Join(f.Sync(), f.Close()); err != nil {
		return s.failLocked(fmt.Errorf("sync %s: %w", b.name, err))
	}
	return nil
}

// writeAgainLocked writes what stands in the newest block from off to end, and may not be on disk, once more. Where a sync failed for the process
// before, the system takes it for written: then only what is written again reaches the disk with the next sync.
func (s *Stream) writeAgainLocked(b *block, f vfs.File, off, end int64) error {
	if s.w.state.Clean || s.w.state.Boot != s.boot {
		return nil // what is read is what is on disk
	}
	for buf := make([]byte, writeSize); off < end; {
		n := min(int64(len(buf)), end-off)
		if k, err := f.ReadAt(buf[:n], off); int64(k) < n {
			return fmt.Errorf("read %s: %w", b.name, unexpected(err))
		}
		if _, err := f.WriteAt(buf[:n], off); isNoSpace(err) {
			return fmt.Errorf("write %s again: %w", b.name, diskError(err))
		} else if err != nil {
			return s.failLocked(fmt.Errorf("write %s again: %w", b.name, err))
		}
		off += n
	}
	return nil
}

// beginAfterLocked begins a block after an unclean stop, and accounts for the sequences that
// nobody knows of.
func (s *Stream) beginAfterLocked() error {
	w, p := &s.w, &s.w.plan
	if !w.begun {
		w.state.Mark = max(w.state.Mark, p.mark)
		if err := s.beginBlockLocked(); err != nil {
			return err
		}
		w.begun = true
	}
	if p.lost > 0 {
		s.encodeSkip(p.lost, record.SkipLost, w.time)
	}
	if next := w.coming(); p.mark >= next {
		s.encodeSkip(p.mark-next+1, record.SkipReserved, w.time)
	}
	if err := s.flushLocked(); err != nil {
		return err
	}
	s.publishSkippedLocked()
	return nil
}

// syncNamesLocked makes durable what the names in the stream's directory lead to: a configuration that an update has put in place
// is shown, and may not be on disk if the sync failed then.
func (s *Stream) syncNamesLocked() error {
	err := s.fs.SyncDir(s.dir)
	if isNoSpace(err) || vfs.IsExhausted(err) {
		return fmt.Errorf("prepare stream: %w", diskError(err))
	}
	if err != nil {
		return s.failLocked(fmt.Errorf("prepare stream: %w", err))
	}
	return nil
}

// setAsideLocked moves a file to quarantine. It may be there already, if the sync behind that could not be tried.
func (s *Stream) setAsideLocked(name string) error {
	to, err := s.st.quarantineName(fmt.Sprintf("%016x-%s", s.inc, path.Base(name)))
	if err == nil {
		err = s.fs.Rename(name, to)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskError(err)
	}
	return s.syncNamesLocked()
}

// cutLocked copies the junk behind the tail to quarantine, durably, and cuts it off.
func (s *Stream) cutLocked() error {
	w, p := &s.w, &s.w.plan
	name, err := s.st.quarantineName(fmt.Sprintf("%016x-%s-%d", s.inc, path.Base(w.tail.name), p.cut))
	if err == nil {
		err = s.copyOut(w.file, p.cut, p.junk, name)
	}
	if err != nil {
		return fmt.Errorf("set aside the torn end of %s: %w", w.tail.name, diskError(err))
	}
	if err = w.file.Truncate(p.cut); err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		return s.failLocked(fmt.Errorf("cut %s: %w", w.tail.name, err))
	}
	s.log.Warn("torn end of a block cut off", "block", w.tail.name, "offset", p.cut, "bytes", p.junk, "kept_in", name)
	p.junk = 0
	return nil
}

// copyOut copies a piece of f into a new file, durably.
func (s *Stream) copyOut(f vfs.File, off, n int64, name string) error {
	out, err := s.fs.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(out, 0), io.NewSectionReader(f, off, n))
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		_ = s.fs.Remove(name)
		return err
	}
	return s.fs.SyncDir(path.Dir(name))
}
