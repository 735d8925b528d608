package consume

import (
	"cmp"
	"slices"

	"jsfs/store"
)

// Snapshot returns a copy of the state.
func (s *State) Snapshot() store.Deliveries {
	n := store.Deliveries{Delivered: s.delivered, AckFloor: s.floor}
	for _, seq := range s.order {
		if d := s.open[seq]; d != nil {
			n.Pending = append(n.Pending, d.PendingDelivery)
		}
	}
	for seq, count := range s.spent {
		n.Spent = append(n.Spent, store.Spent{Seq: seq, Count: count})
	}
	slices.SortFunc(n.Spent, func(a, b store.Spent) int { return cmp.Compare(a.Seq, b.Seq) })
	return n
}
