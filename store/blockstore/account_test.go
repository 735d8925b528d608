package blockstore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
	"jsfs/store/storetest"
)

func TestAccountLimits(t *testing.T) {
	open := func(tb testing.TB, opt Options) store.Store {
		tb.Helper()
		s, err := Open(vfs.NewMem(), opt)
		if err != nil {
			tb.Fatal(err)
		}
		return s
	}
	storetest.AccountLimits(t, func(tb testing.TB, l store.AccountLimits) store.Store { return open(tb, Options{Limits: l}) })
	storetest.AccountRoom(t, func(tb testing.TB, most int64) store.Store {
		return open(tb, Options{BlockSize: 32 << 10, Limits: store.AccountLimits{MaxStorage: most}})
	})
	for _, opt := range []Options{{}, {Secret: testSecret}} {
		storetest.AccountDrafts(t, func(tb testing.TB, most int64) store.Store {
			opt.Limits.MaxStorage = most
			return open(tb, opt)
		})
	}
	if _, err := Open(vfs.NewMem(), Options{Limits: store.AccountLimits{MaxStorage: -1}}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a negative limit: %v", err)
	}
}

// wantCounted demands that the account has just what the streams take.
func wantCounted(t *testing.T, st *Store, when string) {
	t.Helper()
	size := int64(0)
	for _, s := range st.streams {
		size += sizeOf(s.cur.Load())
	}
	if used := st.account.used.Load(); used != size {
		t.Errorf("%s: counted are %d bytes, the streams take %d", when, used, size)
	}
}

// TestMaxStorage fills a store to its limit: what is new is refused with a reason, df tells it, removals go on, and
// a lower or higher limit counts from the next opening on.
func TestMaxStorage(t *testing.T) {
	ctx := context.Background()
	mem := vfs.NewMem()
	opt := Options{BlockSize: minBlockSize, Sync: SyncNever, Limits: store.AccountLimits{MaxStorage: 100_000}}
	st, err := Open(mem, opt)
	fatal(t, err)
	for _, name := range []string{"A", "B"} {
		_, err := st.Create(ctx, store.Config{Name: name})
		fatal(t, err)
	}
	fill := func() (n int) {
		for {
			s, err := st.Stream(ctx, []string{"A", "B"}[n%2])
			fatal(t, err)
			if _, err := s.Append(ctx, store.Entry{Subject: "x", Data: make([]byte, 500)}); err != nil {
				if !errors.Is(err, store.ErrLimit) || !strings.Contains(err.Error(), "max_storage") {
					t.Fatalf("append %d: %v", n, err)
				}
				return n
			}
			n++
		}
	}
	n := fill()
	wantCounted(t, st, "when it is full")
	u, err := st.Usage(ctx)
	fatal(t, err)
	if n == 0 || u.Total != 100_000 || u.Free > 1000 || u.Used < 99_000 {
		t.Errorf("after %d messages: %+v", n, u)
	}
	s, err := st.Stream(ctx, "A")
	fatal(t, err)
	for seq := range store.Seq(5) {
		_, err := s.Remove(ctx, seq+1)
		fatal(t, err)
	}
	_, err = st.Truncate(ctx, "A", 3)
	fatal(t, err)
	wantCounted(t, st, "after a truncation")
	if more := fill(); more == 0 {
		t.Error("nothing fits after a truncation")
	}
	fatal(t, st.Close())
	opt.Limits.MaxStorage = 200_000
	st, err = Open(mem, opt)
	fatal(t, err)
	wantCounted(t, st, "when it is opened again")
	if more := fill(); more < n/2 {
		t.Errorf("with twice the room %d messages fit", more)
	}
	fatal(t, st.Close())
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
