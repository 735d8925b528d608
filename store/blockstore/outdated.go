package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"jsfs/store"
)

// predecessor is a stream whose place the one in the directory by took, when it was truncated.
type predecessor struct {
	dir string
	inc uint64
	by  string
	at  int64 // when that was
}

// errServed says that a stream that was replaced is served, and stays where it is: it was brought back meanwhile, or opened while it could
// not be read that it was replaced.
var errServed = errors.New("it is a stream of its own by now")

// setReplacedAside keeps a stream that was replaced, durably, among those that were removed. Its drafts are those of the other one. The
// caller holds originMu, if others have the store.
func (st *Store) setReplacedAside(r predecessor) error {
	if st.serves(r.inc) {
		return errServed
	}
	st.removeTree(r.dir + "/" + draftsName)
	st.mu.Lock()
	err := st.delistLocked(r.inc)
	if err == nil {
		err = st.fs.Rename(r.dir, fmt.Sprintf("%s/%016x@%d", removedDir, r.inc, r.at))
	}
	st.countRemovedLocked()
	st.countUnreadLocked() // it stays in its place if it could not be moved
	st.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it was done before
	}
	if err == nil {
		err = st.fs.SyncDir(removedDir)
	}
	if err == nil {
		err = st.fs.SyncDir(streamsDir)
	}
	if err == nil {
		err = removeIfThere(st.fs, r.by+"/"+replacesName)
	}
	return err
}

// serves says whether an incarnation is that of a stream that is served.
func (st *Store) serves(inc uint64) bool {
	st.mu.RLock()
	defer st.mu.RUnlock()
	for _, s := range st.streams {
		if s.inc == inc {
			return true
		}
	}
	return false
}

// setAsideLater has a stream that was replaced, and that err kept in its place, moved by a later call, where that can help: else it is
// when the store is opened.
func (st *Store) setAsideLater(r predecessor, err error) {
	if isRefused(err) {
		st.mu.Lock()
		st.outdated = append(st.outdated, r)
		st.mu.Unlock()
	}
}

// setOutdatedAside moves the streams that were replaced and are in their place still. Of those that can't be moved it says nothing: they
// are not to be found. The caller holds originMu.
func (st *Store) setOutdatedAside() {
	st.mu.Lock()
	outdated := st.outdated
	st.outdated = nil
	st.mu.Unlock()
	for _, r := range outdated {
		if err := st.setReplacedAside(r); err != nil {
			st.setAsideLater(r, err)
		}
	}
}

// hasOutdated says whether there are streams that were replaced and are in their place still.
func (st *Store) hasOutdated() bool {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return len(st.outdated) > 0
}

// settlePredecessor moves the stream away whose place this one took, if that could not be done then: also before this one goes from its place,
// as nobody would know then that the other one was replaced.
func (s *Stream) settlePredecessor() error {
	names, err := s.fs.List(s.dir)
	if err == nil && (!slices.Contains(names, replacesName) || s.opt.ReadOnly) {
		return nil
	}
	var b []byte
	if err == nil {
		b, err = readFile(s.fs, s.dir+"/"+replacesName)
	}
	var old uint64
	if err == nil {
		if old, err = s.st.replacedBy(s.inc, b); err != nil {
			err = &store.CorruptError{File: s.dir + "/" + replacesName, Err: err}
		}
	}
	if err == nil {
		err = s.st.setReplacedAside(predecessor{streamDir(old), old, s.dir, s.st.opt.Now()})
	}
	if err != nil {
		return fmt.Errorf("the stream before it was truncated is in its place still: %w", err)
	}
	return nil
}

// settleBefore is settlePredecessor for a stream that is to go from its place: it may where nobody can ever know whose place it took, and
// where that one is served.
func (s *Stream) settleBefore() error {
	if err := s.settlePredecessor(); !isCorrupt(err) && !errors.Is(err, errServed) {
		return diskError(err)
	}
	return nil
}
