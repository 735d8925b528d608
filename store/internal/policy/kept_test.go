package policy

import (
	"math"
	"testing"
	"time"

	"jsfs/store"
)

func TestKeptUntil(t *testing.T) {
	for _, c := range []struct {
		name     string
		at       int64
		keep     time.Duration
		from, to int64
	}{
		{"a day", 1_700_000_000_000_000_000, store.DefaultKeep, 1_700_086_400_000_000_000, 1_700_097_200_000_000_000},
		{"a short time", 1000, 3, 1003, 1003},
		{"nothing", 1000, 0, math.MinInt64, math.MinInt64},
		{"for ever", 1 << 62, math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{"before 1970", -100, 10, -90, -90},
	} {
		if got := KeptUntil(c.at, c.keep); got < c.from || got > c.to {
			t.Errorf("%s: got %d, want %d to %d", c.name, got, c.from, c.to)
		}
	}
	steps := map[int64]bool{}
	for at := int64(1e18); at < 1e18+int64(store.DefaultKeep); at += int64(time.Minute) {
		steps[KeptUntil(at, store.DefaultKeep)] = true
	}
	if len(steps) > keptSteps+1 {
		t.Errorf("removals of a day end at %d times", len(steps))
	}
}
