package blockstore

import (
	"math"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestNothingIsForgottenForNoRoom looks for room on a full disk where a block is about as large as pages of it, and would lose a message that
// should still be kept. Either that gives a page back, or the message stays.
func TestNothingIsForgottenForNoRoom(t *testing.T) {
	forgotten, stays := 0, 0
	for size := 3000; size < 2*diskPage; size += 8 {
		st, err := Open(vfs.NewMem(), Options{Sync: SyncNever, KeepDeleted: time.Hour, asked: true})
		fatal(t, err)
		made, err := st.Create(t.Context(), store.Config{Name: "S"})
		fatal(t, err)
		s := made.(*Stream)
		for _, n := range []int{size, 200} {
			_, err = s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, n)})
			fatal(t, err)
		}
		_, err = s.Remove(t.Context(), 2)
		fatal(t, err)
		s.wmu.Lock()
		err = s.rotateLocked()
		s.wmu.Unlock()
		fatal(t, err)
		gained, err := st.reclaim(t.Context(), effort{asOf: math.MaxInt64, thorough: true, urgent: true})
		fatal(t, err)
		_, err = s.StatKept(t.Context(), 2)
		switch {
		case err == nil:
			stays++
		case gained > 0:
			forgotten++
		default:
			t.Errorf("beside a message of %d bytes one is forgotten, and nothing given back", size)
		}
		fatal(t, st.Close())
	}
	if forgotten == 0 || stays == 0 {
		t.Errorf("%d messages were forgotten for room, %d stayed", forgotten, stays)
	}
}
