package blockstore

import (
	"context"
	"iter"

	"jsfs/store"
)

// LoadRun implements [store.Reader]. A run ends with its block.
func (s *Stream) LoadRun(ctx context.Context, seq store.Seq, buf []byte) iter.Seq2[store.Msg, error] {
	return func(yield func(store.Msg, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(store.Msg{}, err)
			return
		}
		defer s.gate.leave()
		v, i, err := s.locate(uint64(seq))
		if err != nil {
			yield(store.Msg{}, err)
			return
		}
		m, err := s.load(&v, i, buf)
		for yield(m, err) && err == nil {
			if i++; i == v.count || v.isDeleted(i) || v.seqOf(i) != uint64(m.Seq)+1 {
				return
			}
			if m, err = s.loadOn(&v, i, buf, m.Subject); err != nil {
				return // who reads on is told
			}
		}
	}
}
