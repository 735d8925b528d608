package blockstore

import (
	"fmt"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestWhatIsReadAheadIsBounded reads more streams in order than may have something in memory for that.
func TestWhatIsReadAheadIsBounded(t *testing.T) {
	st, err := Open(vfs.NewMem(), Options{Sync: SyncNever})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var all []*Stream
	have := func() (n int) {
		for _, s := range all {
			if s.ahead.piece.Load() != nil {
				n++
			}
		}
		return n
	}
	for i := range maxPieces + 20 {
		created, err := st.Create(t.Context(), store.Config{Name: fmt.Sprint("S", i)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, created.(*Stream))
		for j := range 3 {
			if _, err := created.Append(t.Context(), store.Entry{Subject: "x", Data: fmt.Append(nil, i, j)}); err != nil {
				t.Fatal(err)
			}
		}
		for j := range 3 {
			if m, err := created.Load(t.Context(), store.Seq(j+1), nil); err != nil || string(m.Data) != fmt.Sprint(i, j) {
				t.Fatalf("message %d of stream %d: got %q, %v", j+1, i, m.Data, err)
			}
		}
	}
	if got := have(); got != maxPieces {
		t.Errorf("%d streams have something in memory, want %d", got, maxPieces)
	}
	if _, err := all[100].RemoveAll(t.Context(), []store.Range{{First: 1, Last: 3}}); err != nil {
		t.Fatal(err)
	}
	if err := st.Remove(t.Context(), "S100"); err != nil {
		t.Fatal(err)
	}
	if got := have(); got != maxPieces-1 {
		t.Errorf("%d streams have something in memory when one is removed, want %d", got, maxPieces-1)
	}
}
