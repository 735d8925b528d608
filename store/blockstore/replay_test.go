package blockstore_test

import (
	"fmt"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestTotalsAfterAPurgeWhoseBlockWasWrittenAnew has a purge of a block's last two live messages, 8 and 30. Then 9 is brought back, 30 is
// erased, and the block is written anew: it says of 8 that it is gone and of 9 that it is live. Who opens the stream then
// reads the purge again, which takes two messages as it did, but other ones: 8 and 9.
func TestTotalsAfterAPurgeWhoseBlockWasWrittenAnew(t *testing.T) {
	mem := vfs.NewMem()
	s, err := openTrial(mem, blockstore.Asked(blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8 << 10}))
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	add := func(n, size int) {
		for i := range n {
			_, err := st.Append(bg, store.Entry{Subject: "x", Data: []byte(strings.Repeat("x", size+i))})
			must(t, err)
		}
	}
	remove := func(from, to store.Seq) {
		for seq := from; seq <= to; seq++ {
			_, err := st.Remove(bg, seq)
			must(t, err)
		}
	}
	add(30, 50)
	remove(1, 29)
	add(1, 9000) // the next block
	must(t, st.Undelete(bg, 8))
	_, err = st.Purge(bg, store.Purge{Below: 31})
	must(t, err)
	must(t, st.Undelete(bg, 9))
	_, err = st.Erase(bg, 30)
	must(t, err)
	before := bytesIn(mem)
	must(t, s.Reclaim(bg))
	if after := bytesIn(mem); after >= before {
		t.Fatalf("%d bytes before, %d after: the block was not written anew", before, after)
	}
	want := totalsOf(t, st)
	must(t, s.Close())
	for _, how := range []string{"closed", "again"} {
		s, err = openTrial(mem, blockstore.Asked(blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8 << 10}))
		must(t, err)
		st, err = s.Stream(bg, "S")
		must(t, err)
		if got := totalsOf(t, st); got != want {
			t.Errorf("%s: a scan meets %s, before it was opened again %s", how, got, want)
		}
		must(t, s.Close())
	}
}

// totalsOf demands that a stream's totals are those of its messages, and returns both.
func totalsOf(t *testing.T, st store.Stream) string {
	t.Helper()
	var sum store.Totals
	for m, err := range st.Scan(bg, store.Query{}) {
		must(t, err)
		sum = sum.Add(m)
	}
	state, err := st.State(bg)
	must(t, err)
	if state.Live != sum {
		t.Errorf("the state says %+v, the messages are %+v", state.Live, sum)
	}
	return fmt.Sprint(sum)
}
