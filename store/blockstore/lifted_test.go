package blockstore

import (
	"errors"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// A message that found no room on the disk leaves nothing that a limit which is lifted afterwards removes.
func TestALimitThatIsLiftedRemovesNothing(t *testing.T) {
	fail := vfs.NewFail(vfs.NewMem())
	st, err := Open(fail, Options{Sync: SyncNever, asked: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	s, err := st.Create(t.Context(), store.Config{Name: "S", MaxMsgsPerSubject: 10})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	fail.Set(vfs.Fault{At: 1, Err: syscall.ENOSPC, Match: func(call, _ string) bool { return call == "write" }})
	if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); !errors.Is(err, store.ErrNoSpace) {
		t.Fatalf("on a full disk: %v, want %v", err, store.ErrNoSpace)
	}
	if err := st.Update(t.Context(), store.Config{Name: "S"}); err != nil {
		t.Fatal(err)
	}
	if state, err := s.State(t.Context()); err != nil || state.Live.Messages != 3 {
		t.Errorf("got %+v, %v, want 3 messages", state, err)
	}
}

// A message that no consumer wanted, and that could not be removed, stays if the stream keeps such messages since.
func TestARetentionThatIsLiftedRemovesNothing(t *testing.T) {
	st, err := Open(vfs.NewMem(), Options{Sync: SyncNever, asked: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	created, err := st.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	s := created.(*Stream)
	seq, err := s.Append(t.Context(), store.Entry{Subject: "x"})
	if err != nil {
		t.Fatal(err)
	}
	s.wmu.Lock()
	s.lim.unwanted = append(s.lim.unwanted, seq) // as if it had been stored with retention interest, and no room to remove it
	s.wmu.Unlock()
	if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); err != nil {
		t.Fatal(err)
	}
	if state, err := s.State(t.Context()); err != nil || state.Live.Messages != 2 {
		t.Errorf("got %+v, %v, want 2 messages", state, err)
	}
}
