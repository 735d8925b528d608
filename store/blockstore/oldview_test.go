package blockstore

import (
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestRemovalsBehindAnOldView has a reader hold a view of the tail while later messages come and are removed. What is in the
// view stays live in it, whatever the block counts as removed behind its end.
func TestRemovalsBehindAnOldView(t *testing.T) {
	st, s := openBlocks(t, vfs.NewMem(), 1<<20)
	defer st.Close()
	put(t, s, "x")
	n := s.cur.Load()
	old := n.view(n.blockOf(1))
	for range 3 {
		if live, err := s.Remove(t.Context(), put(t, s, "x")); err != nil || !live {
			t.Fatal(live, err)
		}
	}
	if got := old.nextLive(0); got != 0 {
		t.Errorf("the first live message of the view is %d, want 0", got)
	}
	if got := old.prevLive(0); got != 0 {
		t.Errorf("the last live message of the view is %d, want 0", got)
	}
}

// TestTheNextLiveMessage compares the search for live messages with one that asks for each by itself.
func TestTheNextLiveMessage(t *testing.T) {
	st, s := openBlocks(t, vfs.NewMem(), 1<<20)
	defer st.Close()
	const count = 200
	for range count {
		put(t, s, "x")
	}
	check := func(what string) {
		t.Helper()
		n := s.cur.Load()
		v := n.view(n.blockOf(1))
		for i := range count {
			next, prev := i, i
			for next < count && v.isDeleted(next) {
				next++
			}
			for prev >= 0 && v.isDeleted(prev) {
				prev--
			}
			if got := v.nextLive(i); got != next {
				t.Errorf("%s: from %d on the next is %d, want %d", what, i, got, next)
			}
			if got := v.prevLive(i); got != prev {
				t.Errorf("%s: up to %d the last is %d, want %d", what, i, got, prev)
			}
		}
	}
	check("all live")
	for _, r := range [][2]store.Seq{{1, 1}, {3, 5}, {60, 70}, {120, 199}, {71, 119}, {2, 2}, {6, 59}, {200, 200}} {
		for seq := r[0]; seq <= r[1]; seq++ {
			if _, err := s.Remove(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
		}
		check("some removed")
	}
}
