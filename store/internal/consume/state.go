package consume

import (
	"container/heap"
	"fmt"
	"slices"

	"jsfs/store"
)

// State is what a consumer remembers of its deliveries. It is not safe for concurrent use.
type State struct {
	policy    store.AckPolicy
	delivered store.Position // the last delivery of all, and the highest sequence that was delivered
	floor     store.Position // all deliveries up to it are acknowledged or given up
	open      map[store.Seq]*delivery
	order     []store.Seq // of the open ones, by sequence; some of them are not open any more
	due       dueHeap     // the open ones
	spent     map[store.Seq]uint64
	seen      int64 // the latest time that was seen
}

// delivery is an open delivery.
type delivery struct {
	store.PendingDelivery
	at int // its place in the heap
}

// NewState returns the state of a consumer that begins behind message seq.
func NewState(policy store.AckPolicy, seq store.Seq) *State {
	at := store.Position{Stream: seq}
	return &State{policy: policy, delivered: at, floor: at, open: map[store.Seq]*delivery{}, spent: map[store.Seq]uint64{}}
}

// Deliver counts the first delivery of a message, at the time now, to be made again at due. It returns the delivery's
// number. The sequence must be above all that were delivered.
func (s *State) Deliver(seq store.Seq, now, due int64) (uint64, error) {
	if seq <= s.delivered.Stream {
		return 0, fmt.Errorf("message %d: %w: it was delivered already", seq, store.ErrInvalid)
	}
	s.delivered = store.Position{Consumer: s.delivered.Consumer + 1, Stream: seq}
	if s.policy == store.AckNone {
		s.floor = s.delivered
		return s.delivered.Consumer, nil
	}
	s.add(store.PendingDelivery{Seq: seq, Consumer: s.delivered.Consumer, Time: now, Due: due, Count: 1})
	return s.delivered.Consumer, nil
}

func (s *State) add(p store.PendingDelivery) {
	if len(s.order) > 2*len(s.open)+64 { // most of it is not open any more
		s.order = slices.DeleteFunc(slices.Clone(s.order), func(seq store.Seq) bool { return s.open[seq] == nil })
	}
	d := &delivery{PendingDelivery: p}
	s.open[p.Seq] = d
	s.order = append(s.order, p.Seq)
	heap.Push(&s.due, d)
}

// Redeliver counts another delivery of a message whose delivery is open. It returns the delivery's number and the
// message's count. With ack policy none nothing is delivered twice.
func (s *State) Redeliver(seq store.Seq, now, due int64) (number, count uint64, err error) {
	d, err := s.find(seq)
	if err == nil && d == nil {
		err = notOpen(seq)
	}
	if err != nil {
		return 0, 0, err
	}
	s.delivered.Consumer++
	d.Count++
	s.move(d, now, due)
	return s.delivered.Consumer, d.Count, nil
}

func notOpen(seq store.Seq) error {
	return fmt.Errorf("delivery of message %d: %w: it is not open", seq, store.ErrNotFound)
}

// find returns the open delivery of a message, nil if the message is at or below the floor.
func (s *State) find(seq store.Seq) (*delivery, error) {
	if s.policy == store.AckNone {
		return nil, fmt.Errorf("message %d: %w: ack_policy is %q", seq, store.ErrDenied, s.policy)
	}
	if d := s.open[seq]; d != nil {
		return d, nil
	}
	if seq <= s.floor.Stream {
		return nil, nil
	}
	return nil, notOpen(seq)
}

func (s *State) move(d *delivery, now, due int64) {
	d.Time, d.Due = now, due
	heap.Fix(&s.due, d.at)
}

// Delay puts off, or brings forward, when a message is delivered again. At or below the floor it does nothing.
func (s *State) Delay(seq store.Seq, now, due int64) error {
	d, err := s.find(seq)
	if d != nil {
		s.move(d, now, due)
	}
	return err
}

// Count returns how often the message of an open delivery was delivered; 0 if it is not open.
func (s *State) Count(seq store.Seq) uint64 {
	if d := s.open[seq]; d != nil {
		return d.Count
	}
	return 0
}

// Covered returns what acknowledging message seq would: itself, and with before the open deliveries before it, by
// sequence. At or below the floor it is nothing.
func (s *State) Covered(seq store.Seq, before bool) ([]store.Seq, error) {
	d, err := s.find(seq)
	if d == nil || err != nil {
		return nil, err
	}
	if !before {
		return []store.Seq{seq}, nil
	}
	var out []store.Seq
	for _, o := range s.order {
		if o > seq {
			break
		}
		if s.open[o] != nil {
			out = append(out, o)
		}
	}
	return out, nil
}

