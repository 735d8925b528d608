package fusefs

import (
	"testing"
	"time"
	"unsafe"

	"jsfs/store"
)

// TestRemovalsAreRememberedForAMoment fills the memory of what was unlinked, and lets time go by.
func TestRemovalsAreRememberedForAMoment(t *testing.T) {
	var w writing
	at := time.Unix(1_700_000_000, 0)
	find := func(seq store.Seq, want bool) {
		t.Helper()
		if r, ok := w.lastRemoval(seq); ok != want || ok && r.seq != seq {
			t.Errorf("message %d: got %+v, %v, want %v", seq, r, ok, want)
		}
	}
	find(1, false)
	for seq := store.Seq(1); seq <= 2*maxRemoved+10; seq++ {
		w.noteRemoval(removal{seq, 7, at})
		find(seq, true)
		if old := int64(seq) - maxRemoved; old > 0 { //nolint:gosec // small
			find(store.Seq(old), false)
			find(store.Seq(old+1), true)
		}
	}
	w.noteRemoval(removal{maxRemoved + 100, 8, at.Add(hideFor)}) // again: the later one counts
	if r, _ := w.lastRemoval(maxRemoved + 100); r.thread != 8 || len(w.removed) != maxRemoved {
		t.Errorf("got %+v of %d", r, len(w.removed))
	}
	w.noteRemoval(removal{3, 7, at.Add(2*hideFor + 1)})
	find(3, true)
	find(maxRemoved+100, false)
	if len(w.removed) != 1 {
		t.Errorf("%d removals are remembered that count no more", len(w.removed)-1)
	}
}

// TestAStreamThatNobodyUsesIsSmall bounds what a mount keeps of each of many streams: it once had a table of 40 KiB.
func TestAStreamThatNobodyUsesIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(stream{}); n > 1024 {
		t.Errorf("a stream takes %d bytes", n)
	}
}
