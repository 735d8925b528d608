package memstore_test

import (
	"errors"
	"fmt"
	"testing"

	"jsfs/store"
	"jsfs/store/memstore"
)

func open(t *testing.T, maxBytes int64) (store.Store, store.Stream) {
	t.Helper()
	s := memstore.New(memstore.Options{MaxBytes: maxBytes})
	st, err := s.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	return s, st
}

// fill appends messages of 1,000 bytes until the store is full.
func fill(t *testing.T, st store.Stream) (n int) {
	t.Helper()
	for ; ; n++ {
		_, err := st.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 1000)})
		if errors.Is(err, store.ErrNoSpace) {
			return n
		}
		if err != nil || n > 1000 {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}

func TestAFullStoreGoesOnOnceThereIsSpace(t *testing.T) {
	s, st := open(t, 100_000)
	n := fill(t, st)
	if n < 50 || n > 100 {
		t.Fatalf("100,000 bytes took %d messages of 1,000", n)
	}
	if state, _ := st.State(t.Context()); state.Live.Messages != int64(n) || state.Last != store.Seq(n) { //nolint:gosec // small
		t.Errorf("a refused message left %+v", state)
	}
	if _, err := st.Load(t.Context(), 1, nil); err != nil {
		t.Errorf("reading from a full store: %v", err)
	}
	for seq := store.Seq(1); seq <= 10; seq++ {
		if live, err := st.Remove(t.Context(), seq); err != nil || !live {
			t.Errorf("removing from a full store: %v", err)
		}
	}
	if again := fill(t, st); again != 10 {
		t.Errorf("after 10 removals %d messages fit, want 10", again)
	}
	if err := st.Undelete(t.Context(), 5); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("undeleting what was forgotten: got %v, want %v", err, store.ErrNotFound)
	}
	u, err := s.Usage(t.Context())
	if err != nil || u.Total != 100_000 || u.Used > u.Total || u.Free > 2000 || u.Messages != uint64(n) { //nolint:gosec // small
		t.Errorf("usage of the full store: %+v, %v", u, err)
	}
}

// TestIDsThatAreRememberedDontBreakTheLimit removes messages whose ids are still to be remembered: they can't be forgotten to make
// room, and what has no room is refused.
func TestIDsThatAreRememberedDontBreakTheLimit(t *testing.T) {
	s, st := open(t, 100_000)
	n := 0
	for ; n < 1000; n++ {
		header := fmt.Appendf(nil, "NATS/1.0\r\nNats-Msg-Id: %d\r\n\r\n", n)
		seq, err := st.Append(t.Context(), store.Entry{Subject: "x", Header: header, Data: make([]byte, 1000)})
		if errors.Is(err, store.ErrNoSpace) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Remove(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := s.Usage(t.Context()); err != nil || u.Used > u.Total || n > 100 {
		t.Errorf("%d messages fit, %+v, %v", n, u, err)
	}
	if seq, err := st.Append(t.Context(), store.Entry{Subject: "x", Header: []byte("NATS/1.0\r\nNats-Msg-Id: 3\r\n\r\n")}); err != nil || seq != 4 {
		t.Errorf("an id that is remembered gives %d, %v", seq, err)
	}
}

func TestDraftsTakeSpaceUntilTheyAreGone(t *testing.T) {
	s, st := open(t, 100_000)
	free := func() uint64 {
		u, err := s.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u.Free
	}
	before := free()
	d, err := st.CreateDraft(t.Context(), ".d")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteAt([]byte("x"), 1<<40); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("a write far beyond the limit: got %v, want %v", err, store.ErrNoSpace)
	}
	if _, err := d.WriteAt(make([]byte, 50_000), 0); err != nil {
		t.Fatal(err)
	}
	if got := before - free(); got != 50_000 {
		t.Errorf("a draft of 50,000 bytes takes %d", got)
	}
	if err := d.Truncate(10); err != nil || before-free() != 10 {
		t.Errorf("after truncating to 10 it takes %d, %v", before-free(), err)
	}
	if err := st.RemoveDraft(t.Context(), ".d"); err != nil || before-free() != 10 {
		t.Errorf("while it is open it takes %d, %v", before-free(), err)
	}
	if err := d.Close(); err != nil || free() != before {
		t.Errorf("when it is gone it takes %d, %v", before-free(), err)
	}
}

func TestAMillionMessagesAreScannedInOneWalk(t *testing.T) {
	s := memstore.New(memstore.Options{})
	st, err := s.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	es := make([]store.Entry, 1000)
	for i := range es {
		es[i] = store.Entry{Subject: "x"}
	}
	for range 1000 {
		if _, err := st.AppendAll(t.Context(), es); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, err := range st.Scan(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1_000_000 {
		t.Errorf("got %d messages", n)
	}
}
