package blockstore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// TestTailNotesTellWhatWasWritten notes messages on few and on many subjects, drops some as a failed write does, and
// compares what the footer gets with a plain map.
func TestTailNotesTellWhatWasWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var n tailNotes
	for _, subjects := range []int{1, 3, 50, 2000, 20_000} { // one after the other, as blocks are
		n.begin()
		want, written := map[string][]uint32{}, 0
		for range 3000 {
			batch := make([]string, 1+rng.IntN(9))
			for i := range batch {
				batch[i] = fmt.Sprintf("orders.%d", rng.IntN(subjects))
				n.message(batch[i])
			}
			if rng.IntN(4) == 0 {
				n.forget(written)
				continue
			}
			n.flushed()
			for _, name := range batch {
				want[name] = append(want[name], uint32(written))
				written++
			}
		}
		got := n.subjects()
		if !slices.IsSortedFunc(got, func(a, b record.Subject) int {
			if a.Name < b.Name {
				return -1
			}
			return 1
		}) {
			t.Errorf("%d subjects: not sorted, or one twice", subjects)
		}
		have := map[string][]uint32{}
		for _, s := range got {
			have[s.Name] = s.Places
		}
		if !maps.EqualFunc(have, want, slices.Equal) {
			t.Errorf("%d subjects: got %d with messages, want %d, or other messages", subjects, len(have), len(want))
		}
	}
}

// TestMakingTheIndexKeepsNoTable: it looks at the subjects of all blocks, which would else push out what readers use.
func TestMakingTheIndexKeepsNoTable(t *testing.T) {
	st, s := openSmall(t, vfs.NewMem())
	for i := range 50 {
		put(t, s, fmt.Sprintf("orders.%d", i))
	}
	defer func() { _ = st.Close() }()
	if err := s.buildSubjects(t.Context()); err != nil {
		t.Fatal(err)
	}
	blocks := s.cur.Load().blocks
	for _, b := range blocks {
		if b.table.Load() != nil {
			t.Errorf("table of %s is kept", b.name)
		}
	}
	if len(blocks) < 3 || !s.subjects.isReady() {
		t.Errorf("%d blocks, and the index is ready: %v", len(blocks), s.subjects.isReady())
	}
}
