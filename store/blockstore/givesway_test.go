package blockstore

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// fullOf fills a disk with messages as e, and removes every other one. Nothing looks for space by itself.
func fullOf(t *testing.T, fsys *hookFS, e store.Entry) *Stream {
	t.Helper()
	mem := vfs.NewMem()
	mem.SetLimit(4 << 20)
	fsys.FS = mem
	st, err := Open(fsys, Options{Sync: SyncNever, BlockSize: 64 << 10, asked: true})
	fatal(t, err)
	t.Cleanup(func() { _ = st.Close() })
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	s := made.(*Stream)
	last := store.Seq(0)
	for err == nil {
		var seq store.Seq
		if seq, err = s.Append(t.Context(), e); err == nil {
			last = seq
		}
	}
	if !errors.Is(err, store.ErrNoSpace) {
		t.Fatal(err)
	}
	for seq := store.Seq(1); seq < last; seq += 2 {
		_, err := s.Remove(t.Context(), seq)
		fatal(t, err)
	}
	return s
}

// TestRoomIsMadeWhileSomebodyErases has a message erased at the moment when room is made on a full disk: it is made nevertheless.
func TestRoomIsMadeWhileSomebodyErases(t *testing.T) {
	var fsys hookFS
	e := store.Entry{Subject: "x", Data: make([]byte, 3000)}
	s := fullOf(t, &fsys, e)
	var once sync.Once
	var erasing sync.WaitGroup
	defer erasing.Wait()
	met := false
	fsys.create = func(name string) error {
		if strings.HasSuffix(name, newSuffix) {
			once.Do(func() {
				met = true
				erasing.Go(func() {
					if _, err := s.Erase(t.Context(), 2); err != nil {
						t.Errorf("erase: %v", err)
					}
				})
				for s.wanted.Load() == 0 {
					runtime.Gosched()
				}
			})
		}
		return nil
	}
	for i := range 300 {
		if _, err := s.Append(t.Context(), e); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if !met {
		t.Error("no block was written anew")
	}
}

// TestRoomIsMadeOfControlsThatWerePassedOver fills a disk where blocks have little but controls that nobody needs. Who looks for space without
// hurry passes over them, as there is no room to write them anew; who needs room has the reserve for that.
func TestRoomIsMadeOfControlsThatWerePassedOver(t *testing.T) {
	mem := vfs.NewMem()
	mem.SetLimit(16 << 20)
	st, err := Open(mem, Options{Sync: SyncNever, BlockSize: 64 << 10, KeepDeleted: -1, asked: true})
	fatal(t, err)
	t.Cleanup(func() { _ = st.Close() })
	s := allButOneRemoved(t, st, 20_000)
	s.reclaimMu.Lock()
	groups, err := s.plan(&effort{asOf: math.MaxInt64})
	fatal(t, err)
	_, err = s.rewrite(t.Context(), &rewriting{old: groups[0].old}) // those with the messages
	fatal(t, err)
	s.reclaimMu.Unlock()
	s.wmu.Lock()
	err = s.rotateLocked() // the newest block has no controls
	s.wmu.Unlock()
	fatal(t, err)
	ballast, err := mem.Create("ballast")
	fatal(t, err)
	defer ballast.Close()
	for off := int64(0); err == nil; off += diskPage {
		_, err = ballast.WriteAt(make([]byte, diskPage), off)
	}
	_, err = st.reclaim(t.Context(), effort{asOf: math.MaxInt64})
	fatal(t, err)
	for i := range 400 {
		if _, err := s.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 3000)}); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}
