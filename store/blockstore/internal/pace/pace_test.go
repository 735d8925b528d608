package pace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWritersTogetherKeepThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, start := New(1<<20), time.Now()
		done := make(chan error)
		for range 4 {
			go func() {
				var err error
				for range 16 {
					err = errors.Join(err, p.Wait(t.Context(), 64<<10))
				}
				done <- err
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got, want := time.Since(start), 4*time.Second-burst; got != want {
			t.Errorf("4 MiB at 1 MiB a second took %v, want %v", got, want)
		}
	})
}

func TestAnIdlePaceSavesUpNoMoreThanABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1 << 20)
		time.Sleep(time.Hour)
		start := time.Now()
		if err := p.Wait(t.Context(), 1<<20); err != nil {
			t.Error(err)
		}
		if got, want := time.Since(start), time.Second-burst; got != want {
			t.Errorf("1 MiB after an hour of nothing took %v, want %v", got, want)
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := New(1).Wait(ctx, 1<<20); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
