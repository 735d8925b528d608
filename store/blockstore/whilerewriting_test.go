package blockstore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// sealedWith returns a stream that keeps what was removed so long, with message 1 on k that has a Nats-Msg-Id, message 2 that was erased, and others
// on x in a first block, which is sealed; first is what happens to the first message before that.
func sealedWith(t *testing.T, fsys vfs.FS, keep time.Duration, first func(s *Stream) error) (*Store, *Stream) {
	t.Helper()
	st, err := Open(fsys, Options{Sync: SyncNever, BlockSize: 8 << 10, KeepDeleted: keep, asked: true})
	fatal(t, err)
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	s := made.(*Stream)
	_, err = s.Append(t.Context(), withID)
	fatal(t, err)
	fatal(t, first(s))
	for len(s.cur.Load().blocks) < 2 {
		put(t, s, "x")
	}
	_, err = s.Erase(t.Context(), 2)
	fatal(t, err)
	return st, s
}

var withID = store.Entry{Subject: "k", Header: []byte("NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n"), Data: []byte("hello")}

// TestAnIDOutlivesItsMessage removes a message while its block is written anew, when it was found to stay anyway. Its Nats-Msg-Id
// is remembered by who opens the store.
func TestAnIDOutlivesItsMessage(t *testing.T) {
	mem := vfs.NewMem()
	st, s := sealedWith(t, mem, -1, func(*Stream) error { return nil })
	r := &rewriting{s: s, old: s.cur.Load().blocks[:1], asOf: s.opt.Now()}
	s.reclaimMu.Lock()
	err := r.readControls()
	if err == nil {
		err = r.pin(t.Context())
	}
	if err == nil {
		_, err = s.Remove(t.Context(), 1)
	}
	if err == nil {
		_, err = r.replace(t.Context())
	}
	s.reclaimMu.Unlock()
	fatal(t, err)
	fatal(t, st.Close())
	st, s = openBlocks(t, mem, 8<<10)
	defer st.Close()
	if seq, err := s.Append(t.Context(), withID); err != nil || seq != 1 {
		t.Errorf("what was stored before as 1 is stored as %d (%v)", seq, err)
	}
}

// TestWhatComesBackWhileItsBlockIsWrittenIsKept brings a message back while its block is written anew, and loses the power before
// that is on disk: the message can be brought back still.
func TestWhatComesBackWhileItsBlockIsWrittenIsKept(t *testing.T) {
	mem := vfs.NewMem()
	fsys := &hookFS{FS: mem}
	st, s := sealedWith(t, fsys, time.Hour, func(s *Stream) error {
		_, err := s.Remove(t.Context(), 1)
		return err
	})
	back := 0
	fsys.create = func(name string) error {
		if !strings.HasSuffix(name, "1.blk"+newSuffix) {
			return nil
		}
		back++
		return s.Undelete(t.Context(), 1)
	}
	s.reclaimMu.Lock()
	_, err := s.rewrite(t.Context(), &rewriting{old: s.cur.Load().blocks[:1], asOf: s.opt.Now()})
	s.reclaimMu.Unlock()
	if err != nil || back != 1 {
		t.Fatalf("%v, and the message came back %d times, want once", err, back)
	}
	image := mem.Crash(nil, 0)
	fatal(t, st.Close())
	st, s = openBlocks(t, image, 8<<10)
	defer st.Close()
	m, err := s.Load(t.Context(), 1, nil)
	if errors.Is(err, store.ErrNotFound) {
		m, err = s.LoadKept(t.Context(), 1, nil)
	}
	if err != nil || string(m.Data) != "hello" {
		t.Errorf("got %q and %v", m.Data, err)
	}
}

// TestNamesThatAreErasedAreNoDamage has a block's names of subjects read while an erasure overwrites them.
func TestNamesThatAreErasedAreNoDamage(t *testing.T) {
	_, st, s := openHooked(t)
	_, err := s.Erase(t.Context(), 1) // the only one on its subject in the block
	fatal(t, err)
	n := s.cur.Load()
	v := n.view(0)
	if _, err := s.readTable(v.block, false); !errors.Is(err, record.ErrDropped) {
		t.Fatalf("the names are there: %v", err)
	}
	if _, err := s.replaceTable(&v); err != nil {
		t.Error(err)
	}
	if d, err := s.Damage(t.Context()); err != nil || len(d) > 0 {
		t.Errorf("damage %v, %v", d, err)
	}
	_ = st
}
