package blockstore

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"

	"jsfs/store"
)

// account counts what the store's limits are about.
type account struct {
	// used is how many bytes the streams take that are open, their drafts, if something bounds them, included.
	used atomic.Int64
	// removed is how many bytes the streams take that were removed and are kept, unread those that can't be served. Nobody
	// counts them where nothing bounds them.
	removed, unread atomic.Int64
	// belowLimit and onDisk are when no room was made below the store's limit, and on a full disk. They are guarded by the
	// reclaimer's roomMu.
	belowLimit, onDisk futile
	// consumers serialises making consumers, so that no two are the last one that may be.
	consumers sync.Mutex
}

// grow counts n more bytes as the stream's.
func (s *Stream) grow(n int64) {
	s.bytes.Add(n)
	s.st.account.used.Add(n)
}

// account counts what a stream takes that was opened. It comes before the Stream is shared.
func (s *Stream) account() {
	s.grow(sizeOf(s.cur.Load()))
	s.countDrafts()
}

// uncount takes a stream that is closed out of what the store takes, or lets removed ones take it: others must not take its
// place while it is on its way. The caller holds wmu.
func (s *Stream) uncount() {
	n := s.bytes.Swap(0)
	if s.leaves {
		s.st.account.removed.Add(n)
	}
	s.st.account.used.Add(-n)
}

// sizeOf is how many bytes the blocks of n take.
func sizeOf(n *snapshot) (size int64) {
	for i := range n.blocks {
		v := n.view(i)
		size += cmp.Or(v.sizeIn(n, i), v.end)
	}
	return size
}

// storageError says that the store's limit keeps a message from being stored, which giving back what was removed
// can change.
type storageError struct{ error }

func (e *storageError) Unwrap() error { return e.error }

// breakLocked notes that a stream can't be served, and why. The caller holds mu for writing.
func (st *Store) breakLocked(name string, err error) {
	st.broken[name] = err
	st.countUnreadLocked()
}

// countUnreadLocked counts what streams take that are in their place and not served, if something bounds it: as they can't be read, or
// another one was to take their place. The caller holds mu for writing.
func (st *Store) countUnreadLocked() {
	if st.opt.Limits.MaxStorage == 0 {
		return
	}
	incs, err := st.incarnations(streamsDir)
	served := map[uint64]bool{}
	for _, s := range st.streams {
		served[s.inc] = true
	}
	sum := int64(0)
	for _, inc := range incs {
		if !served[inc] {
			size, serr := st.sizeOf(streamDir(inc))
			sum, err = sum+size, cmp.Or(err, serr)
		}
	}
	if err != nil {
		st.opt.Logger.Warn("what streams take that can't be served is not known as a whole", "cause", err)
	}
	st.account.unread.Store(sum)
}

// storableLocked says whether the store has room for n more bytes besides what is encoded.
func (s *Stream) storableLocked(n int64) error { return s.storable(int64(len(s.w.buf)), n) }

// storable says whether the store has room for n more bytes besides so many that are to be written.
func (s *Stream) storable(pending, n int64) error {
	l := &s.opt.Limits
	if l.MaxStorage == 0 {
		return nil
	}
	a := &s.st.account
	if err := l.CheckStorage(a.used.Load()+a.removed.Load()+a.unread.Load()+pending, n); err != nil {
		err = fmt.Errorf("stream %s: %w", s.config.Load().Name, err)
		if n <= l.MaxStorage {
			return &storageError{err}
		}
		return err // no room is enough
	}
	return nil
}

// futileFor is for how long, in nanoseconds, nobody tries again to make room where there was none.
const futileFor = 1e9

// futile is what there was to give back when that made no room, at a time in nanoseconds since the Unix epoch.
type futile struct {
	leftovers
	at int64
}

// leftovers are how many messages are removed and still there, and how many streams, and how often blocks were written anew.
type leftovers struct{ dead, rewrites int64 }

// is says whether nothing can be given back of so much, as far as is known.
func (f *futile) is(w leftovers, now int64) bool { return w == f.leftovers && now-f.at < futileFor }

// leftovers is what there is to give back.
func (st *Store) leftovers() (w leftovers) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if removed, err := st.lookLocked(); err == nil {
		w.dead = int64(len(removed))
	}
	for _, s := range st.streams {
		for _, b := range s.cur.Load().blocks {
			w.dead += b.dead.Load()
		}
		w.rewrites += s.rewrites.Load()
	}
	return w
}

// beginConsumer lets one more consumer be made, unless there are as many as may be. The caller ends it.
func (st *Store) beginConsumer() (end func(), err error) {
	if st.opt.Limits.MaxConsumers == 0 {
		return func() {}, nil
	}
	st.account.consumers.Lock()
	st.mu.RLock()
	have := 0
	for _, s := range st.streams {
		have += s.consumers.Len()
	}
	st.mu.RUnlock()
	if err := st.opt.Limits.CheckConsumer(have); err != nil {
		st.account.consumers.Unlock()
		return nil, err
	}
	return st.account.consumers.Unlock, nil
}

// limited is u as the store's limits make it; free of the bytes that streams take can be given back, as can all that removed ones take.
func (st *Store) limited(u store.Usage, free int64) store.Usage {
	return st.opt.Limits.Limit(u, uint64(max(0, st.account.used.Load()+st.account.unread.Load()-free)))
}
