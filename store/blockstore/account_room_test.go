package blockstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// roomTest is a store with the streams A and B and a limit that they have reached. Nothing is given back in it but to make
// room.
type roomTest struct {
	*testing.T
	st   *Store
	a, b store.Stream
	now  atomic.Int64
	n    store.Seq // messages in each stream
}

const roomLimit = 200_000

func newRoomTest(t *testing.T, policy Sync) *roomTest {
	t.Helper()
	r := &roomTest{T: t}
	r.now.Store(1.7e18)
	st, err := Open(vfs.NewMem(), Options{
		BlockSize: 8 << 10, Sync: policy, asked: true, Now: func() int64 { return r.now.Load() },
		Limits: store.AccountLimits{MaxStorage: roomLimit},
	})
	fatal(t, err)
	t.Cleanup(func() { fatal(t, st.Close()) })
	r.st = st
	r.a, err = st.Create(t.Context(), store.Config{Name: "A"})
	fatal(t, err)
	r.b, err = st.Create(t.Context(), store.Config{Name: "B"})
	fatal(t, err)
	for ; r.store(r.a) && r.store(r.b); r.n++ {
	}
	return r
}

// store appends a message, and says whether there was room for it.
func (r *roomTest) store(to store.Stream) bool {
	r.Helper()
	_, err := to.Append(context.Background(), store.Entry{Subject: "x", Data: make([]byte, 500)})
	if err != nil && (!errors.Is(err, store.ErrLimit) || !strings.Contains(err.Error(), "max_storage")) {
		r.Fatal(err)
	}
	if used := r.st.account.used.Load(); err == nil && used > roomLimit+record.DataStart+1000 { // it may have begun a block
		r.Fatalf("the streams take %d bytes", used)
	}
	return err == nil
}

// remove removes messages, an hour after what happened before.
func (r *roomTest) remove(from store.Stream, first, last store.Seq) {
	r.Helper()
	r.now.Add(int64(time.Hour))
	for seq := first; seq <= last; seq++ {
		if live, err := from.Remove(r.Context(), seq); err != nil || !live {
			r.Fatal(seq, live, err)
		}
	}
}

// kept is which removed messages are kept.
func (r *roomTest) kept(of store.Stream) (seqs []store.Seq) {
	r.Helper()
	for m, err := range of.ScanKept(r.Context(), 0, 0) {
		fatal(r.T, err)
		seqs = append(seqs, m.Seq)
	}
	return seqs
}

// TestMaxStorageTakesWhatWasRemovedFirst removes messages of a store that has reached its limit: they make room for new
// ones, in whatever stream, the oldest removals first, and only as many as are needed. df counts them as free.
func TestMaxStorageTakesWhatWasRemovedFirst(t *testing.T) {
	for _, policy := range []Sync{SyncAlways, SyncNever} {
		t.Run(policy.String(), func(t *testing.T) {
			r := newRoomTest(t, policy)
			r.remove(r.b, 1, 60)
			r.remove(r.a, 1, 60)
			if a, b := len(r.kept(r.a)), len(r.kept(r.b)); a != 60 || b != 60 {
				t.Fatalf("%d and %d messages are kept, want 60 each", a, b)
			}
			if u, err := r.st.Usage(t.Context()); err != nil || u.Free < 50_000 || u.Used > roomLimit-50_000 || u.Total != roomLimit {
				t.Errorf("with 120 messages of 500 bytes removed: %+v, %v", u, err)
			}
			more := 0
			for ; more < 40; more++ {
				if !r.store(r.a) {
					t.Fatalf("%d messages fit after 120 were removed", more)
				}
			}
			if a, b := len(r.kept(r.a)), len(r.kept(r.b)); a != 60 || b != 0 {
				t.Errorf("%d messages of the later removal are kept, and %d of the earlier one, want 60 and 0", a, b)
			}
			fatal(t, r.a.Undelete(t.Context(), 60))
			for more++; r.store(r.b); more++ {
			}
			r.remove(r.b, 61, 70)
			if !r.store(r.a) || !r.store(r.b) { // right after a refusal, too
				t.Error("nothing fits after ten messages were removed")
			}
			if a := len(r.kept(r.a)); a != 0 || more < 90 {
				t.Errorf("%d messages are kept, and %d fit in the place of 119", a, more)
			}
			if live, err := r.a.Stat(t.Context(), 60); err != nil {
				t.Errorf("what was brought back: %+v, %v", live, err)
			}
			wantCounted(t, r.st, "when it is full again")
			for _, st := range []store.Stream{r.a, r.b} {
				var seqs []store.Seq
				for m, err := range st.Scan(t.Context(), store.Query{}) {
					if err == nil {
						_, err = st.Load(t.Context(), m.Seq, nil)
					}
					fatal(t, err)
					seqs = append(seqs, m.Seq)
				}
				if !slices.IsSorted(seqs) || seqs[len(seqs)-1] < r.n {
					t.Errorf("live are %v", seqs)
				}
			}
		})
	}
}

