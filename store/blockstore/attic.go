package blockstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"jsfs/store"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/vfs"
)

// takenPrefix begins the name of a removed stream that is being taken away for good.
const takenPrefix = "taken-"

// removedStream is a stream's directory in removed/.
type removedStream struct {
	dir  string // in the store
	inc  uint64
	at   int64  // when it was removed
	size int64  // of its files
	name string // of the stream, once somebody asked; see nameOf
	told *store.RemovedStream
	read int // so many read it just now, and it is not taken; guarded by Store.mu
}

// parseRemoved reads what the name of a directory in removed/ tells.
func parseRemoved(name string) (*removedStream, bool) {
	inc, at, ok := strings.Cut(name, "@")
	n, err := strconv.ParseUint(inc, 16, 64)
	t, err2 := strconv.ParseInt(at, 10, 64)
	if !ok || len(inc) != 16 || n == 0 || err != nil || err2 != nil {
		return nil, false
	}
	return &removedStream{dir: removedDir + "/" + name, inc: n, at: t}, true
}

// lookLocked returns the removed streams, the one that was removed first first. The caller holds mu for writing.
func (st *Store) lookLocked() ([]*removedStream, error) {
	if !st.looked {
		names, err := st.fs.List(removedDir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		found, sum := map[string]*removedStream{}, int64(0)
		for _, name := range names {
			r, ok := parseRemoved(name)
			if !ok {
				continue
			}
			if known := st.attic[name]; known != nil {
				r = known
			} else if r.size, err = st.sizeOf(r.dir); vfs.IsExhausted(err) {
				return nil, err
			} // else what can't be read counts as nothing, and keeps the others from nothing
			found[name] = r
			sum += r.size
		}
		st.attic, st.looked = found, true
		st.account.removed.Store(sum)
	}
	return slices.SortedFunc(maps.Values(st.attic), func(a, b *removedStream) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.inc, b.inc))
	}), nil
}

// syncRemoved makes durable that the removed streams are where they are found: the sync may have failed when one went, or the process
// been killed before it.
func (st *Store) syncRemoved() {
	names, err := st.fs.List(removedDir)
	if st.opt.ReadOnly || err == nil && len(names) == 0 {
		return
	}
	if err == nil {
		err = st.fs.SyncDir(removedDir)
	}
	if err == nil {
		err = st.fs.SyncDir(streamsDir) // behind that: else a crash may leave one nowhere
	}
	if err != nil {
		st.opt.Logger.Warn("whether removed streams are on disk could not be made sure", "cause", err)
	}
}

// countRemovedLocked counts what removed streams take, if something bounds it. The caller holds mu for writing.
func (st *Store) countRemovedLocked() {
	st.looked = false
	if st.opt.Limits.MaxStorage == 0 {
		return
	}
	if _, err := st.lookLocked(); err != nil {
		st.opt.Logger.Warn("what removed streams take could not be found out", "cause", err)
	}
}

// sizeOf returns how many bytes the files in a stream's directory have, those of drafts included. With an error it is those
// whose size is known.
func (st *Store) sizeOf(dir string) (sum int64, err error) {
	names, err := st.fs.List(dir)
	for _, name := range names {
		size, serr := st.sizeOfFile(dir+"/"+name, name == draftsName)
		sum, err = sum+size, cmp.Or(err, serr)
	}
	return sum, err
}

func (st *Store) sizeOfFile(name string, isDir bool) (int64, error) {
	if isDir {
		return st.sizeOf(name)
	}
	f, err := st.fs.Open(name)
	if err != nil {
		return 0, err
	}
	size, err := f.Size()
	return size, errors.Join(err, f.Close())
}

// isKept says whether the stream is kept at the time now.
func (r *removedStream) isKept(opt *Options, now int64) bool {
	return policy.KeptUntil(r.at, opt.KeepDeleted) > now
}

// findRemovedLocked returns the removed stream of an incarnation; store.ErrNotFound if none is kept.
func (st *Store) findRemovedLocked(inc uint64) (*removedStream, error) {
	removed, err := st.lookLocked()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(removed, func(r *removedStream) bool { return r.inc == inc && r.isKept(&st.opt, st.opt.Now()) })
	if i < 0 {
		return nil, store.ErrNotFound
	}
	return removed[i], nil
}

// Revive implements [store.Attic].
func (st *Store) Revive(ctx context.Context, inc uint64) (store.Stream, error) {
	if err := st.enter(ctx); err != nil {
		return nil, err
	}
	defer st.gate.leave()
	if st.opt.ReadOnly {
		return nil, fmt.Errorf("bring back stream %d: %w", inc, store.ErrReadOnly)
	}
	st.originMu.Lock()
	defer st.originMu.Unlock()
	s, err := st.revive(ctx, inc)
	if err != nil {
		return nil, fmt.Errorf("bring back stream %d: %w", inc, err)
	}
	st.links.Wake(s.config.Load().Name)
	st.links.Start(s)
	return s, nil
}

