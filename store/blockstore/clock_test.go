package blockstore

import (
	"testing"
	"time"
)

// TestTheClockIsThatOfTheWall demands that no time is before what time.Now said before, or after what it says then, but for
// what the clocks of a moment may be apart.
func TestTheClockIsThatOfTheWall(t *testing.T) {
	var c clock
	for end := time.Now().Add(20 * clockTrust); time.Now().Before(end); {
		before := time.Now().UnixNano()
		now := c.now()
		after := time.Now().UnixNano()
		if now < before-int64(10*clockBlur) || now > after+int64(10*clockBlur) {
			t.Fatalf("got %d, want from %d to %d", now, before, after)
		}
	}
}

// TestTheClockFollowsOneThatIsSet has a moment that was right before somebody set the clock by an hour.
func TestTheClockFollowsOneThatIsSet(t *testing.T) {
	for _, set := range []time.Duration{-time.Hour, time.Hour} {
		var c clock
		then := time.Now().Add(-clockTrust)
		c.at.Store(&moment{then, then.Add(set).UnixNano()})
		if off := time.Duration(c.now() - time.Now().UnixNano()); off.Abs() > time.Minute {
			t.Errorf("set by %v: still off by %v", set, off)
		}
		if off := time.Duration(c.at.Load().wall - time.Now().UnixNano()); off.Abs() > time.Minute && c.at.Load().Time != then {
			t.Errorf("set by %v: it counts from a moment that is off by %v", set, off)
		}
	}
}

// TestTheClockCountsFromAMoment sees that it does not read both clocks each time.
func TestTheClockCountsFromAMoment(t *testing.T) {
	var c clock
	ahead := time.Now().Add(time.Hour) // the steady clock has not come there yet
	c.at.Store(&moment{ahead, 0})
	if got := c.now(); got > 0 {
		t.Errorf("got %d, want a time that is counted from the moment", got)
	}
}
