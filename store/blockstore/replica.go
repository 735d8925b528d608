package blockstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/replicate"
)

var _ replicate.Target = (*Stream)(nil)

// newLinks returns what follows origins for the store's streams.
func (st *Store) newLinks() *replicate.Runner {
	return replicate.New(replicate.Options{
		Logger: st.opt.Logger,
		Store:  hex.EncodeToString(st.id[:4]),
		Open: func(ctx context.Context, name string) (replicate.Origin, error) {
			return st.Stream(ctx, name)
		},
	})
}

// startLinks begins to follow origins. What goes wrong there keeps no stream from being served.
func (st *Store) startLinks() {
	if st.opt.ReadOnly {
		return
	}
	for _, s := range st.streams {
		st.links.Start(s)
	}
}

// checkOrigins refuses a configuration whose origins lead back to it. The caller holds originMu.
func (st *Store) checkOrigins(cfg store.Config) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.checkOriginsLocked(&cfg)
}

// checkOriginsLocked is checkOrigins for who holds mu for writing. Streams that could not be removed are looked at again: origins may lead over
// one of them.
func (st *Store) checkOriginsLocked(cfg *store.Config) error {
	if len(cfg.Origins()) == 0 {
		return nil
	}
	for name := range st.stays {
		if err := st.lookAgainLocked(name); err != nil {
			return err
		}
	}
	return cfg.CheckOrigins(func(name string) (store.Config, bool) {
		if s := st.streams[name]; s != nil {
			return *s.config.Load(), true
		}
		return store.Config{}, false
	})
}

// Origins implements [store.Replica].
func (s *Stream) Origins() []store.SourceState {
	return s.st.links.Origins(s.inc, *s.config.Load())
}

// originsName is the file in which a stream's positions in its origins are.
const originsName = "origins"

// Remember implements [replicate.Target].
func (s *Stream) Remember(ctx context.Context, b []byte) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	s.wmu.Lock()
	err := s.writableLocked()
	s.wmu.Unlock()
	if err != nil {
		return err
	}
	if err := replaceFile(s.fs, s.dir+"/"+originsName, s.st.smallFile(record.MagicOrigins, s.inc, b)); err != nil {
		return fmt.Errorf("positions of stream %s: %w", s.config.Load().Name, diskError(err))
	}
	return nil
}

// Recall implements [replicate.Target].
func (s *Stream) Recall(ctx context.Context) ([]byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	b, err := readFile(s.fs, s.dir+"/"+originsName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, record.ErrBad) {
		return nil, fmt.Errorf("positions of stream %s: %w", s.config.Load().Name, err)
	}
	content, _, err := s.st.openSmallFile(record.MagicOrigins, s.inc, b)
	switch {
	case record.IsVersion(err):
		return nil, fmt.Errorf("positions of stream %s: %w", s.config.Load().Name, err)
	case err != nil: // it is a cache
		s.log.Warn("positions in origins are damaged, and read from the messages", "stream", s.config.Load().Name)
		return nil, nil
	}
	return content, nil
}

// Kept implements [replicate.Target].
func (s *Stream) Kept(ctx context.Context, from store.Seq) iter.Seq2[store.Msg, error] {
	return func(yield func(store.Msg, error) bool) {
		var buf []byte
		for next := uint64(from); ; {
			m, err := s.nextKept(ctx, next, buf)
			var corrupt *store.CorruptError
			switch {
			case errors.Is(err, store.ErrBeyond):
				return
			case errors.As(err, &corrupt), errors.Is(err, store.ErrNotFound): // damaged, or erased
			case err != nil:
				yield(store.Msg{}, err)
				return
			default:
				if n := len(m.Header) + len(m.Data); cap(buf) < n {
					buf = make([]byte, 2*n+peekRead)
				}
				if !yield(m, nil) {
					return
				}
			}
			next = uint64(m.Seq) + 1
		}
	}
}

// nextKept reads the first message at or above seq that has a place in a block, live or removed;
// ErrBeyond if there is none. With any other error, too, the message's Seq is set.
func (s *Stream) nextKept(ctx context.Context, seq uint64, buf []byte) (store.Msg, error) {
	if err := s.enter(ctx); err != nil {
		return store.Msg{}, err
	}
	defer s.gate.leave()
	n := s.cur.Load()
	for b := max(n.blockOf(seq), 0); b < len(n.blocks); b++ {
		v := n.view(b)
		i, _ := v.place(seq)
		if i >= v.count {
			continue
		}
		m, err := s.load(&v, i, buf)
		m.Seq = store.Seq(v.seqOf(i))
		return m, err
	}
	return store.Msg{}, store.ErrBeyond
}
