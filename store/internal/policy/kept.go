package policy

import (
	"math"
	"time"
)

// keptSteps is in how many steps of equal length the time of keeping goes by: what was removed inside
// of one step may go at the same time, so that nobody has to remember more times than there are steps.
const keptSteps = 8

// KeptUntil returns when what was removed at the time ns, in nanoseconds since the Unix epoch, need no longer be kept,
// if it must be for keep at least: keep later, rounded up to a whole step. It is ns or earlier if keep is 0.
func KeptUntil(ns int64, keep time.Duration) int64 {
	if keep <= 0 {
		return math.MinInt64
	}
	due := After(ns, keep)
	step := max(int64(keep)/keptSteps, 1)
	if up := step - 1 - (due-1)%step; due > 0 && due <= math.MaxInt64-up {
		return due + up
	}
	return due
}
