package watch_test

import (
	"runtime"
	"sync"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/watch"
)

func event(rev uint64) store.Event { return store.Event{Kind: store.Stored, Rev: rev} }

// revs takes what waits.
func revs(t *testing.T, s store.Subscription) (out []uint64, lost bool) {
	t.Helper()
	events, lost := s.Take(nil)
	for _, e := range events {
		out = append(out, e.Rev)
	}
	return out, lost
}

func wantRevs(t *testing.T, s store.Subscription, want ...uint64) {
	t.Helper()
	got, lost := revs(t, s)
	if lost || len(got) != len(want) {
		t.Fatalf("got events %v, lost %v, want %v", got, lost, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got events %v, want %v", got, want)
		}
	}
}

func TestEventsComeInOrderFromThenOn(t *testing.T) {
	h := watch.NewHub(nil)
	h.Post(event(1))
	s := h.Watch()
	defer s.Close()
	h.Post(event(2), event(3))
	h.Post(event(4))
	<-s.C()
	select {
	case <-s.C():
		t.Error("C was poked twice")
	default:
	}
	wantRevs(t, s, 2, 3, 4)
	wantRevs(t, s)
}

func TestLosingIsToldHereAndAbove(t *testing.T) {
	parent := watch.NewHub(nil)
	child, other := watch.NewHub(parent), watch.NewHub(parent)
	all, one, two := parent.Watch(), child.Watch(), other.Watch()
	child.Post(event(1))
	child.Lose()
	child.Post(event(5))
	for name, s := range map[string]store.Subscription{"the hub": one, "its parent": all} {
		<-s.C()
		if got, lost := revs(t, s); !lost || len(got) != 1 || got[0] != 5 {
			t.Errorf("%s got %v, lost %v, want what came later, and a loss", name, got, lost)
		}
	}
	wantRevs(t, two)
}

func TestAParentHearsItsChildrenOnly(t *testing.T) {
	parent := watch.NewHub(nil)
	one, two := watch.NewHub(parent), watch.NewHub(parent)
	all, first := parent.Watch(), one.Watch()
	one.Post(event(1))
	two.Post(event(2))
	parent.Post(event(3))
	wantRevs(t, all, 1, 2, 3)
	wantRevs(t, first, 1)
	if !two.Listening() {
		t.Error("a child does not know that its parent listens")
	}
	late := watch.NewHub(parent)
	if !late.Listening() {
		t.Error("a later child does not know that its parent listens")
	}
	all.Close()
	if two.Listening() || late.Listening() || parent.Listening() || !one.Listening() {
		t.Error("who listens is not known after a Close")
	}
	one.Close()
	one.Post(event(4))
	wantRevs(t, first, 4)
}

func TestAFullQueueTellsSo(t *testing.T) {
	h := watch.NewHub(nil)
	s := h.WatchN(3)
	other := h.Watch()
	for rev := range uint64(3) {
		h.Post(event(rev))
	}
	wantRevs(t, s, 0, 1, 2)
	for rev := range uint64(4) {
		h.Post(event(10 + rev))
	}
	h.Post(event(20))
	if got, lost := revs(t, s); !lost || len(got) != 1 || got[0] != 20 {
		t.Errorf("got %v, lost %v, want what came after the loss", got, lost)
	}
	h.Post(event(21))
	wantRevs(t, s, 21)
	wantRevs(t, other, 0, 1, 2, 10, 11, 12, 13, 20, 21)
}

func TestCloseMayBeCalledAnyTime(t *testing.T) {
	h := watch.NewHub(watch.NewHub(nil))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for rev := uint64(0); ; rev++ {
			select {
			case <-stop:
				return
			default:
				h.Post(event(rev))
				if rev%1024 == 0 {
					runtime.Gosched() // with one processor the others would wait for its time slice
				}
			}
		}
	})
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			var buf []store.Event
			for range 200 {
				s := h.Watch()
				last := uint64(0)
				for range 3 {
					<-s.C()
					var lost bool
					if buf, lost = s.Take(buf); lost {
						last = 0 // a gap is what a loss is
					}
					for _, e := range buf {
						if last > 0 && e.Rev != last+1 {
							t.Errorf("revision %d follows %d", e.Rev, last)
						}
						last = e.Rev
					}
				}
				s.Close()
				s.Close()
			}
		})
	}
	users.Wait()
	close(stop)
	wg.Wait()
	if h.Listening() {
		t.Error("nobody is left, but the hub listens")
	}
}

func TestACallersBufferIsReused(t *testing.T) {
	h := watch.NewHub(nil)
	s := h.Watch()
	defer s.Close()
	var buf []store.Event
	step := func() {
		h.Post(event(1))
		buf, _ = s.Take(buf)
	}
	step()
	step()
	if n := testing.AllocsPerRun(100, step); n > 0 {
		t.Errorf("got %v allocations an event, want none", n)
	}
}

func BenchmarkPostToNobody(b *testing.B) {
	h := watch.NewHub(watch.NewHub(nil))
	for b.Loop() {
		h.Post(event(1))
	}
}

func BenchmarkPostToOne(b *testing.B) {
	h := watch.NewHub(watch.NewHub(nil))
	s := h.Watch()
	defer s.Close()
	var buf []store.Event
	for b.Loop() {
		h.Post(event(1))
		buf, _ = s.Take(buf)
	}
}
