package blockstore

import (
	"sync"
	"sync/atomic"
	"testing"

	"jsfs/store"
)

// TestAppendingAllocatesNothing: of a stream that nobody looks at no snapshots are made.
func TestAppendingAllocatesNothing(t *testing.T) {
	st, err := OpenDir(t.TempDir(), Options{Sync: SyncNever})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("hello")
	n := testing.AllocsPerRun(5000, func() {
		if _, err := s.Append(t.Context(), store.Entry{Subject: "orders.new", Data: data}); err != nil {
			t.Fatal(err)
		}
	})
	if n >= 1 {
		t.Errorf("a message is appended with %v allocations", n)
	}
}

// TestReadersSeeWhatWasAppended lets readers look at a stream while it grows: what was acknowledged before they look is
// there, and nothing goes back.
func TestReadersSeeWhatWasAppended(t *testing.T) {
	st, err := OpenDir(t.TempDir(), Options{Sync: SyncNever, BlockSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged atomic.Uint64
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			before := store.State{}
			for !done.Load() {
				least := acknowledged.Load()
				now, err := s.State(t.Context())
				if err != nil || uint64(now.Last) < least || now.Last < before.Last || now.Live.Messages != int64(now.Last) || now.Rev < before.Rev {
					t.Errorf("got %+v and %v, at least %d messages were acknowledged, and %+v told before", now, err, least, before)
					return
				}
				if _, err := s.Load(t.Context(), max(now.Last, 1), nil); err != nil && now.Last > 0 {
					t.Errorf("message %d: %v", now.Last, err)
					return
				}
				before = now
			}
		})
	}
	for range 20_000 {
		seq, err := s.Append(t.Context(), store.Entry{Subject: "orders.new", Data: []byte("hello")})
		if err != nil {
			t.Fatal(err)
		}
		acknowledged.Store(uint64(seq))
	}
	done.Store(true)
	wg.Wait()
}
