package policy

import "time"

const (
	// FarAhead is by how much the time must have jumped ahead to be doubted.
	FarAhead = 24 * time.Hour
	// Hold is for how long messages don't expire then.
	Hold = time.Hour
	// Apart is the least time between two looks for what has expired, and longest the most.
	Apart   = 250 * time.Millisecond
	longest = 10 * time.Minute
)

// Clock says whether the wall clock can be trusted enough to remove messages by it: if it is far
// ahead of where it should be nothing expires for an hour, which somebody may use to put it
// right. Where it should be follows from the last record, and from then on from the time that went by.
type Clock struct {
	ref    int64     // what the wall clock showed when it was trusted last
	refAt  time.Time // when that was; with a monotonic reading
	heldAt time.Time // when the hold began; zero if there is none
}

// NewClock returns a Clock for a stream whose last record is of the time last, at the time at by the monotonic
// clock. If there is no record, last is what the wall clock shows.
func NewClock(last int64, at time.Time) Clock { return Clock{ref: last, refAt: at} }

// Trust says whether messages may expire at the time wall, in nanoseconds since the Unix epoch. began says
// that a hold begins with this call.
func (c *Clock) Trust(wall int64, at time.Time) (ok, began bool) {
	ahead := wall-c.ref > int64(at.Sub(c.refAt)+FarAhead)
	if ahead && (c.heldAt.IsZero() || at.Sub(c.heldAt) < Hold) {
		if began = c.heldAt.IsZero(); began {
			c.heldAt = at
		}
		return false, began
	}
	*c = Clock{ref: wall, refAt: at}
	return true, false
}

// Delay is how long to wait before looking for what has expired, if something has at due.
func Delay(due, now int64) time.Duration {
	if due > After(now, longest) {
		return longest
	}
	return max(time.Duration(due-now), Apart)
}
