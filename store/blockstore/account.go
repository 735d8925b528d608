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
	// used is how many bytes the streams take that are open.
	used atomic.Int64
	// consumers serialises making consumers, so that no two are the last one that may be.
	consumers sync.Mutex
}

// grow counts n more bytes as the stream's.
func (s *Stream) grow(n int64) {
	s.bytes.Add(n)
	s.st.account.used.Add(n)
}

// uncount takes a stream that is closed out of what the store takes.
func (s *Stream) uncount() { s.st.account.used.Add(-s.bytes.Swap(0)) }

// sizeOf is how many bytes the blocks of n take.
func sizeOf(n *snapshot) (size int64) {
	for i := range n.blocks {
		v := n.view(i)
		size += cmp.Or(v.sizeIn(n, i), v.end)
	}
	return size
}

// storableLocked says whether the store has room for n more bytes besides what is encoded.
func (s *Stream) storableLocked(n int64) error {
	l := &s.opt.Limits
	if l.MaxStorage == 0 {
		return nil
	}
	if err := l.CheckStorage(s.st.account.used.Load()+int64(len(s.w.buf)), n); err != nil {
		return fmt.Errorf("stream %s: %w", s.config.Load().Name, err)
	}
	return nil
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

// limited is u as the store's limits make it.
func (st *Store) limited(u store.Usage) store.Usage {
	return st.opt.Limits.Limit(u, uint64(max(0, st.account.used.Load())))
}
