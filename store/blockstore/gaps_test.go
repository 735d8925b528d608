package blockstore

import (
	"fmt"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestGapsTellWhatIsLost loses messages in a sealed block and with a block, some of them removed before: each
// sequence is told by its cause once a scan has met the damage.
func TestGapsTellWhatIsLost(t *testing.T) {
	fs := vfs.NewMem()
	st, s := openSmall(t, fs)
	for range 60 {
		put(t, s, "x")
	}
	n := s.cur.Load()
	missing := n.blocks[2] // its file will be gone
	from, to := store.Seq(missing.hdr.First), store.Seq(missing.next-1)
	for _, seq := range []store.Seq{3, from + 1} {
		if _, err := s.Remove(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	v, i, _ := n.find(5)
	off, _, err := s.extent(&v, i)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open(v.name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff, 0xff, 0xff}, off); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if err := fs.Remove(missing.name); err != nil {
		t.Fatal(err)
	}
	st, s = openSmall(t, fs)
	defer st.Close()
	for _, err := range s.Scan(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []store.Gap
	for g, err := range s.Gaps(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, g)
	}
	gap := func(c store.Cause, first, last store.Seq) store.Gap {
		return store.Gap{Range: store.Range{First: first, Last: last}, Cause: c}
	}
	want := []store.Gap{
		gap(store.CauseRemoved, 3, 3), gap(store.CauseLost, 5, 5),
		gap(store.CauseLost, from, from), gap(store.CauseRemoved, from+1, from+1), gap(store.CauseLost, from+2, to),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