// Ack acknowledges message seq, and with before all open deliveries before it. At or below the floor it does nothing.
func (s *State) Ack(seq store.Seq, before bool) error {
	d, err := s.find(seq)
	if d == nil || err != nil {
		return err
	}
	if !before {
		s.close(seq)
		s.slide()
		return nil
	}
	for len(s.order) > 0 && s.order[0] <= seq {
		s.close(s.order[0])
		s.order = s.order[1:]
	}
	if s.floor = (store.Position{Consumer: d.Consumer, Stream: seq}); len(s.open) == 0 {
		s.floor = s.delivered
	}
	return nil
}

// Drop ends the delivery of a message, whatever the reason. With spend it is remembered that the message
// was not acknowledged.
func (s *State) Drop(seq store.Seq, spend bool) {
	d := s.open[seq]
	if d == nil {
		return
	}
	if spend {
		s.spent[seq] = d.Count
	}
	s.close(seq)
	s.slide()
}

func (s *State) close(seq store.Seq) {
	if d := s.open[seq]; d != nil {
		heap.Remove(&s.due, d.at)
		delete(s.open, seq)
	}
}

// slide moves the floor, if the lowest open delivery was closed, to just before the one that is the lowest now, or to
// the last delivery if none is open.
func (s *State) slide() {
	if len(s.order) > 0 && s.open[s.order[0]] != nil {
		return
	}
	for len(s.order) > 0 && s.open[s.order[0]] == nil {
		s.order = s.order[1:]
	}
	if len(s.order) == 0 {
		s.floor = s.delivered
		return
	}
	low := s.open[s.order[0]]
	s.floor = store.Position{Consumer: low.Consumer - 1, Stream: low.Seq - 1}
}

// Pass moves over a message that can't be delivered.
func (s *State) Pass(seq store.Seq) {
	if seq <= s.delivered.Stream {
		return
	}
	s.delivered.Stream = seq
	if len(s.open) == 0 {
		s.floor = s.delivered
	}
}

// NextDue returns the open delivery that is to be made again first.
func (s *State) NextDue() (p store.PendingDelivery, ok bool) {
	if len(s.due) == 0 {
		return p, false
	}
	return s.due[0].PendingDelivery, true
}

// Observe tells what time it is. If that is before what it was, what is due becomes due earlier by as much.
func (s *State) Observe(now int64) {
	if back := s.seen - now; back > 0 {
		for _, d := range s.due {
			d.Time, d.Due = d.Time-back, d.Due-back
		}
	}
	s.seen = now
}

// Delivered returns the number of the last delivery, and the highest sequence that was delivered or passed over.
func (s *State) Delivered() store.Position { return s.delivered }

// Open returns how many deliveries are open.
func (s *State) Open() int { return len(s.open) }

// Find returns the open delivery of a message.
func (s *State) Find(seq store.Seq) (p store.PendingDelivery, ok bool) {
	if d := s.open[seq]; d != nil {
		return d.PendingDelivery, true
	}
	return p, false
}

// IsOpen says whether the delivery of a message is open.
func (s *State) IsOpen(seq store.Seq) bool { return s.open[seq] != nil }

// Spent returns how many messages were given up.
func (s *State) Spent() int { return len(s.spent) }

// IsSpent says whether a message was given up.
func (s *State) IsSpent(seq store.Seq) bool { return s.spent[seq] > 0 }

// redelivered returns how many messages were delivered more than once and are not acknowledged.
func (s *State) redelivered() int {
	n := len(s.spent)
	for _, d := range s.open {
		if d.Count > 1 {
			n++
		}
	}
	return n
}

// Forget forgets that a message was given up.
func (s *State) Forget(seq store.Seq) { delete(s.spent, seq) }

// Replace takes over what another State told by its Snapshot. It is refused, and nothing changed, if it can't be or is
// older than what is there.
func (s *State) Replace(n store.Deliveries) error {
	if err := n.Check(s.policy); err != nil {
		return err
	}
	if err := n.CheckAfter(&store.Deliveries{Delivered: s.delivered, AckFloor: s.floor}); err != nil {
		return err
	}
	*s = *NewState(s.policy, 0)
	s.delivered, s.floor = n.Delivered, n.AckFloor
	for _, p := range n.Pending {
		s.add(p)
		s.seen = max(s.seen, p.Time)
	}
	for _, g := range n.Spent {
		s.spent[g.Seq] = g.Count
	}
	return nil
}

// dueHeap orders open deliveries by when they are due, and by sequence.
type dueHeap []*delivery

// Len implements [heap.Interface].
func (h dueHeap) Len() int { return len(h) }

// Less implements [heap.Interface].
func (h dueHeap) Less(i, j int) bool {
	return h[i].Due < h[j].Due || h[i].Due == h[j].Due && h[i].Seq < h[j].Seq
}

// Swap implements [heap.Interface].
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements [heap.Interface].
func (h *dueHeap) Push(x any) {
	d := x.(*delivery)
	d.at = len(*h)
	*h = append(*h, d)
}

// Pop implements [heap.Interface].
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return d
}
