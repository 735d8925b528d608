// Package spinner keeps a CPU awake while requests come one after the other.
package spinner

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Spinner keeps the second of two CPUs from idling while requests come one after the other. Linux wakes who waits for an
// answer on a CPU that idles, if there is one. That interrupts it for each answer, which on a virtual machine costs more than all else
// in a round trip, and leaves the caches behind. So a thread looks for requests there, and gives the CPU to whoever wants it
// between two looks.
//
// A nil *Spinner does nothing.
type Spinner struct {
	requests atomic.Int64
	resting  atomic.Bool
	wanted   chan struct{} // somebody asks one thing after another
	over     chan struct{} // nothing will be asked any more

	// While the spinner rests: when the last request came, how many came so soon one after the other, and before when it does
	// not begin again. Lost updates don't matter.
	last, row, notBefore atomic.Int64

	cpu atomic.Int64 // where requests are answered: the other one is kept awake
}

const (
	cpus = 2

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

// New returns a spinner that works between Start and Finish; nil where the program does not have two CPUs to itself: with more of them
// some other one would idle.
func New() *Spinner {
	if runtime.NumCPU() != cpus || runtime.GOMAXPROCS(0) < cpus {
		return nil
	}
	return newSpinner()
}

func newSpinner() *Spinner {
	s := &Spinner{wanted: make(chan struct{}, 1), over: make(chan struct{})}
	s.resting.Store(true)
	return s
}

// Start has requests looked for. It is called once. The thread that looks holds one of Go's processors nearly always: a program should
// have one more of them than CPUs, else what it does besides its requests waits.
func (s *Spinner) Start() {
	if s != nil {
		go s.run()
	}
}

// Finish ends what Start began; no request may come any more. It does not wait.
func (s *Spinner) Finish() {
	if s != nil {
		close(s.over)
	}
}

// Request notes that a request has come, which the calling thread answers. It may be called concurrently.
func (s *Spinner) Request() {
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
		s.cpu.Store(int64(thisCPU()))
		s.wanted <- struct{}{}
	}
}

// run spins when it is wanted, until Finish is called.
func (s *Spinner) run() {
	runtime.LockOSThread() // and never unlocked: it is kept off a CPU
	for {
		select {
		case <-s.wanted:
		case <-s.over:
			return
		}
		free := apartFrom(int(s.cpu.Load()))
		alone := s.spin()
		free()
		if !alone {
			s.notBefore.Store(sinceStart() + int64(lostFor))
		}
		s.row.Store(0)
		s.resting.Store(true)
	}
}

// spin looks for requests until none comes. It says whether nobody else wanted the CPU.
func (s *Spinner) spin() bool {
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

// thisCPU is the CPU that the calling thread is on, -1 if that can't be told.
func thisCPU() int {
	var cpu uint32
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 {
		return -1
	}
	return int(cpu)
}

// apartFrom keeps the calling thread off a CPU until free is called.
func apartFrom(cpu int) (free func()) {
	var all unix.CPUSet
	if cpu < 0 || unix.SchedGetaffinity(0, &all) != nil {
		return func() {}
	}
	others := all
	others.Clear(cpu)
	if others.Count() == 0 || unix.SchedSetaffinity(0, &others) != nil {
		return func() {}
	}
	return func() { _ = unix.SchedSetaffinity(0, &all) }
}
