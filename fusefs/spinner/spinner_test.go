package spinner

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// until fails the test if something does not become true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(end) {
			t.Fatalf("%s: it never happened", what)
		}
	}
}

// running is a spinner until the test ends.
func running(t *testing.T) *Spinner {
	s := newSpinner()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run()
	}()
	t.Cleanup(func() {
		s.Finish()
		<-ended
	})
	return s
}

func TestTheSpinnerSpinsWhileRequestsComeOneAfterTheOther(t *testing.T) {
	s := running(t)
	for range 3 {
		until(t, "requests that follow each other", func() bool {
			s.Request()
			return !s.resting.Load()
		})
		until(t, "no request", s.resting.Load) // or others wanted the CPU
	}
}

func TestTheSpinnerRestsWhereRequestsComeSeldom(t *testing.T) {
	s := running(t)
	for range 4 * spinRow {
		time.Sleep(2 * brisk)
		if s.Request(); !s.resting.Load() {
			t.Fatal("it spins")
		}
	}
}

func TestTheSpinnerLeavesTheCPUToOthers(t *testing.T) {
	s := running(t)
	s.notBefore.Store(sinceStart() + int64(time.Hour))
	for range 1000 {
		if s.Request(); !s.resting.Load() {
			t.Fatal("it spins")
		}
	}
	s.notBefore.Store(0)
	until(t, "the others have gone", func() bool {
		s.Request()
		return !s.resting.Load()
	})
}

func TestTheSpinnerKeepsOffTheCPUWhereRequestsAreAnswered(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	for cpu := range len(before) * 64 {
		if !before.IsSet(cpu) {
			continue
		}
		free := apartFrom(cpu)
		if on := thisCPU(); !before.IsSet(on) || on == cpu && before.Count() > 1 {
			t.Errorf("kept off CPU %d, it runs on %d", cpu, on)
		}
		free()
		if err := unix.SchedGetaffinity(0, &after); err != nil {
			t.Fatal(err)
		}
		if after != before {
			t.Errorf("free again from CPU %d, it may run on %d CPUs of %d", cpu, after.Count(), before.Count())
		}
	}
}