// revive brings back the messages first that went with the stream, and then the stream: so if it ends between the two
// it can be done again.
func (st *Store) revive(ctx context.Context, inc uint64) (*Stream, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	r, err := st.findRemovedLocked(inc)
	if err != nil {
		return nil, err
	}
	name, err := st.reviveMessages(ctx, r)
	if err != nil {
		return nil, err
	}
	delete(st.attic, strings.TrimPrefix(r.dir, removedDir+"/")) // its files are others now
	defer st.countRemovedLocked()
	if err := st.fs.Rename(r.dir, streamDir(inc)); err != nil {
		return nil, diskError(err)
	}
	if err = st.fs.SyncDir(streamsDir); err == nil {
		err = st.fs.SyncDir(removedDir)
	}
	if err != nil {
		st.breakLocked(name, err) // it is in place, at least until a crash: the name is taken
		return nil, diskError(err)
	}
	s, err := st.openToWrite(inc)
	if err != nil {
		if !st.takeBack(r.dir, inc) {
			st.breakLocked(name, err)
		}
		return nil, diskError(err)
	}
	st.enterAgainLocked(s)
	return s, nil
}

// takeBack moves a stream back to the removed ones, which could not be opened, and says whether it is there, durably.
func (st *Store) takeBack(dir string, inc uint64) bool {
	err := st.fs.Rename(streamDir(inc), dir)
	if err == nil {
		err = st.fs.SyncDir(removedDir)
	}
	if err == nil {
		err = st.fs.SyncDir(streamsDir)
	}
	return err == nil
}

// reviveMessages brings back those messages of a removed stream that were removed in one go with it, durably, and
// returns the stream's name; ErrExists if that is taken.
func (st *Store) reviveMessages(ctx context.Context, r *removedStream) (string, error) {
	s, err := st.openStream(r.dir, r.inc)
	if err != nil {
		return "", err
	}
	defer s.hub.Close()
	cfg := s.config.Load()
	if st.streams[cfg.Name] != nil || st.broken[cfg.Name] != nil {
		err = fmt.Errorf("stream %s: %w", cfg.Name, store.ErrExists)
	}
	if err == nil {
		err = st.revivable(s)
	}
	if err == nil {
		err = st.checkOriginsLocked(cfg)
	}
	if err == nil {
		err = s.undeleteOneGo(ctx, r.at)
	}
	return cfg.Name, errors.Join(err, s.close())
}

// revivable says whether the store's limits have room for a stream that comes back. The caller holds mu.
func (st *Store) revivable(s *Stream) error {
	have := 0
	for _, o := range st.streams {
		have += o.consumers.Len()
	}
	return st.opt.Limits.CheckRevive(len(st.streams)+len(st.broken), have, s.consumers.Len())
}

// takeRemoved takes the space of removed streams that are kept until asOf at most, and returns how many bytes that
// gave back.
func (st *Store) takeRemoved(ctx context.Context, asOf int64) (gained int64, err error) {
	for ctx.Err() == nil && !st.closing.Load() {
		st.mu.Lock()
		r, taken, err := st.takeOneLocked(asOf)
		st.mu.Unlock()
		if err != nil || r == nil {
			return gained, err
		}
		st.removeTree(taken)
		gained += r.size
		st.mu.Lock()
		err = st.delistLocked(r.inc) // there is room for that now
		st.mu.Unlock()
		if err != nil {
			return gained, fmt.Errorf("take removed stream %d: %w", r.inc, diskError(err))
		}
	}
	return gained, ctx.Err()
}

// takeOneLocked makes a removed stream one that is nobody's, durably, and returns where it is; nil if there is none.
func (st *Store) takeOneLocked(asOf int64) (*removedStream, string, error) {
	removed, err := st.lookLocked()
	if err != nil {
		return nil, "", err
	}
	for _, r := range removed {
		if r.isKept(&st.opt, asOf) || r.read > 0 {
			continue
		}
		if err := st.delistLocked(r.inc); err != nil { // it may still be listed, if it went when the disk was full
			return nil, "", fmt.Errorf("take removed stream %d: %w", r.inc, diskError(err))
		}
		name := strings.TrimPrefix(r.dir, removedDir+"/")
		taken := removedDir + "/" + takenPrefix + name
		st.looked = false
		err := st.fs.SyncDir(streamsDir) // if that failed when the stream was removed, a crash would bring it back, without its files
		if err == nil {
			err = st.fs.Rename(r.dir, taken)
		}
		if err == nil {
			err = st.fs.SyncDir(removedDir)
		}
		if err != nil {
			return nil, "", fmt.Errorf("take removed stream %d: %w", r.inc, diskError(err))
		}
		delete(st.attic, name)
		st.account.removed.Add(-r.size)
		st.looked = true
		return r, taken, nil
	}
	return nil, "", nil
}

func isTaken(name string) bool { return strings.HasPrefix(name, takenPrefix) }
