package uring

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// spinner keeps the second of two CPUs from idling while requests come one after the other. A worker and its caller take turns on one CPU, but
// Linux wakes a caller on a CPU that idles, if there is one. That interrupts the other CPU for each answer, which on a virtual machine
// costs more than all else in a round trip, and leaves the caches behind. So a thread looks for requests there, as the reader of
// /dev/fuse does, and gives the CPU to whoever wants it between two looks. With more CPUs there is none: some
// other one would idle.
type spinner struct {
	requests atomic.Int64
	resting  atomic.Bool
	wanted   chan struct{} // somebody asks one thing after another
	over     chan struct{} // nothing will be asked any more

	// While the spinner rests: when the last request came, how many came so soon one after the other, and before when it does
	// not begin again. Lost updates don't matter.
	last, row, notBefore atomic.Int64
}

const (
	spinnerCPUs = 2

	// After spinRow requests, none later than brisk after the one before, the spinner begins. It ends when
	// none comes for spinFor.
	spinRow = 32
	brisk   = 200 * time.Microsecond
	spinFor = 50 * time.Microsecond
	// Who does not get the CPU for lostAfter leaves it alone for lostFor.
	lostAfter = 500 * time.Microsecond
	lostFor   = 20 * time.Millisecond
)

var programStart = time.Now()

// sinceStart is a clock that never goes back, in nanoseconds.
func sinceStart() int64 { return int64(time.Since(programStart)) }

func newSpinner() *spinner {
	s := &spinner{wanted: make(chan struct{}, 1), over: make(chan struct{})}
	s.resting.Store(true)
	return s
}

// request notes that a request has come. Without a spinner it does nothing.
func (s *spinner) request() {
	if s == nil {
		return
	}
	s.requests.Add(1)
	if !s.resting.Load() {
		return
	}
	now := sinceStart()
	if now-s.last.Swap(now) > int64(brisk) {
		s.row.Store(0)
		return
	}
	if s.row.Add(1) >= spinRow && now >= s.notBefore.Load() && s.resting.CompareAndSwap(true, false) {
		s.wanted <- struct{}{}
	}
}

// run spins when it is wanted, until finish is called.
func (s *spinner) run() {
	for {
		select {
		case <-s.wanted:
		case <-s.over:
			return
		}
		if !s.spin() {
			s.notBefore.Store(sinceStart() + int64(lostFor))
		}
		s.row.Store(0)
		s.resting.Store(true)
	}
}

// spin looks for requests until none comes. It says whether nobody else wanted the CPU.
func (s *spinner) spin() bool {
	looked := sinceStart()
	seen, at := s.requests.Load(), looked
	for {
		_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // not RawSyscall: who collects garbage need not wait for it
		now := sinceStart()
		if now-looked > int64(lostAfter) {
			return false
		}
		looked = now
		if n := s.requests.Load(); n != seen {
			seen, at = n, now
		} else if now-at > int64(spinFor) {
			return true
		}
	}
}

func (s *spinner) finish() { close(s.over) }
