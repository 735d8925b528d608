package blockstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/watch"
)

// eraseCopies erases message seq from what the stream was before it was truncated, which is kept as a removed one is. It comes
// before the message itself is erased: so if it ends between the two it can be done again. Who finds it was left alone finds the
// message there as it was.
func (s *Stream) eraseCopies(ctx context.Context, seq store.Seq) error {
	st := s.st
	if err := st.enter(ctx); err != nil {
		return err
	}
	defer st.gate.leave()
	st.originMu.Lock() // the stream may just take the place of another one
	defer st.originMu.Unlock()
	if err := s.settlePredecessor(); err != nil {
		return err
	}
	st.mu.Lock()
	removed, err := st.lookLocked()
	for _, r := range removed {
		r.read++ // it is not taken meanwhile, and not brought back, as originMu is held: mu is free for others while the disk works
	}
	st.mu.Unlock()
	defer func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		for _, r := range removed {
			r.read--
		}
	}()
	if err != nil {
		return err
	}
	name := s.config.Load().Name
	var own *copied
	for _, r := range removed {
		if got := st.nameOf(r); got != name && got != "" {
			continue
		}
		if own == nil {
			if own, err = s.copied(ctx, seq); own == nil || err != nil {
				return err
			}
		}
		if err := st.eraseCopy(ctx, r, own); err != nil {
			return fmt.Errorf("copy in removed stream %d: %w", r.inc, err)
		}
	}
	return nil
}

// nameOf is the name of a removed stream, "" if that is not known. The caller holds originMu.
func (st *Store) nameOf(r *removedStream) string {
	if r.name == "" {
		b, err := readFile(st.fs, r.dir+"/config")
		if err == nil {
			var content []byte
			var cfg struct {
				Name string `json:"name"`
			}
			if content, _, err = st.openSmallFile(record.MagicConfig, r.inc, b); err == nil && json.Unmarshal(content, &cfg) == nil {
				r.name = cfg.Name
			}
		}
	}
	return r.name
}

// copied is a message of which a truncation may have left a copy.
type copied struct {
	store.Msg
	whole bool // else it is damaged, and has its Meta only
}

// copied looks at message seq, live or removed; nil if nothing is left of it.
func (s *Stream) copied(ctx context.Context, seq store.Seq) (*copied, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	v, i, ok := s.cur.Load().find(uint64(seq))
	if !ok {
		return nil, nil
	}
	h, err := s.readHead(&v, i)
	if err != nil {
		return nil, err
	}
	m, err := s.load(&v, i, nil)
	switch {
	case err == nil:
		return &copied{m, true}, nil
	case isCorrupt(err), errors.Is(err, store.ErrNotFound) && s.erasing.Load() == uint64(seq): // a crash may have left a part of it
		return &copied{Msg: store.Msg{Meta: h.Meta()}}, nil
	case errors.Is(err, store.ErrNotFound):
		return nil, nil // it was erased
	}
	return nil, err
}

// same says whether both are one message, as far as that can be known.
func (c *copied) same(o *copied) bool {
	if c.Meta != o.Meta {
		return false
	}
	return !c.whole || !o.whole || c.Subject == o.Subject && bytes.Equal(c.Header, o.Header) && bytes.Equal(c.Data, o.Data)
}

// eraseCopy erases message m from a removed stream, if that has it. That it was sealed, or denied to remove messages, says nothing of
// the stream that has its name now. The caller holds originMu, and r is not taken meanwhile.
func (st *Store) eraseCopy(ctx context.Context, r *removedStream, m *copied) error {
	s, err := st.openStream(r.dir, r.inc)
	if err != nil {
		return err
	}
	s.hub.Close()
	s.hub = watch.NewHub(nil) // nobody knows the stream
	s.opt.Limits = store.AccountLimits{}
	cfg := s.config.Load().Clone()
	cfg.Sealed, cfg.DenyDelete = false, false
	s.config.Store(&cfg)
	own, err := s.copied(ctx, m.Seq)
	if own == nil || err != nil || !own.same(m) {
		return errors.Join(err, s.close())
	}
	_, err = s.eraseStored(m.Seq)
	err = errors.Join(err, s.close())
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.attic, strings.TrimPrefix(r.dir, removedDir+"/")) // it has other files now, and less comes back with it
	st.countRemovedLocked()
	return err
}
