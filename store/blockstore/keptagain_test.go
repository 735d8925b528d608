package blockstore_test

import (
	"errors"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
)

// TestRemovedTwiceIsKeptSinceTheSecondTime removes a message, brings it back and removes it again; then the block goes that says
// it was brought back. It is kept for a day since the second removal, also when the store is opened again.
func TestRemovedTwiceIsKeptSinceTheSecondTime(t *testing.T) {
	now := time.Now().UnixNano()
	k := newStock(t, variants[0], blockstore.SyncNever, 100)
	must(t, k.s.Close())
	k.opt.Now = func() int64 { return now }
	k.open(t, k.mem)
	fill := func(n int) {
		for range n {
			_, err := k.st.Append(bg, store.Entry{Subject: "x", Data: []byte(stockData(1))})
			must(t, err)
		}
	}
	_, err := k.st.Remove(bg, 5)
	must(t, err)
	k.fill(t, 50)
	now += int64(time.Hour)
	fill(40)
	must(t, k.st.Undelete(bg, 5))
	fill(60)
	now += int64(19 * time.Hour)
	k.fill(t, 10)
	_, err = k.st.Remove(bg, 5)
	must(t, err)
	fill(60)
	must(t, k.s.Update(bg, store.Config{Name: "S", MaxMsgsPerSubject: 60}))
	before := bytesIn(k.mem)
	must(t, k.s.Reclaim(bg))
	if after := bytesIn(k.mem); after >= before {
		t.Fatalf("%d bytes before, %d after: nothing was given back", before, after)
	}
	now += int64(20 * time.Hour)
	for range 2 {
		if _, err := k.st.(store.Keeper).StatKept(bg, 5); err != nil {
			t.Errorf("20 hours after it was removed: %v", err)
		}
		must(t, k.s.Close())
		k.open(t, k.mem)
	}
	must(t, k.s.Reclaim(bg))
	must(t, k.st.Undelete(bg, 5))
	if lost := k.lost(t, 100); len(lost) > 0 {
		t.Errorf("%v are lost", lost)
	}
	must(t, k.s.Close())
}

// TestReclaimReachesTheNewestBlock has a truncated stream in which nobody has stored anything yet: what was removed from its newest block, and is
// not kept, is given back as well.
func TestReclaimReachesTheNewestBlock(t *testing.T) {
	k := newStock(t, variants[0], blockstore.SyncNever, 50)
	must(t, k.s.Close())
	k.opt.KeepDeleted = -1
	k.open(t, k.mem)
	_, err := k.st.Erase(bg, 44) // nothing is left of it, so that the copy ends with a sealed block
	must(t, err)
	_, err = k.st.Remove(bg, 40)
	must(t, err)
	k.st, err = k.s.Truncate(bg, "S", 45)
	must(t, err)
	must(t, k.s.Reclaim(bg))
	if err := k.st.Undelete(bg, 40); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("undelete of what is given back: got %v, want %v", err, store.ErrNotFound)
	}
	if lost := k.lost(t, 45, 40, 44); len(lost) > 0 {
		t.Errorf("%v are lost", lost)
	}
	must(t, k.s.Close())
}
