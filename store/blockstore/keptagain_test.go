package blockstore_test

import (
	"errors"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
)

// removedTwice is a stream whose message 5 was removed, brought back 1 hour later, and removed again 19 hours later; the block is gone
// that said it was brought back. Its newest 60 messages are live, and a limit removed the others. forward moves the clock.
func removedTwice(t *testing.T) (k *stock, forward func(time.Duration)) {
	t.Helper()
	now := time.Now().UnixNano()
	k = newStock(t, variants[0], blockstore.SyncNever, 100)
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
	return k, func(d time.Duration) { now += int64(d) }
}

// TestRemovedTwiceIsKeptSinceTheSecondTime demands that such a message is kept for a day since the second removal, also when the store is
// opened again.
func TestRemovedTwiceIsKeptSinceTheSecondTime(t *testing.T) {
	k, forward := removedTwice(t)
	forward(20 * time.Hour)
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

// TestRemovedTwiceComesBackWithItsStream demands that such a message comes back with its stream, which is removed right after it.
func TestRemovedTwiceComesBackWithItsStream(t *testing.T) {
	k, _ := removedTwice(t)
	live := k.state(t).Live.Messages
	_, err := k.st.Purge(bg, store.Purge{})
	must(t, err)
	must(t, k.s.Remove(bg, "S"))
	list, err := k.s.RemovedStreams(bg)
	must(t, err)
	if len(list) != 1 || list[0].Messages != live+1 {
		t.Fatalf("removed streams: got %+v, want one with %d messages", list, live+1)
	}
	k.st, err = k.s.Revive(bg, list[0].Incarnation)
	must(t, err)
	if _, err := k.st.StatKept(bg, 5); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("message 5 is kept as a removed one: %v", err)
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

// TestABlockThatSaysTheSameTwice has a block say twice, at the same time, that a message of another block came back: what it says in
// between is needed no more, and the block is given back nevertheless.
func TestABlockThatSaysTheSameTwice(t *testing.T) {
	now := time.Now().UnixNano()
	k := newStock(t, variants[0], blockstore.SyncNever, 100)
	must(t, k.s.Close())
	k.opt.Now = func() int64 { return now }
	k.open(t, k.mem)
	remove := func(seq store.Seq) {
		t.Helper()
		live, err := k.st.Remove(bg, seq)
		if err == nil && !live {
			err = store.ErrNotFound
		}
		must(t, err)
	}
	remove(5)
	must(t, k.st.Undelete(bg, 5))
	remove(5)
	must(t, k.st.Undelete(bg, 5))
	k.fill(t, 100)
	for seq := store.Seq(101); seq < 190; seq++ {
		remove(seq)
	}
	now += int64(48 * time.Hour)
	before := bytesIn(k.mem)
	must(t, k.s.Reclaim(bg))
	if after := bytesIn(k.mem); after >= before {
		t.Errorf("%d bytes before, %d after: nothing was given back", before, after)
	}
	for range 2 {
		if m, err := k.st.Load(bg, 5, nil); err != nil || string(m.Data) != stockData(5) {
			t.Errorf("message 5: %q, %v", m.Data, err)
		}
		must(t, k.s.Close())
		k.open(t, k.mem)
	}
	must(t, k.s.Close())
}
