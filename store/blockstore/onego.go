package blockstore

import (
	"context"
	"math"
	"slices"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/record"
)

// byLimit stands for the time of a removal by a limit.
const byLimit = math.MinInt64

// inOneGo gathers the messages that were removed in one go with the stream, which was removed at the time at: going back
// from there, each removal by hand that came at most store.OneGo before the one behind it.
func (s *Stream) inOneGo(ctx context.Context, at int64) (*removal, error) {
	n := s.cur.Load()
	times, err := s.removalTimes(ctx, n)
	if err != nil {
		return nil, err
	}
	var all []int64
	for _, in := range times {
		for _, t := range in {
			if t != 0 && t != byLimit {
				all = append(all, t)
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

// removalTimes returns when each message was removed, by its block and place: 0 if it was not, byLimit if a limit did.
func (s *Stream) removalTimes(ctx context.Context, n *snapshot) (map[*block][]int64, error) {
	times := map[*block][]int64{}
	for i := range n.blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v := n.view(i)
		cts, err := s.controlsOf(&v)
		if err != nil {
			return nil, err
		}
		for k := range cts {
			for j := range cts[k].Ranges {
				n.note(times, &cts[k], &cts[k].Ranges[j])
			}
		}
	}
	return times, nil
}

// note notes what a range of ct says of the times of removals.
func (n *snapshot) note(times map[*block][]int64, ct *record.Control, r *record.Range) {
	all := saysAll(r)
	for first, count := range r.Runs() {
		last := first + count - 1
		for i := max(n.blockOf(first), 0); i < len(n.blocks) && n.blocks[i].hdr.First <= last; i++ {
			v := n.view(i)
			if times[v.block] == nil {
				times[v.block] = make([]int64, v.count)
			}
			in := times[v.block]
			lo, hi := v.between(first, last)
			for m := lo; m < hi; m++ {
				switch {
				case ct.Kind == record.FlagUndelete:
					in[m] = 0
				case ct.Erase:
					in[m] = byLimit // nothing of it comes back
				case in[m] != 0 && !all: // it was removed before
				case ct.Discard:
					in[m] = byLimit
				default:
					in[m] = ct.Time
				}
			}
		}
	}
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
	if err != nil || r.n == 0 {
		return err
	}
	if err := s.placeControlLocked(); err != nil {
		return err
	}
	ct := record.Control{Kind: record.FlagUndelete, Seq: s.w.next, Ranges: make([]record.Range, len(r.groups))}
	for i := range r.groups {
		ct.Ranges[i] = r.groups[i].Range
	}
	if err := s.writeControlLocked(&ct); err != nil {
		return err
	}
	return s.syncLocked()
}
