package blockstore

import (
	"context"
	"math"
	"slices"
	"time"

	"jsfs/store"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/record"
)

// byLimit stands for the time of a removal by a limit.
const byLimit = math.MinInt64

// removalTimes is when messages were removed, by their block and place: 0 if they were not, byLimit if a limit did. A block that nothing was
// removed from has none. It takes eight bytes for each message of the others.
type removalTimes map[*block][]int64

// removalTimes returns when each message was removed, of the blocks of which that is wanted. Nobody else writes to the stream meanwhile.
func (s *Stream) removalTimes(ctx context.Context, n *snapshot, wanted func(*block) bool) (removalTimes, error) {
	times := removalTimes{}
	for i := range n.blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v := n.view(i)
		if v.block == s.w.tail {
			v.end = s.w.end // what was removed since the last message stands behind it
		}
		cts, err := s.controlsOf(&v)
		if err != nil {
			return nil, err
		}
		for k := range cts {
			for j := range cts[k].Ranges {
				times.note(n, wanted, &cts[k], &cts[k].Ranges[j])
			}
		}
	}
	return times, nil
}

// anyBlock wants to know the times of all blocks.
func anyBlock(*block) bool { return true }

// note notes what a range of ct says of the times of removals from the blocks of n that are wanted.
func (times removalTimes) note(n *snapshot, wanted func(*block) bool, ct *record.Control, r *record.Range) {
	all := saysAll(r)
	for first, count := range r.Runs() {
		last := first + count - 1
		for i := max(n.blockOf(first), 0); i < len(n.blocks) && n.blocks[i].hdr.First <= last; i++ {
			v := n.view(i)
			in := times[v.block]
			if in == nil {
				if !wanted(v.block) {
					continue
				}
				in = make([]int64, v.count)
				times[v.block] = in
			}
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

// since returns when message i of b was removed, which is kept with e; false if what is known is of another removal.
func (times removalTimes) since(b *block, i int, e *keptBatch, keep time.Duration) (int64, bool) {
	in := times[b]
	if i >= len(in) || in[i] == 0 || in[i] == byLimit || policy.KeptUntil(in[i], keep) != e.due {
		return 0, false
	}
	return in[i], true
}

// addTime adds a time to times, unless it is the last one there: what was removed together often stands together.
func addTime(times []int64, t int64) []int64 {
	if n := len(times); n > 0 && times[n-1] == t {
		return times
	}
	return append(times, t)
}

// fewTimes is how many times of removals need not be made fewer.
const fewTimes = 256

// standIns says for each of some times of removals which of them a control may give in its place, so that controls need not be one for each: a
// later one, up to store.OneGo, of what is kept until the same time. It makes no difference for what was removed in one go: who reaches that one going back
// reaches both, and from those that stand for others all that lies before them. There are two for each store.OneGo at most. Few times stand for themselves.
func standIns(times []int64, keep time.Duration) map[int64]int64 {
	times = slices.Compact(slices.Sorted(slices.Values(times)))
	slices.Reverse(times)
	in := make(map[int64]int64, len(times))
	if len(times) <= fewTimes {
		for _, t := range times {
			in[t] = t
		}
		return in
	}
	for i := 0; i < len(times); {
		t := times[i]
		due := policy.KeptUntil(t, keep)
		near := func(k int) bool {
			return k < len(times) && times[k] >= t-store.OneGo && policy.KeptUntil(times[k], keep) == due
		}
		for in[t], i = t, i+1; near(i) && near(i+1); i++ {
			in[times[i]] = t
		}
	}
	return in
}
