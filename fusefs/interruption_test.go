package fusefs

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAnInterruptionEndsWhatTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancel := make(chan struct{})
		work := &interruption{cancel: cancel}
		defer work.end()
		wait := &interruption{cancel: cancel, waits: true}
		defer wait.end()
		if work.Err() != nil || wait.Err() != nil {
			t.Error("it ended before anybody was interrupted")
		}
		done := work.Done()
		time.Sleep(time.Hour)
		close(cancel)
		<-wait.Done()
		if wait.Err() == nil {
			t.Error("a call that waits goes on when its caller was interrupted")
		}
		start := time.Now()
		if work.Err() != nil {
			t.Error("a call that works ended at once")
		}
		<-done
		if took := time.Since(start); took != interruptGrace {
			t.Errorf("it went on for %v, want %v", took, interruptGrace)
		}
		if work.Err() == nil {
			t.Error("it is done, and has no error")
		}
	})
}
