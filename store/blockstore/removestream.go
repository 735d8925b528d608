package blockstore

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// Remove implements [store.Store]. The stream's files are kept under another name.
func (st *Store) Remove(ctx context.Context, name string) error {
	return st.removeStream(ctx, name, false)
}

// RemoveSealed implements [store.Store]. The messages stay live in the stream's files.
func (st *Store) RemoveSealed(ctx context.Context, name string) error {
	return st.removeStream(ctx, name, true)
}

// removeStream takes a stream away, if it is sealed and whole is set with its messages.
func (st *Store) removeStream(ctx context.Context, name string, whole bool) error {
	if err := st.enter(ctx); err != nil {
		return err
	}
	defer st.gate.leave()
	st.originMu.Lock() // it may be truncated meanwhile
	defer st.originMu.Unlock()
	if err := st.prepareRemoval(name); err != nil {
		return fmt.Errorf("remove stream %s: %w", name, err)
	}
	s, err := st.takeOut(name, whole)
	if err != nil {
		return err
	}
	err = s.closeRetired()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.leaving = ""
	if err != nil { // what was removed from it may not be on disk
		st.countRemovedLocked()
		err = fmt.Errorf("remove stream %s: %w", name, err)
		if isRefused(err) {
			st.stayLocked(s, err)
			return err
		}
		st.breakLocked(name, err)
		st.unclean = append(st.unclean, err)
		return err
	}
	stays, err := st.putAwayLocked(s)
	if err != nil {
		err = fmt.Errorf("remove stream %s: %w", name, diskError(err))
	}
	if stays {
		st.stayLocked(s, err)
		return err
	}
	s.post(store.StreamRemoved, s.cur.Load().rev+1, store.Meta{})
	s.hub.Close()
	if err != nil {
		st.breakLocked(name, err) // it may be on disk still: the name is taken
	}
	return err
}

// putAwayLocked moves a stream that is closed to the removed ones, durably. With an error, stays says that it is where it was for certain.
// The caller holds mu for writing.
func (st *Store) putAwayLocked(s *Stream) (stays bool, err error) {
	err = st.delistLocked(s.inc)
	stays = err != nil
	if err == nil {
		err = st.fs.Rename(s.dir, fmt.Sprintf("%s/%016x@%d", removedDir, s.inc, st.opt.Now()))
		stays = isRefused(err)
	}
	st.countRemovedLocked()
	if st.account.unread.Load() > 0 {
		st.countUnreadLocked() // it may have been counted among those while it was on its way
	}
	if err == nil {
		err = st.fs.SyncDir(removedDir)
	}
	if err == nil {
		err = st.fs.SyncDir(streamsDir)
	}
	return stays, err
}

// prepareRemoval has on disk what a stream's consumers remember: a stream that can't be removed goes on with that. And none is to come into its place.
func (st *Store) prepareRemoval(name string) error {
	st.mu.RLock()
	s := st.streams[name]
	st.mu.RUnlock()
	if s == nil || st.opt.ReadOnly {
		return nil // who takes it out says why
	}
	if err := s.settleBefore(); err != nil {
		return err
	}
	return s.consumers.Flush()
}

// takeOut lets nobody find a stream any more, and nothing come in, if it is empty, or sealed and whole is set. It is to be closed
// without mu: calls on it that are under way may need that before they end.
func (st *Store) takeOut(name string, whole bool) (*Stream, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := st.lookAgainLocked(name); err != nil {
		return nil, fmt.Errorf("stream %s can't be removed: %w", name, err)
	}
	s := st.streams[name]
	if s == nil {
		return nil, fmt.Errorf("stream %s: %w", name, store.ErrNotFound)
	}
	if st.opt.ReadOnly {
		return nil, fmt.Errorf("remove stream %s: %w", name, store.ErrReadOnly)
	}
	if err := s.retireLocked(whole); err != nil {
		return nil, fmt.Errorf("remove stream %s: %w", name, err)
	}
	delete(st.streams, name)
	st.leaving = name
	st.links.Drop(s.inc)
	return s, nil
}

// retireLocked lets nothing come in any more, if there is nothing. It takes both locks.
func (s *Stream) retireLocked(whole bool) error {
	s.draftMu.Lock()
	defer s.draftMu.Unlock()
	drafts, err := s.listDrafts()
	if err != nil {
		return err
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.w.failed != nil {
		return s.writableLocked()
	}
	whole = whole && s.config.Load().Sealed
	if s.cur.Load().live.Messages > 0 && !whole || len(drafts) > 0 {
		return store.ErrNotEmpty
	}
	s.retired, s.leaves = true, true
	s.w.failed = fmt.Errorf("stream was removed: %w", store.ErrClosed)
	return nil
}

// isRefused says that an error is of calls that did nothing to the disk, as it is full or no more files may be open.
func isRefused(err error) bool {
	_, lost := errors.AsType[*syncError](err)
	return (isNoSpace(err) || vfs.IsExhausted(err)) && !errors.Is(err, syscall.EIO) && !lost
}

// stayLocked lets a stream be opened again that was closed to be removed and is in its place still, as err kept it from
// going: at once, or when somebody asks for it. The caller holds mu for writing.
func (st *Store) stayLocked(s *Stream, err error) {
	name := s.config.Load().Name
	s.post(store.StreamRemoved, s.cur.Load().rev+1, store.Meta{})
	s.hub.Close()
	st.broken[name], st.stays[name] = err, s.inc
	if err := st.lookAgainLocked(name); err != nil {
		st.countUnreadLocked()
		s.log.Warn("stream that could not be removed is opened when somebody asks for it", "stream", name, "cause", err)
	}
}

// lookAgainLocked opens a stream that could not be removed, and returns why a stream of that name can't be served. The caller holds
// mu for writing.
func (st *Store) lookAgainLocked(name string) error {
	inc, ok := st.stays[name]
	if !ok {
		return st.broken[name]
	}
	s, err := st.openToWrite(inc)
	if err != nil {
		return fmt.Errorf("stream %s could not be removed, and not be opened again: %w", name, err)
	}
	delete(st.stays, name)
	delete(st.broken, name)
	st.enterAgainLocked(s)
	st.links.Wake(name)
	st.links.Start(s)
	return nil
}

// enterAgainLocked serves a stream that is open in its place again. The caller holds mu for writing.
func (st *Store) enterAgainLocked(s *Stream) {
	s.account()
	s.settleDrafts()
	s.beginLimits(true)
	s.beginConsumers()
	name := s.config.Load().Name
	st.streams[name] = s
	st.reg.add(s.inc)
	st.countUnreadLocked()
	st.hub.Post(store.Event{Kind: store.StreamCreated, Stream: name, Incarnation: s.inc})
}
