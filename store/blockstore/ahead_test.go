package blockstore

import (
	"fmt"
	"runtime"
	"sync"
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

// TestReadersInOrderShareWhatIsReadAhead has readers go through a stream at once, behind each other, and demands that each gets
// the messages that it asked for. Blocks are sealed and messages erased meanwhile.
func TestReadersInOrderShareWhatIsReadAhead(t *testing.T) {
	st, s := openBlocks(t, vfs.NewMem(), 128<<10)
	defer st.Close()
	const messages = 3000
	content := func(seq store.Seq) string { return fmt.Sprintf("%0100d", seq) }
	for i := range store.Seq(messages) {
		if _, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: []byte(content(i + 1))}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			buf := make([]byte, 1024)
			for i := range store.Seq(messages) {
				m, err := s.Load(t.Context(), i+1, buf)
				if (i+1)%500 == 0 { // it is erased at some moment
					continue
				}
				if err != nil || m.Seq != i+1 || string(m.Data) != content(i+1) {
					t.Errorf("message %d: got %d, %q, %v", i+1, m.Seq, m.Data, err)
					return
				}
			}
		})
	}
	for seq := store.Seq(500); seq <= messages; seq += 500 {
		if ok, err := s.Erase(t.Context(), seq); !ok || err != nil {
			t.Fatalf("erase %d: %v, %v", seq, ok, err)
		}
		if m, err := s.Load(t.Context(), seq, nil); err == nil {
			t.Fatalf("message %d is read after it was erased: %q", seq, m.Data)
		}
	}
	wg.Wait()
}

// TestWhoReadsInOrderUsesTheSameMemory: what is read ahead has a place, and gets no new one each time.
func TestWhoReadsInOrderUsesTheSameMemory(t *testing.T) {
	st, s := openBlocks(t, vfs.NewMem(), 8<<20)
	defer st.Close()
	const messages = 40_000
	es := make([]store.Entry, messages)
	for i := range es {
		es[i] = store.Entry{Subject: "x", Data: make([]byte, 100)}
	}
	if _, err := s.AppendAll(t.Context(), es); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	buf := make([]byte, 1024)
	runtime.ReadMemStats(&before)
	for i := range store.Seq(messages) {
		if _, err := s.Load(t.Context(), i+1, buf); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; s.ahead.piece.Load() == nil || got > 10*aheadRead {
		t.Errorf("reading %d messages in order took %d bytes of memory, %d for what is read ahead are enough", messages, got, aheadRead)
	}
}
