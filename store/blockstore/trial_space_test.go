package blockstore_test

import (
	"errors"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestTrialDiskFullAtEveryByte gives a store room for N bytes more, for every N, while it
// appends, rotates, removes and closes (P10): the writer is told ErrNoSpace, what was refused is not there, reads
// go on, and writes do once there is room.
func TestTrialDiskFullAtEveryByte(t *testing.T) {
	t.Parallel()
	base := vfs.NewMem()
	s, err := openTrial(base, trialOptions(blockstore.SyncAlways))
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	rng := seeded(1)
	var stored []store.Entry
	for i := range 18 {
		stored = append(stored, entry(rng, i, 180))
		_, err := st.Append(bg, stored[i])
		must(t, err)
	}
	must(t, s.Close())
	more := entry(rng, 1000, 300)
	for n := 0; n < 16_000; n += stride(3) {
		fullAt(t, base.Kill(), int64(n), stored, more)
		if t.Failed() {
			t.Fatalf("with room for %d bytes", n)
		}
	}
}

// fullAt fills a store that has room for n bytes, and empties and fills it again.
func fullAt(t *testing.T, mem *vfs.Mem, n int64, stored []store.Entry, more store.Entry) {
	t.Helper()
	f := vfs.NewFail(mem)
	f.SetRoom(n)
	s, err := openTrial(f, trialOptions(blockstore.SyncAlways))
	must(t, err)
	st, err := s.Stream(bg, "S")
	must(t, err)
	last := store.Seq(len(stored)) //nolint:gosec // small
	for full := false; !full && last < 60; {
		seq, err := st.Append(bg, more)
		switch {
		case err == nil:
			last = seq
		case errors.Is(err, store.ErrNoSpace):
			full = true
		default:
			t.Errorf("append to a full disk: %v", err)
			return
		}
	}
	want := int(last)
	wantMessages(t, st, want, "while the disk is full")
	if _, err := st.Remove(bg, 1); err != nil && !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("remove on a full disk: %v", err)
	} else if err == nil {
		want--
	}
	f.SetRoom(-1)
	if _, err := st.Append(bg, more); err != nil {
		t.Errorf("append once there is room: %v", err)
	}
	wantMessages(t, st, want+1, "once there is room")
	must(t, s.Close())
	for _, image := range []*vfs.Mem{mem, mem.Crash(seeded(1), 0)} {
		s, err = openTrial(image, trialOptions(blockstore.SyncAlways))
		must(t, err)
		st, err = s.Stream(bg, "S")
		must(t, err)
		wantMessages(t, st, want+1, "reopened")
		must(t, s.Close())
	}
}

// wantMessages demands that n messages are live, that all can be read, and nothing is damaged.
func wantMessages(t *testing.T, st store.Stream, n int, when string) {
	t.Helper()
	got := 0
	for m, err := range st.Scan(bg, store.Query{}) {
		if err == nil {
			_, err = st.Load(bg, m.Seq, nil)
		}
		if err != nil {
			t.Errorf("%s: message %d: %v", when, m.Seq, err)
			return
		}
		got++
	}
	if got != n {
		t.Errorf("%s: got %d messages, want %d", when, got, n)
	}
	if d, err := st.Damage(bg); len(d) > 0 || err != nil {
		t.Errorf("%s: damage %+v, %v", when, d, err)
	}
}

// TestTrialRemovingOnAFullDisk fills a file system to the last page: the reserve must let
// removals through, and writing must go on when something else gives room.
func TestTrialRemovingOnAFullDisk(t *testing.T) {
	t.Parallel()
	for pages := range int64(rounds(12, 200)) {
		mem := vfs.NewMem()
		mem.SetLimit(2<<20 + pages*1000)
		s, err := openTrial(mem, trialOptions(blockstore.SyncAlways))
		must(t, err)
		st, err := s.Create(bg, store.Config{Name: "S"})
		must(t, err)
		n := 0
		for ; ; n++ {
			if _, err := st.Append(bg, store.Entry{Subject: "x", Data: make([]byte, 3000)}); err != nil {
				if !errors.Is(err, store.ErrNoSpace) {
					t.Fatalf("append %d: %v", n, err)
				}
				break
			}
		}
		if n < 100 {
			t.Fatalf("only %d messages of 3,000 bytes fit into 2 MiB", n)
		}
		for seq := store.Seq(1); seq <= 100; seq++ {
			if live, err := st.Remove(bg, seq); err != nil || !live {
				t.Fatalf("removing message %d of %d on a full disk: %v, %v", seq, n, live, err)
			}
		}
		if err := st.Sync(bg); err != nil {
			t.Fatalf("sync on a full disk: %v", err)
		}
		wantMessages(t, st, n-100, "full")
		crashed := mem.Crash(seeded(1), 0)
		mem.SetLimit(4 << 20)
		if _, err := st.Append(bg, store.Entry{Subject: "x"}); err != nil {
			t.Fatalf("append once there is room: %v", err)
		}
		must(t, s.Close())
		s, err = openTrial(crashed, trialOptions(blockstore.SyncAlways))
		must(t, err)
		st, err = s.Stream(bg, "S")
		must(t, err)
		wantMessages(t, st, n-100, "after a crash of the full disk")
		must(t, s.Close())
	}
}
