package fusefs

import (
	"sync/atomic"
	"syscall"
	"time"
)

// pace is what is known of how an operation has gone lately. A goroutine of its own lets others go on
// while it waits for a disk, and costs more than most operations take; one that computes is
// better done at once. Lost updates don't matter.
type pace struct {
	took  atomic.Int64 // how long it takes on average, in nanoseconds
	slept atomic.Int64 // how many of paceUnit times its thread slept
}

const (
	slowFrom = 100 * time.Microsecond
	paceUnit = 1 << 20
)

// waits says whether the operation is to be done apart.
func (p *pace) waits() bool {
	return p.took.Load() >= int64(slowFrom) && p.slept.Load() >= paceUnit/4
}

// inLine does the operation on the calling goroutine, which is locked to its thread.
func (p *pace) inLine(do func()) {
	if p.took.Load() < int64(slowFrom) {
		p.timed(do)
		return
	}
	before := sleeps()
	p.timed(do)
	slept := int64(0)
	if sleeps() != before {
		slept = paceUnit
	}
	old := p.slept.Load()
	p.slept.Store(old + (slept-old)/2)
}

// apart does the operation on a goroutine of its own. What was learned of its sleeping fades, so that
// it is looked at again some time.
func (p *pace) apart(do func()) {
	p.timed(do)
	old := p.slept.Load()
	p.slept.Store(old - old/256)
}

func (p *pace) timed(do func()) {
	begun := sinceStart()
	do()
	took := sinceStart() - begun
	old := p.took.Load()
	p.took.Store(old + (took-old)/8)
}

// sleeps counts how often this thread gave its core away because it had to wait.
func sleeps() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(rusageThread, &u) != nil {
		return 0
	}
	return u.Nvcsw
}

// rusageThread is RUSAGE_THREAD of getrusage(2).
const rusageThread = 1
