package memstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"iter"

	"jsfs/store"
	"jsfs/store/replicate"
)

var _ replicate.Target = (*stream)(nil)

// newLinks returns what follows origins for the store's streams.
func (s *Store) newLinks() *replicate.Runner {
	return replicate.New(replicate.Options{
		Logger: s.opt.Logger,
		Store:  rand.Text()[:8],
		Open: func(ctx context.Context, name string) (replicate.Origin, error) {
			return s.Stream(ctx, name)
		},
	})
}

// configLocked returns a stream's configuration by its name.
func (s *Store) configLocked(name string) (store.Config, bool) {
	st := s.streams[name]
	if st == nil {
		return store.Config{}, false
	}
	return st.cfg, true
}

// Origins implements [store.Replica].
func (st *stream) Origins() []store.SourceState {
	return st.s.links.Origins(st.inc, st.Config())
}

// Remember implements [replicate.Target].
func (st *stream) Remember(_ context.Context, b []byte) error {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return err
	}
	st.origins = bytes.Clone(b)
	return nil
}

// Recall implements [replicate.Target].
func (st *stream) Recall(context.Context) ([]byte, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	return bytes.Clone(st.origins), st.openLocked()
}

// Kept implements [replicate.Target].
func (st *stream) Kept(_ context.Context, from store.Seq) iter.Seq2[store.Msg, error] {
	return func(yield func(store.Msg, error) bool) {
		for {
			m, ok, err := st.nextKept(from)
			if err != nil {
				yield(store.Msg{}, err)
				return
			}
			if !ok || !yield(m, nil) {
				return
			}
			from = m.Seq + 1
		}
	}
}

// nextKept returns the first message at or above seq, live or removed; ok is false if there is none.
func (st *stream) nextKept(seq store.Seq) (m store.Msg, ok bool, err error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return store.Msg{}, false, err
	}
	i := st.indexLocked(seq)
	if i == len(st.msgs) {
		return store.Msg{}, false, nil
	}
	return st.msgs[i].copyTo(nil), true, nil
}
