package blockstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// allButOneRemoved makes a stream of messages of 100 bytes, of which each but the last was removed by itself: most of its blocks have controls only.
func allButOneRemoved(t *testing.T, st *Store, messages store.Seq) *Stream {
	t.Helper()
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	for range messages {
		_, err := made.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 100)})
		fatal(t, err)
	}
	for seq := store.Seq(1); seq < messages; seq++ {
		_, err := made.Remove(t.Context(), seq)
		fatal(t, err)
	}
	return made.(*Stream)
}

// TestLeftoversWithoutAMessageAreKnown makes one block of blocks that have controls only, in an encrypted store, and cuts the power before each
// change: those that are left over are known as that, whichever of them, and no damage.
func TestLeftoversWithoutAMessageAreKnown(t *testing.T) {
	mem := vfs.NewMem()
	opt := Options{Sync: SyncNever, BlockSize: minBlockSize, Secret: testSecret, KeepDeleted: time.Hour, asked: true}
	st, err := Open(mem, opt)
	fatal(t, err)
	const messages = 80
	s := allButOneRemoved(t, st, messages)
	fatal(t, s.Sync(t.Context()))
	blocks := s.cur.Load().blocks
	first := len(blocks) - 2 // the newest stays as it is
	for blocks[first-1].next == blocks[first].next && blocks[first-1].hdr.First == blocks[first].hdr.First {
		first--
	}
	old := blocks[first : len(blocks)-1]
	if len(old) < 4 {
		t.Fatalf("only %d of %d blocks have no message", len(old), len(blocks))
	}
	rng, stops := rand.New(rand.NewPCG(1, 2)), 0 //nolint:gosec // no secret
	look := func(op string, copied *vfs.Mem) {
		stops++
		if err := firstLive(copied, opt, messages); err != nil && !t.Failed() {
			t.Errorf("stopped before %q: %v", op, err)
		}
	}
	mem.Hook = func(op string) {
		look(op, mem.Kill())
		for _, keep := range []int{0, 30, 50, 70, 100} {
			copied := mem.Crash(rng, keep)
			again := copied.Kill() // what was left over is removed by the first change, which may be cut off, too
			again.Hook = func(op string) { look(op, again.Crash(rng, keep)) }
			look(op, copied)
			_ = firstLive(again, opt, messages)
		}
	}
	s.reclaimMu.Lock()
	_, err = s.rewrite(t.Context(), &rewriting{old: old})
	s.reclaimMu.Unlock()
	fatal(t, err)
	mem.Hook = nil
	if stops < 100 {
		t.Errorf("only %d stops", stops)
	}
	fatal(t, st.Close())
}

// firstLive opens the store in mem, demands that its first live message is seq, and nothing damaged, and appends another one.
func firstLive(mem *vfs.Mem, opt Options, seq store.Seq) error {
	st, err := Open(mem, opt)
	if err != nil {
		return err
	}
	defer st.Close()
	s, err := st.Stream(bg, "S")
	if err != nil {
		return err
	}
	state, err := s.State(bg)
	if err != nil || state.First != seq || state.Live.Messages > 2 {
		return fmt.Errorf("got %+v, %w; want message %d and at most one more", state, err, seq)
	}
	list, err := s.Damage(bg)
	list = slices.DeleteFunc(list, func(d store.Damage) bool { return d.First > seq }) // what was being appended
	if err != nil || len(list) > 0 {
		return fmt.Errorf("damage: %+v, %w", list, err)
	}
	_, err = s.Append(bg, store.Entry{Subject: "x"})
	return err
}
