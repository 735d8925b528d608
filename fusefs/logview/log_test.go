package logview_test

import (
	"testing"

	"go.uber.org/goleak"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAgainstModel(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		testAgainstModel(t, newStream, variant{seeks: true})
	})
}

func TestAMessageThatComesBackIsInItsPlace(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		testAgainstModel(t, newStream, variant{seeks: true, returns: true})
	})
}

func TestJSONLinesAgainstModel(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		testAgainstModel(t, newStream, variant{seeks: true, framing: logview.JSONLines})
		testAgainstModel(t, newStream, variant{seeks: true, returns: true, framing: logview.JSONLines})
		testAgainstModel(t, newStream, variant{losses: true, framing: logview.JSONLines})
	})
}

func TestReadingOnIsExactThoughEventsAreLost(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) {
		testAgainstModel(t, newStream, variant{losses: true})
	})
}

func TestTheSize(t *testing.T) {
	s := newMemStream(t)
	l := logview.New(s, store.Query{}, logview.Payloads)
	want := func(n int64, when string) {
		t.Helper()
		got, err := l.Size(t.Context())
		if err != nil || got != n {
			t.Errorf("%s the size is %d, %v, want %d", when, got, err, n)
		}
	}
	want(0, "of an empty stream")
	appendLines(t, s, "a", "bb", "ccc")
	want(9, "with three messages")
	a, b := open(t, l), open(t, l)
	if _, err := s.Remove(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	want(9, "after a removal while the log is open")
	appendLines(t, s, "d")
	want(11, "after an append while the log is open")
	a.Close()
	a.Close()
	want(11, "while one of two has it open")
	b.Close()
	want(9, "when nobody has it open")
	if err := s.Undelete(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	want(11, "when a message came back")
}
