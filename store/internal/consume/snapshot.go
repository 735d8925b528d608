package consume

import (
	"cmp"
	"fmt"
	"slices"

	"jsfs/store"
)

// Snapshot is what a State is made of, in plain values.
type Snapshot struct {
	Delivered, AckFloor store.Position
	Pending             []store.PendingDelivery // by sequence
	Spent               []Spent                 // by sequence
}

// Spent is a message that was delivered as often as it may be, and was not acknowledged.
type Spent struct {
	Seq   store.Seq
	Count uint64
}

// Snapshot returns a copy of the state.
func (s *State) Snapshot() Snapshot {
	n := Snapshot{Delivered: s.delivered, AckFloor: s.floor}
	for _, seq := range s.order {
		if d := s.open[seq]; d != nil {
			n.Pending = append(n.Pending, d.PendingDelivery)
		}
	}
	for seq, count := range s.spent {
		n.Spent = append(n.Spent, Spent{seq, count})
	}
	slices.SortFunc(n.Spent, func(a, b Spent) int { return cmp.Compare(a.Seq, b.Seq) })
	return n
}

// check returns nil if a consumer with that policy can have come to n.
func (n *Snapshot) check(policy store.AckPolicy) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %w: %s", store.ErrInvalid, errSnapshot, fmt.Sprintf(format, args...))
	}
	if n.AckFloor.Consumer > n.Delivered.Consumer || n.AckFloor.Stream > n.Delivered.Stream {
		return wrong("the ack floor is above what was delivered")
	}
	if policy == store.AckNone && len(n.Pending)+len(n.Spent) > 0 {
		return wrong("deliveries are open, and ack_policy is %q", policy)
	}
	last := n.AckFloor
	for i := range n.Pending {
		p := &n.Pending[i]
		switch {
		case p.Seq <= last.Stream || p.Consumer <= last.Consumer:
			return wrong("message %d is pending, and at or below the one before it, or the ack floor", p.Seq)
		case p.Seq > n.Delivered.Stream || p.Consumer > n.Delivered.Consumer:
			return wrong("message %d is pending, and above what was delivered", p.Seq)
		case p.Count == 0:
			return wrong("message %d is pending, and was never delivered", p.Seq)
		}
		last = store.Position{Consumer: p.Consumer, Stream: p.Seq}
	}
	before := store.Seq(0)
	for _, g := range n.Spent {
		if g.Seq <= before || g.Seq > n.Delivered.Stream || g.Count == 0 {
			return wrong("message %d was given up, and is out of place", g.Seq)
		}
		before = g.Seq
	}
	return nil
}
