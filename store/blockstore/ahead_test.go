package blockstore

import (
	"bytes"
	"errors"
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

// TestWhatWasReadAheadBeforeAnErasureIsNotUsed: a reader has what was read ahead while a message in it is erased. It is not given back
// then, nor served to one who takes it in the moment before it is dropped.
func TestWhatWasReadAheadBeforeAnErasureIsNotUsed(t *testing.T) {
	st, s := openBlocks(t, vfs.NewMem(), 128<<10)
	defer st.Close()
	const secret = 5
	for i := range 10 {
		if _, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: fmt.Appendf(nil, "message %0100d", i+1)}); err != nil {
			t.Fatal(err)
		}
	}
	for seq := range store.Seq(3) {
		if _, err := s.Load(t.Context(), seq+1, nil); err != nil {
			t.Fatal(err)
		}
	}
	taken := s.ahead.piece.Swap(nil)
	v, i, ok := s.cur.Load().find(secret)
	if taken == nil || !ok {
		t.Fatal("nothing is read ahead, or the message is not there")
	}
	off, end, err := s.extent(&v, i)
	size := end - off
	if err != nil || !taken.has(v.block, off, int(size)) {
		t.Fatalf("what is read ahead does not have the message: %v", err)
	}
	before := make([]byte, size)
	if err := s.readAt(v.block, before, off); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Erase(t.Context(), secret); !ok || err != nil {
		t.Fatalf("erase: %v, %v", ok, err)
	}
	s.ahead.put(taken)
	if s.ahead.piece.Load() != nil {
		t.Error("what was read before the erasure is there to be read")
	}
	s.ahead.piece.Store(taken) // as for a moment in put
	s.ahead.next.Store(secret)
	got, want := make([]byte, size), make([]byte, size)
	if err := errors.Join(s.readRecord(&v, got, off, int64(len(got)), secret), s.readAt(v.block, want, off)); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(want, before) {
		t.Fatal("the message was not overwritten")
	}
	if !bytes.Equal(got, want) {
		t.Error("a reader gets what the message was before it was erased")
	}
}
