package blockstore

import (
	"context"
	"slices"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/record"
)

// inOneGo gathers the messages that were removed in one go with the stream, which was removed at the time at: going back
// from there, each removal by hand that came at most store.OneGo before the one behind it.
func (s *Stream) inOneGo(ctx context.Context, at int64) (*removal, error) {
	n := s.cur.Load()
	times, err := s.removalTimes(ctx, n, anyBlock)
	if err != nil {
		return nil, err
	}
	var all []int64
	for _, in := range times {
		for _, t := range in {
			if t != 0 && t != byLimit {
				all = addTime(all, t)
			}
		}
	}
	slices.Sort(all)
	removed := at
	for _, t := range slices.Backward(all) {
		if t < at-store.OneGo || policy.KeptUntil(t, s.opt.KeepDeleted) <= removed { // what was kept no more may have been forgotten
			break
		}
		at = min(at, t) // a message that is ahead of the clock makes removals behind it later than now
	}
	r := s.newRemoval()
	for i := range n.blocks {
		v := n.view(i)
		in := times[v.block]
		for m := range in {
			if in[m] == 0 || in[m] < at || !v.isDeleted(m) {
				continue
			}
			h, err := s.readHead(&v, m)
			if isCorrupt(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			r.add(&v, h.Meta())
		}
	}
	return r, nil
}

// controlsOf returns what a block says besides messages.
func (s *Stream) controlsOf(v *view) ([]record.Control, error) {
	if v.trailer != nil {
		bytes, err := s.readSection(v.block, v.trailer, record.Controls)
		if err == nil {
			var cts []record.Control
			if cts, err = v.trailer.Controls(&v.hdr, bytes); err == nil {
				return cts, nil
			}
		}
		if record.IsVersion(err) {
			return nil, err
		}
	}
	c, err := scan.Block(blockReader{s, v.block}, &v.hdr, v.end, scan.WantMessages)
	if err != nil {
		return nil, err
	}
	return c.Controls, nil
}

// undeleteOneGo brings back what inOneGo gathers, durably. Nobody else has the stream, which is closed then.
func (s *Stream) undeleteOneGo(ctx context.Context, at int64) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	r, err := s.inOneGo(ctx, at)
	if err != nil {
		return err
	}
	if r.n == 0 {
		if s.w.state.Clean {
			return nil
		}
		return s.withReserve(s.prepareLocked) // who did it may have been killed before it was on disk
	}
	if err := s.placeControlLocked(); err != nil {
		return err
	}
	ct := record.Control{Kind: record.FlagUndelete, Seq: s.w.next, Ranges: r.ranges()}
	if err := s.writeControlLocked(&ct); err != nil {
		return err
	}
	return s.syncLocked()
}
