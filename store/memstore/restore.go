package memstore

import (
	"context"
	"fmt"
	"math"

	"jsfs/store"
)

// RestoreAll implements [store.Writer].
func (st *stream) RestoreAll(_ context.Context, ms []store.Msg) (int, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	defer st.enforceLocked()
	for i := range ms {
		if err := st.restoreLocked(ms[i]); err != nil {
			return i, err
		}
	}
	return len(ms), st.openLocked()
}

// SkipTo implements [store.Writer].
func (st *stream) SkipTo(_ context.Context, last store.Seq, t int64) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return err
	}
	switch {
	case st.cfg.Sealed:
		return fmt.Errorf("stream %s: %w", st.cfg.Name, store.ErrSealed)
	case last <= st.last:
		return fmt.Errorf("sequence %d of stream %s: %w", last, st.cfg.Name, store.ErrExists)
	case last == math.MaxUint64:
		return fmt.Errorf("stream %s: %w: no sequence number would be left", st.cfg.Name, store.ErrInvalid)
	}
	st.skipLocked(last)
	st.lastTime = max(st.lastTime, t)
	return nil
}
