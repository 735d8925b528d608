package fusefs

import (
	"runtime"
	"testing"
	"time"
)

func TestWhatSleepsIsDoneApart(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var p pace
	sleep := func() { time.Sleep(2 * slowFrom) }
	for i := 0; !p.waits(); i++ {
		if i == 10 {
			t.Fatal("an operation that slept ten times is still done in line")
		}
		p.inLine(sleep)
	}
	p.apart(sleep)
	if !p.waits() {
		t.Error("one that still sleeps is done in line again")
	}
	for i := 0; p.waits(); i++ {
		if i == 1000 {
			t.Fatal("one that has become fast is still done apart")
		}
		p.apart(func() {})
	}
}

func TestWhatComputesIsDoneInLine(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var p pace
	apart := 0
	for range 100 {
		p.inLine(func() {
			for begun := sinceStart(); sinceStart()-begun < int64(2*slowFrom); {
			}
		})
		if p.waits() {
			apart++
		}
	}
	if p.took.Load() < int64(slowFrom) {
		t.Fatalf("it took %v on average: the test shows nothing", time.Duration(p.took.Load()))
	}
	if apart > 30 {
		t.Errorf("an operation that computes would be done apart %d of 100 times", apart)
	}
}
