package blockstore

import (
	"sync/atomic"
	"time"
)

// clock gives the time. Where time.Now reads two clocks, that of the wall and the steady one, it reads the steady one, and counts from
// a moment at which it read both: a millisecond ago at most, so it follows a clock of the wall that is set.
type clock struct{ at atomic.Pointer[moment] }

// moment is a time, and what the clock of the wall said then, in nanoseconds since the Unix epoch.
type moment struct {
	time.Time
	wall int64
}

const (
	// clockTrust is how long a moment is counted from.
	clockTrust = time.Millisecond
	// clockBlur is the most that may have passed between reading the two clocks of a moment that is.
	clockBlur = time.Microsecond
)

// now returns the time in nanoseconds since the Unix epoch.
func (c *clock) now() int64 {
	if m := c.at.Load(); m != nil {
		if since := time.Since(m.Time); since < clockTrust {
			return m.wall + int64(since)
		}
	}
	t := time.Now()
	m := &moment{t, t.UnixNano()}
	if time.Since(t) < clockBlur { // else it may have been interrupted between the two
		c.at.Store(m)
	}
	return m.wall
}
