package blockstore

import (
	"context"
	"errors"
	"sort"

	"jsfs/store"
)

// SeekTime implements [store.Finder]. Times do not go backwards, so it searches by halves: the blocks, and then
// the messages of one.
func (s *Stream) SeekTime(ctx context.Context, ns int64) (store.Seq, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	n := s.cur.Load()
	var failed error
	// The first block whose last message is late enough.
	b := sort.Search(len(n.blocks), func(b int) bool {
		if failed != nil {
			return true
		}
		late, err := s.endsAt(n, b, ns)
		failed = err
		return late
	})
	if failed != nil {
		return 0, failed
	}
	if b == len(n.blocks) {
		return store.Seq(n.last + 1), nil
	}
	v := n.view(b)
	i, err := s.seekIn(&v, ns)
	if err != nil {
		return 0, err
	}
	if i >= v.count { // only messages that can't be read are late enough
		return store.Seq(n.nextLive(v.next)), nil
	}
	return store.Seq(n.nextLive(v.seqOf(i))), nil
}

// endsAt says whether a message of block b, or of the ones before it as far as they can't tell, has the time ns or later. A
// block without messages says what the one before it does.
func (s *Stream) endsAt(n *snapshot, b int, ns int64) (bool, error) {
	for ; b >= 0; b-- {
		v := n.view(b)
		if v.count == 0 {
			continue
		}
		if !v.known && v.trailer != nil {
			return v.trailer.LastTime >= ns, nil
		}
		for i := v.count - 1; i >= 0; i-- {
			t, ok, err := s.timeOf(&v, i)
			if ok || err != nil {
				return t >= ns, err
			}
		}
	}
	return false, nil
}

// seekIn returns the first message of v with the time ns or later, or count. Messages that can't be read are
// passed over.
func (s *Stream) seekIn(v *view, ns int64) (int, error) {
	lo, hi := 0, v.count
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		// The time of mid, or of the next one that can be read.
		at := mid
		t, ok, err := s.timeOf(v, at)
		for err == nil && !ok && at+1 < hi {
			at++
			t, ok, err = s.timeOf(v, at)
		}
		switch {
		case err != nil:
			return 0, err
		case !ok || t >= ns:
			hi = mid
		default:
			lo = at + 1
		}
	}
	return lo, nil
}

// timeOf returns the time of message i of v. ok is false if damage has taken it.
func (s *Stream) timeOf(v *view, i int) (t int64, ok bool, err error) {
	h, err := s.readHead(v, i)
	var corrupt *store.CorruptError
	if errors.As(err, &corrupt) {
		return 0, false, nil
	}
	return h.Time, err == nil, err
}
