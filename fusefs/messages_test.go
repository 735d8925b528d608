package fusefs

import (
	"context"
	"testing"

	"jsfs/fusefs/logview"
	"jsfs/mapping"
	"jsfs/store"
)

// meddled is a stream that has something else done once, in the middle of a look at its state.
type meddled struct {
	store.Stream
	meddle func()
}

func (s *meddled) State(ctx context.Context) (store.State, error) {
	if do := s.meddle; do != nil {
		s.meddle = nil
		do()
	}
	return s.Stream.State(ctx)
}

// While a log is opened from a moment on, that moment may become another sequence, and another log take its place.
func TestTheLogThatIsOpenIsTheOneWhoseSizeIsTold(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "one", "two", "three")
	c := m.ownCall("test")
	if _, err := s.Remove(c, 1); err != nil { // so that it is the log of a part
		t.Fatal(err)
	}
	other := &meddled{Stream: s.Stream}
	s.Stream = other
	msgs := &messages{stream: s, filter: mapping.Filter{Since: 1}}
	other.meddle = func() {
		if _, err := s.Remove(c, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := msgs.log(c, logview.Payloads); err != nil {
			t.Fatal(err)
		}
	}
	h, err := msgs.openLog(c, logview.Payloads)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	l, err := msgs.log(c, logview.Payloads)
	if err != nil || !l.InUse() {
		t.Errorf("another log than the one that is open is told about (%v)", err)
	}
}
