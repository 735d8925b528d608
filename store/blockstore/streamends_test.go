package blockstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// endings are what ends a stream.
var endings = map[string]func(*Store) error{
	"removed": func(st *Store) error { return st.Remove(context.Background(), "S") },
	"closed":  (*Store).Close,
}

// TestAStreamEndsWhileCallsNeedTheStore ends a stream while a call on it is under way that needs the store: to make room, or to
// count its consumers. Neither may wait for the other for ever.
func TestAStreamEndsWhileCallsNeedTheStore(t *testing.T) {
	calls := map[string]struct {
		held func(*Store) sync.Locker // what the call comes to before it needs the store
		do   func(*Stream) error
	}{
		"append without room": {
			func(st *Store) sync.Locker { return &st.reclaimer.roomMu },
			func(s *Stream) error {
				_, err := s.Append(context.Background(), store.Entry{Subject: "x", Data: make([]byte, 10_000)})
				return err
			},
		},
		"new consumer": {
			func(st *Store) sync.Locker { return &st.account.consumers },
			func(s *Stream) error {
				_, err := s.CreateConsumer(context.Background(), store.ConsumerConfig{Name: "C"})
				return err
			},
		},
	}
	for what, call := range calls {
		for how, end := range endings {
			t.Run(what+", "+how, func(t *testing.T) {
				st, err := Open(vfs.NewMem(), Options{
					Sync: SyncNever, BlockSize: 8 << 10, asked: true,
					Limits: store.AccountLimits{MaxStorage: 20_000, MaxConsumers: 10},
				})
				fatal(t, err)
				_, err = st.Create(t.Context(), store.Config{Name: "OTHER"})
				fatal(t, err)
				other := st.streams["OTHER"]
				_, err = other.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 10_000)})
				fatal(t, err)
				_, err = st.Create(t.Context(), store.Config{Name: "S"})
				fatal(t, err)
				s := st.streams["S"]

				held := call.held(st)
				held.Lock()
				called, ended := make(chan error, 1), make(chan error, 1)
				go func() { called <- call.do(s) }()
				waitFor(t, "the call is under way", func() bool { return s.gate.n.Load() > 0 })
				go func() { ended <- end(st) }()
				waitFor(t, "the stream waits for it", func() bool { return s.gate.n.Load() > closedBias })
				held.Unlock()
				for range 2 {
					select {
					case err := <-called:
						if err != nil && !errors.Is(err, store.ErrLimit) && !errors.Is(err, store.ErrClosed) {
							t.Errorf("the call: %v", err)
						}
					case err := <-ended:
						fatal(t, err)
					case <-time.After(10 * time.Second):
						t.Fatal("they wait for each other")
					}
				}
				if how == "removed" {
					if _, err := st.Stream(t.Context(), "S"); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("the stream is there still: %v", err)
					}
					fatal(t, st.Close())
				}
			})
		}
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// TestAStreamIsMadeWhileOneOfItsNameIsRemoved: it comes when the other one is out of its place, so that the two never share the name.
func TestAStreamIsMadeWhileOneOfItsNameIsRemoved(t *testing.T) {
	mem := vfs.NewMem()
	s, err := Open(mem, Options{})
	noErr(t, err)
	old, err := s.Create(t.Context(), store.Config{Name: "S"})
	noErr(t, err)
	_, err = old.Append(t.Context(), store.Entry{Subject: "a"})
	noErr(t, err)
	_, err = old.Purge(t.Context(), store.Purge{}) // so that there is something to write when it is closed
	noErr(t, err)
	var made chan error
	mem.Hook = func(string) {
		if made != nil {
			return
		}
		made = make(chan error, 1)
		go func() {
			_, err := s.Create(t.Context(), store.Config{Name: "S"})
			made <- err
		}()
		select {
		case err := <-made:
			t.Errorf("it came while the other one was in its place: %v", err)
			made <- err
		case <-time.After(50 * time.Millisecond): // as long as a fault has to show itself
		}
	}
	noErr(t, s.Remove(t.Context(), "S"))
	noErr(t, <-made)
	mem.Hook = nil
	noErr(t, s.Close())
	s, err = Open(mem, Options{ReadOnly: true})
	noErr(t, err)
	names, err := s.Streams(t.Context())
	if err != nil || !slices.Equal(names, []string{"S"}) || len(s.Found()) > 0 {
		t.Errorf("got %q, %v, %v", names, err, s.Found())
	}
	noErr(t, s.Close())
}
