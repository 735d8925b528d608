package blockstore

import (
	"context"
	"encoding/json"
	"errors"
	"math"

	"jsfs/store"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/record"
	"jsfs/store/replicate"
)

// pin finds out which removed messages must stay for what else they tell, whoever removed them: those whose Nats-Msg-Id
// is still to be remembered, and those that tell how far the stream is in its sources.
func (r *rewriting) pin(ctx context.Context) error {
	s := r.s
	cfg := s.config.Load()
	r.pinFrom = math.MaxUint64
	if len(cfg.Sources) > 0 {
		content, err := s.Recall(ctx)
		if err != nil {
			return err
		}
		// What who opens the stream would not go by doesn't count here, either.
		var known struct{ Through uint64 }
		content = replicate.PositionsUpTo(content, cfg, store.Seq(s.cur.Load().last))
		if json.Unmarshal(content, &known) != nil {
			known.Through = 0
		}
		r.pinFrom = known.Through + 1
	}
	since := s.opt.Now() - int64(cfg.DuplicateWindow)
	for _, b := range r.old {
		ids, err := s.withIDs(b, since, r.asOf)
		if err != nil {
			return err
		}
		r.ids = append(r.ids, ids)
	}
	return nil
}

// withIDs returns which messages of b, which is sealed, need not be kept but for their Nats-Msg-Id: those stored
// since then that have one. Of those that must stay for something else now, and may be removed any moment, it takes those with a header for such.
func (s *Stream) withIDs(b *block, since, asOf int64) (*bitset, error) {
	var ids *bitset
	v := view{block: b, runs: b.runs, count: int(b.all.Messages), next: b.next, end: b.dataEnd}
	first, err := s.seekIn(&v, since)
	if err != nil {
		return nil, err
	}
	var buf []byte
	for i := first; i < v.count; i++ { // forwards, so that it is read in large pieces
		h, err := s.readHead(&v, i)
		if err != nil {
			return nil, err
		}
		if h.Flags&record.FlagHeader == 0 {
			continue
		}
		if !b.stays(i, asOf) {
			m, err := s.load(&v, i, buf)
			if errors.Is(err, store.ErrNotFound) {
				continue // it was erased
			}
			if err != nil {
				return nil, err
			}
			if n := len(m.Header) + len(m.Data); cap(buf) < n {
				buf = make([]byte, 2*n+peekRead)
			}
			if policy.IDOf(m.Header) == "" {
				continue
			}
		}
		if ids == nil {
			ids = new(bitset).grown(v.count)
		}
		ids.words[i/64].Or(1 << (i % 64))
	}
	return ids, nil
}

// staysIn says whether message m of the i-th of the old blocks must stay on disk.
func (r *rewriting) staysIn(i, m int) bool {
	b := r.old[i]
	if b.stays(m, r.asOf) {
		return true
	}
	if ids := r.ids[i]; ids != nil && ids.get(m) {
		return true
	}
	v := view{block: b, runs: b.runs, count: int(b.all.Messages)}
	return r.pinFrom < b.next && v.seqOf(m) >= r.pinFrom
}