// TestMaxStorageTakesRemovedStreams demands that a removed stream counts, also after the store was opened again, and makes room in
// its turn: after what was removed before it, and not for a message that never fits.
func TestMaxStorageTakesRemovedStreams(t *testing.T) {
	r := newRoomTest(t, SyncNever)
	r.remove(r.b, 1, 5)
	r.remove(r.a, 1, r.n)
	if live, err := r.a.Remove(t.Context(), r.n+1); err != nil && !errors.Is(err, store.ErrBeyond) {
		t.Fatal(live, err)
	}
	before := r.st.account.used.Load()
	fatal(t, r.st.Remove(t.Context(), "A"))
	if all := r.st.account.used.Load() + r.st.account.removed.Load(); all < before || all > before+20_000 {
		t.Errorf("counted are %d bytes after a stream was removed, and %d before", all, before)
	}
	r.now.Add(int64(4 * time.Hour))
	r.remove(r.b, 6, 10)
	if _, err := r.b.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, roomLimit)}); !errors.Is(err, store.ErrLimit) {
		t.Errorf("a message as large as the limit: %v", err)
	}
	if kept := r.kept(r.b); len(kept) != 10 {
		t.Errorf("%v are kept, want 1 to 10: it does not fit without them either", kept)
	}
	removed := func() int {
		list, err := r.st.RemovedStreams(t.Context())
		fatal(t, err)
		return len(list)
	}
	n := 0
	for ; removed() == 1; n++ {
		if !r.store(r.b) {
			t.Fatalf("%d messages fit, and a removed stream is kept", n)
		}
	}
	if kept := r.kept(r.b); len(kept) != 5 {
		t.Errorf("%v are kept, want 6 to 10, which were removed after the stream", kept)
	}
	if r.st.account.removed.Load() != 0 {
		t.Errorf("%d bytes are counted as those of removed streams", r.st.account.removed.Load())
	}
	for ; r.store(r.b); n++ {
	}
	if n < int(r.n) { //nolint:gosec // small
		t.Errorf("%d messages fit in the place of %d", n, r.n)
	}
	if kept := r.kept(r.b); len(kept) != 0 {
		t.Errorf("%v are kept by a full store", kept)
	}
}

func TestRemovedStreamsCountWhenTheStoreIsOpenedAgain(t *testing.T) {
	mem := vfs.NewMem()
	opt := Options{BlockSize: 8 << 10, Sync: SyncNever, Limits: store.AccountLimits{MaxStorage: roomLimit}}
	counted := int64(0)
	for i := range 3 {
		st, err := Open(mem, opt)
		fatal(t, err)
		if got := st.account.removed.Load(); got != counted {
			t.Errorf("opened again: %d bytes are counted for removed streams, want %d", got, counted)
		}
		s, err := st.Create(t.Context(), store.Config{Name: "S"})
		fatal(t, err)
		for range 20 {
			_, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 500)})
			fatal(t, err)
		}
		if i == 1 { // the stream before it is one that was removed
			s, err = st.Truncate(t.Context(), "S", 10)
			fatal(t, err)
			if got := st.account.removed.Load(); got <= counted {
				t.Errorf("%d bytes are counted for removed streams after a truncation, and %d before", got, counted)
			}
		}
		_, err = s.Purge(t.Context(), store.Purge{})
		fatal(t, err)
		fatal(t, st.Remove(t.Context(), "S"))
		if i == 2 {
			_, err = st.Revive(t.Context(), s.Incarnation())
			fatal(t, err)
		}
		counted = 0
		names, err := mem.List(removedDir)
		fatal(t, err)
		for _, name := range names {
			size, err := st.sizeOf(removedDir + "/" + name)
			fatal(t, err)
			counted += size
		}
		if got := st.account.removed.Load(); got != counted || len(names) != []int{1, 3, 3}[i] {
			t.Errorf("%d bytes are counted for removed streams, want %d of %d", got, counted, len(names))
		}
		fatal(t, st.Close())
	}
}

// TestRefusalsAtMaxStorageAreCheap demands that who goes on storing in a full store has nothing written anew for it.
func TestRefusalsAtMaxStorageAreCheap(t *testing.T) {
	r := newRoomTest(t, SyncNever)
	r.remove(r.a, 1, 10)
	for r.store(r.a) {
	}
	s := r.a.(*Stream)
	before := s.rewrites.Load()
	for range 100 {
		if r.store(r.a) {
			t.Fatal("a full store has room")
		}
	}
	if n := s.rewrites.Load() - before; n != 0 {
		t.Errorf("100 refusals wrote %d blocks anew", n)
	}
}

// TestRoomIsMadeUntilItIsEnough has much to give back in each of many streams: who needs a little room waits for some of it only.
func TestRoomIsMadeUntilItIsEnough(t *testing.T) {
	st, err := Open(vfs.NewMem(), Options{
		BlockSize: 8 << 10, Sync: SyncNever, asked: true, KeepDeleted: -1, Limits: store.AccountLimits{MaxStorage: 2_000_000},
	})
	fatal(t, err)
	defer func() { fatal(t, st.Close()) }()
	streams := make([]*Stream, 10)
	for i := range streams {
		made, err := st.Create(t.Context(), store.Config{Name: string(rune('A' + i))})
		fatal(t, err)
		streams[i] = made.(*Stream)
	}
	e := store.Entry{Subject: "x", Data: make([]byte, 500)}
	n := store.Seq(0)
	for err == nil {
		for _, s := range streams {
			if _, err = s.Append(t.Context(), e); err != nil {
				break
			}
		}
		n++
	}
	if !errors.Is(err, store.ErrLimit) || n < 100 {
		t.Fatalf("after %d messages in each stream: %v", n, err)
	}
	for _, s := range streams {
		for seq := range n - 1 {
			if seq%4 != 0 {
				_, err := s.Remove(t.Context(), seq+1)
				fatal(t, err)
			}
		}
	}
	_, err = streams[9].Append(t.Context(), e)
	fatal(t, err)
	wrote := 0
	for _, s := range streams {
		if s.rewrites.Load() > 0 {
			wrote++
		}
	}
	if wrote == 0 || wrote > 2 {
		t.Errorf("%d of %d streams were written anew for one message of 500 bytes", wrote, len(streams))
	}
}
