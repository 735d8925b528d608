package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestSumsArePutWhileDraftsAreWritten: who writes and who puts sums on disk get on beside each other, and nothing is taken for damaged.
func TestSumsArePutWhileDraftsAreWritten(t *testing.T) {
	mem := vfs.NewMem()
	st, s := draftStream(t, mem, Options{Sync: SyncNever})
	var writers, keeper sync.WaitGroup
	done := make(chan struct{})
	keeper.Go(func() {
		for {
			if err := s.keepSums(0, time.Time{}); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range 3 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 9)) //nolint:gosec // faults are no secrets
			name, other := fmt.Sprintf(".d%d", i), fmt.Sprintf(".e%d", i)
			var model []byte
			d, err := s.CreateDraft(t.Context(), name)
			for range 200 {
				off, b := rng.IntN(len(model)+1), bytes.Repeat([]byte{byte(rng.Uint32())}, 1+rng.IntN(6000))
				if err == nil {
					_, err = d.WriteAt(b, int64(off))
				}
				model = append(model, make([]byte, max(0, off+len(b)-len(model)))...)
				copy(model[off:], b)
				if rng.IntN(4) == 0 && err == nil {
					err = s.RenameDraft(t.Context(), name, other)
					name, other = other, name
				}
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := whole(d); err != nil || !bytes.Equal(got, model) {
					t.Errorf("draft %d: read %d bytes of %d, %v", i, len(got), len(model), err)
					return
				}
				if rng.IntN(4) == 0 {
					err = d.Close()
					if err == nil {
						d, err = s.OpenDraft(t.Context(), name)
					}
				}
			}
			if err = errors.Join(err, d.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	close(done)
	keeper.Wait()
	noDamage(t, mem.Kill(), "killed")
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	noDamage(t, mem, "closed")
}

// renamesFail is a disk on which no file gets another name any more, once on is set.
type renamesFail struct {
	*vfs.Mem
	on *atomic.Bool
}

func (f renamesFail) Rename(from, to string) error {
	if f.on.Load() {
		return &fs.PathError{Op: "rename", Path: from, Err: syscall.EIO}
	}
	return f.Mem.Rename(from, to)
}

// TestADraftThatKeepsItsNameKeepsItsSums: where another draft was to get a draft's name, and did not, that one is as it was, and damage
// in it is told.
func TestADraftThatKeepsItsNameKeepsItsSums(t *testing.T) {
	refused := map[string]func(s *Stream, on *atomic.Bool) error{
		"a draft of that name is made": func(s *Stream, _ *atomic.Bool) error {
			if _, err := s.CreateDraft(t.Context(), ".d"); !errors.Is(err, store.ErrExists) {
				return fmt.Errorf("got %w, want ErrExists", err)
			}
			return nil
		},
		"another one can't get the name": func(s *Stream, on *atomic.Bool) error {
			on.Store(true)
			defer on.Store(false)
			if err := s.RenameDraft(t.Context(), ".e", ".d"); !errors.Is(err, syscall.EIO) {
				return fmt.Errorf("got %w, want EIO", err)
			}
			return nil
		},
	}
	for name, do := range refused {
		f := renamesFail{vfs.NewMem(), new(atomic.Bool)}
		st, s := draftStream(t, f, Options{})
		putDraft(t, s, ".d", []byte("a draft"))
		putDraft(t, s, ".e", []byte("another"))
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		st, s = draftStream(t, f, Options{})
		if err := do(s, f.on); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		flipByte(t, f.Mem, "streams/0000000000000001/drafts/d.d", 0)
		if got, err := getDraft(t, s, ".d"); !errors.As(err, new(*store.CorruptError)) {
			t.Errorf("%s: a damaged draft reads as %q, %v", name, got, err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAStopDoesNotWaitForTheSumsOfAllDrafts begins to close a stream while the first of many drafts is synced for its sums.
func TestAStopDoesNotWaitForTheSumsOfAllDrafts(t *testing.T) {
	disk := vfs.NewFail(vfs.NewMem())
	st, s := draftStream(t, disk, Options{})
	for i := range 20 {
		putDraft(t, s, fmt.Sprintf(".%d", i), []byte("a draft"))
	}
	synced := 0
	disk.Set(vfs.Fault{Match: func(call, name string) bool {
		if call == "sync" && strings.Contains(name, "/drafts/d") {
			synced++
			s.stopping.Store(true)
		}
		return false
	}})
	if err := s.keepSums(0, time.Time{}); err != nil || synced != 1 {
		t.Errorf("%d drafts were synced, %v, want 1", synced, err)
	}
	if err := st.Close(); err != nil || synced < 20 {
		t.Errorf("%d drafts were synced at the end, %v, want all", synced, err)
	}
}

// TestAllStreamsOfAStoreHaveOneTimeForSums: a stop takes no longer where drafts are in many streams.
func TestAllStreamsOfAStoreHaveOneTimeForSums(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewFail(vfs.NewMem())
		st, _ := draftStream(t, disk, Options{})
		for i := range 20 {
			s, err := st.Create(t.Context(), store.Config{Name: fmt.Sprint("S", i)})
			if err != nil {
				t.Fatal(err)
			}
			putDraft(t, s, ".d", []byte("a draft"))
		}
		disk.Set(vfs.Fault{Match: func(call, name string) bool {
			if call == "sync" && strings.Contains(name, "/drafts/d") {
				time.Sleep(sumsAtStop / 4)
			}
			return false
		}})
		begun := time.Now()
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 2*sumsAtStop {
			t.Errorf("the stop took %v", took)
		}
	})
}
