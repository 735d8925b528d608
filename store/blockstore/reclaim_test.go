package blockstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// liveSet is what is certainly there: a message gets in when it is stored, and out before it is removed.
type liveSet struct {
	mu sync.Mutex // guards m
	m  map[store.Seq]bool
}

func (l *liveSet) set(seq store.Seq, live bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		l.m = map[store.Seq]bool{}
	}
	if live {
		l.m[seq] = true
	} else {
		delete(l.m, seq)
	}
}

// of3 returns those on the subject a.3.
func (l *liveSet) of3() map[store.Seq]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := map[store.Seq]bool{}
	for seq := range l.m {
		if seq%7 == 3 {
			got[seq] = true
		}
	}
	return got
}

// TestReadingWhileSpaceIsGivenBackNeverFails has readers, writers and removers at work while blocks are written anew
// all the time (compact racing store, reader sees a closed file), and demands that the store stays small.
func TestReadingWhileSpaceIsGivenBackNeverFails(t *testing.T) {
	const live, rounds = 400, 6000
	fsys, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	st, err := Open(fsys, Options{Sync: SyncNever, BlockSize: 16 << 10, KeepDeleted: -1, asked: true, MaxFiles: 4, CacheBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	created, err := st.Create(t.Context(), store.Config{Name: "S"})
	if err != nil {
		t.Fatal(err)
	}
	s := created.(*Stream)
	body := func(seq store.Seq) string { return fmt.Sprintf("message %d, %0200d", seq, seq) }
	for seq := store.Seq(1); seq <= live; seq++ {
		if _, err := s.Append(t.Context(), store.Entry{Subject: fmt.Sprintf("a.%d", seq%7), Data: []byte(body(seq))}); err != nil {
			t.Fatal(err)
		}
	}
	var known liveSet
	all := make([]store.Seq, live)
	for i := range all {
		all[i] = store.Seq(i + 1)
		known.set(all[i], true)
	}
	done := make(chan struct{})
	var others sync.WaitGroup
	for w := range 3 {
		others.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1)) //nolint:gosec // no secret
			for {
				select {
				case <-done:
					return
				default:
				}
				n := s.cur.Load()
				seq := store.Seq(n.first + rng.Uint64N(n.last-n.first+1))
				m, err := s.Load(t.Context(), seq, nil)
				if err == nil && string(m.Data) != body(seq) || err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("load of %d: %q, %v", seq, m.Data, err)
					return
				}
				if u, err := st.Usage(t.Context()); err != nil || u.Free+u.Used != u.Total {
					t.Errorf("usage: got %+v, %v", u, err)
				}
				before, seen := known.of3(), map[store.Seq]bool{}
				for m, err := range s.Scan(t.Context(), store.Query{Subject: "a.3"}) {
					if err != nil || m.Seq%7 != 3 {
						t.Errorf("scan: %+v, %v", m, err)
						return
					}
					seen[m.Seq] = true
				}
				after := known.of3()
				for seq := range before {
					if after[seq] && !seen[seq] {
						t.Errorf("a scan did not meet message %d, which was there all the time", seq)
						return
					}
				}
			}
		})
	}
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := st.Reclaim(t.Context()); err != nil {
				t.Errorf("reclaim: %v", err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	rng := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // no secret
	most := int64(0)
	for range rounds {
		next := store.Seq(s.cur.Load().last + 1)
		seq, err := s.Append(t.Context(), store.Entry{Subject: fmt.Sprintf("a.%d", next%7), Data: []byte(body(next))})
		if err != nil || seq != next {
			t.Fatalf("append: %d, %v", seq, err)
		}
		known.set(seq, true)
		i := rng.IntN(len(all))
		known.set(all[i], false)
		if gone, err := s.Remove(t.Context(), all[i]); err != nil || !gone {
			t.Fatalf("remove of %d: %v, %v", all[i], gone, err)
		}
		all[i] = seq
		most = max(most, sizeOf(s.cur.Load()))
	}
	close(done)
	others.Wait()
	if err := st.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	size, blocks := sizeOf(s.cur.Load()), len(s.cur.Load().blocks)
	t.Logf("%d live messages after %d rounds take %d bytes in %d blocks, at most %d; written were %d", live, rounds, size, blocks, most, (live+rounds)*250)
	if size > 400*250*3 {
		t.Errorf("%d messages of 250 bytes take %d bytes", live, size)
	}
	for _, seq := range all {
		if m, err := s.Load(t.Context(), seq, nil); err != nil || string(m.Data) != body(seq) {
			t.Fatalf("load of %d at the end: %v", seq, err)
		}
	}
}

// Who makes room goes through a small disk to its end, however long that takes.
func TestWhenRoomIsEnough(t *testing.T) {
	const size = 32 << 10
	st := &Store{opt: Options{BlockSize: size}}
	for _, tt := range []struct {
		urgent            bool
		gained, rewritten int64
		took              time.Duration
		enough            bool
	}{
		{urgent: true, gained: enoughRoom * size, enough: true},
		{urgent: true, gained: size, rewritten: enoughWork, took: 2 * enoughTime, enough: true},
		{urgent: true, gained: size, rewritten: enoughWork - 1, took: time.Hour},
		{urgent: true, gained: size, rewritten: enoughWork},
		{urgent: true, rewritten: enoughWork, took: time.Hour},
		{gained: enoughRoom * size, rewritten: enoughWork, took: time.Hour},
	} {
		begun := st.beginWork()
		begun.Time = begun.Add(-tt.took)
		st.rewritten.Add(tt.rewritten)
		if got := st.isEnough(&effort{urgent: tt.urgent}, tt.gained, begun); got != tt.enough {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}

// What is written anew is counted, so that who makes room knows how much that was.
func TestWhatIsWrittenAnewIsCounted(t *testing.T) {
	_, st, s := openHooked(t)
	b := s.cur.Load().blocks[0]
	for seq := store.Seq(1); seq < store.Seq(b.next); seq += 2 {
		if _, err := s.Remove(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	fatal(t, st.Reclaim(t.Context()))
	now := s.cur.Load().blocks[0]
	if got := st.rewritten.Load(); now == b || got != now.size {
		t.Errorf("%d bytes were counted, and the block that was written anew (%v) has %d", got, now != b, now.size)
	}
}
