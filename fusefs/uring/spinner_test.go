package uring

import (
	"testing"
	"time"
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
func running(t *testing.T) *spinner {
	s := newSpinner()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run()
	}()
	t.Cleanup(func() {
		s.finish()
		<-ended
	})
	return s
}

func TestTheSpinnerSpinsWhileRequestsComeOneAfterTheOther(t *testing.T) {
	s := running(t)
	for range 3 {
		until(t, "requests that follow each other", func() bool {
			s.request()
			return !s.resting.Load()
		})
		until(t, "no request", s.resting.Load) // or others wanted the CPU
	}
}

func TestTheSpinnerRestsWhereRequestsComeSeldom(t *testing.T) {
	s := running(t)
	for range 4 * spinRow {
		time.Sleep(2 * brisk)
		if s.request(); !s.resting.Load() {
			t.Fatal("it spins")
		}
	}
}

func TestTheSpinnerLeavesTheCPUToOthers(t *testing.T) {
	s := running(t)
	s.notBefore.Store(sinceStart() + int64(time.Hour))
	for range 1000 {
		if s.request(); !s.resting.Load() {
			t.Fatal("it spins")
		}
	}
	s.notBefore.Store(0)
	until(t, "the others have gone", func() bool {
		s.request()
		return !s.resting.Load()
	})
}
