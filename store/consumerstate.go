package store

import (
	"fmt"
	"slices"
)

// ConsumerState is all that a consumer is and remembers: what is needed for it to go on elsewhere.
type ConsumerState struct {
	Config  ConsumerConfig
	Created int64 // as [Consumer] has it
	// Resume is the sequence up to which a consumer with DeliverLastPerSubject delivers each subject's
	// last message alone; 0 for every other one.
	Resume Seq
	Deliveries
}

// Deliveries are what a consumer remembers of its deliveries.
type Deliveries struct {
	// Delivered is the number of the last delivery of all, and the highest sequence that was delivered or passed over;
	// all deliveries up to AckFloor are acknowledged or given up.
	Delivered, AckFloor Position
	Pending             []PendingDelivery // the open ones, by sequence
	Spent               []Spent           // by sequence
}

// Spent is a message that was delivered as often as it may be, and was not acknowledged, in a stream that
// drops what is acknowledged.
type Spent struct {
	Seq   Seq
	Count uint64 // of deliveries
}

// Check returns nil if there can be a consumer like s, else an error that wraps ErrInvalid, or is that of Config.Check.
func (s *ConsumerState) Check() error {
	if err := s.Config.Check(); err != nil {
		return err
	}
	return s.Deliveries.Check(s.Config.AckPolicy)
}

// Check returns nil if a consumer with that policy can have come to d, else an error that wraps ErrInvalid.
func (d *Deliveries) Check(policy AckPolicy) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: what the consumer remembers can't be: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	if d.AckFloor.Consumer > d.Delivered.Consumer || d.AckFloor.Stream > d.Delivered.Stream {
		return wrong("the ack floor is above what was delivered")
	}
	if policy == AckNone && len(d.Pending)+len(d.Spent) > 0 {
		return wrong("deliveries are open, and ack_policy is %q", policy)
	}
	last := d.AckFloor
	for i := range d.Pending {
		p := &d.Pending[i]
		switch {
		case p.Seq <= last.Stream || p.Consumer <= last.Consumer:
			return wrong("message %d is pending, and at or below the one before it, or the ack floor", p.Seq)
		case p.Seq > d.Delivered.Stream || p.Consumer > d.Delivered.Consumer:
			return wrong("message %d is pending, and above what was delivered", p.Seq)
		case p.Count == 0:
			return wrong("message %d is pending, and was never delivered", p.Seq)
		}
		last = Position{Consumer: p.Consumer, Stream: p.Seq}
	}
	before := Seq(0)
	for _, g := range d.Spent {
		if g.Seq <= before || g.Seq > d.Delivered.Stream || g.Count == 0 {
			return wrong("message %d was given up, and is out of place", g.Seq)
		}
		before = g.Seq
	}
	return nil
}

// CheckAfter returns nil if a consumer that remembered before may come to d: no position is behind. Else the error wraps ErrInvalid.
func (d *Deliveries) CheckAfter(before *Deliveries) error {
	if d.Delivered.behind(before.Delivered) || d.AckFloor.behind(before.AckFloor) {
		return fmt.Errorf("%w: it is older than what is there", ErrInvalid)
	}
	return nil
}

func (p Position) behind(q Position) bool { return p.Consumer < q.Consumer || p.Stream < q.Stream }

// CheckSuccession returns nil if the consumer that was like before may become like s: both are the same one, and s is not older. Else the
// error wraps ErrExists.
func (s *ConsumerState) CheckSuccession(before *ConsumerState) error {
	switch {
	case s.Created != before.Created:
		return fmt.Errorf("consumer %s: %w, and is another one of that name", s.Config.Name, ErrExists)
	case s.CheckAfter(&before.Deliveries) != nil:
		return fmt.Errorf("consumer %s: %w, and has gone further", s.Config.Name, ErrExists)
	}
	return nil
}

// Truncate makes s what the consumer would remember if no message had ever been above last.
func (s *ConsumerState) Truncate(last Seq) {
	s.Resume = min(s.Resume, last)
	if s.Config.DeliverPolicy == DeliverByStartSequence {
		last = max(last, s.Config.OptStartSeq-1) // it passed those over that there will be
	}
	s.Delivered.Stream, s.AckFloor.Stream = min(s.Delivered.Stream, last), min(s.AckFloor.Stream, last)
	s.Pending = slices.DeleteFunc(s.Pending, func(p PendingDelivery) bool { return p.Seq > last })
	s.Spent = slices.DeleteFunc(s.Spent, func(g Spent) bool { return g.Seq > last })
	if len(s.Pending) == 0 {
		s.AckFloor = s.Delivered
	}
}

// Clone returns a copy of s that shares no memory with it.
func (s *ConsumerState) Clone() ConsumerState {
	c := *s
	c.Config = s.Config.Clone()
	c.Pending, c.Spent = slices.Clone(s.Pending), slices.Clone(s.Spent)
	return c
}
