package blockstore

import (
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// published makes a store with a message and a draft of that name, and publishes the draft.
func published(t *testing.T, mem *vfs.Mem, sync Sync, name string, before func()) {
	t.Helper()
	st, err := Open(mem, Options{Sync: sync, asked: true})
	fatal(t, err)
	t.Cleanup(func() { _ = st.Close() })
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	d, err := s.CreateDraft(t.Context(), name)
	fatal(t, err)
	fatal(t, errors.Join(d.Sync(), d.Close(), s.Sync(t.Context())))
	before()
	_, err = s.PublishDraft(t.Context(), name, store.Entry{Subject: "x"})
	fatal(t, err)
}

// wantUnpublished opens image as often as a file can fail to be opened, and demands a message, and a draft of that name.
func wantUnpublished(t *testing.T, image *vfs.Mem, name string) {
	t.Helper()
	for n := 1; ; n++ {
		fail := vfs.NewFail(image.Kill())
		fail.Set(vfs.Fault{At: n, Err: syscall.EMFILE, Match: of("open", "list")})
		st, err := Open(fail, Options{Sync: SyncNever, asked: true})
		if err != nil {
			if !errors.Is(err, syscall.EMFILE) {
				t.Errorf("file %d: %v, want %v", n, err, syscall.EMFILE)
			}
			continue
		}
		failed := len(fail.Failed())
		fail.Set(vfs.Fault{})
		s, err := st.Stream(t.Context(), "S")
		fatal(t, err)
		if state, err := s.State(t.Context()); err != nil || state.Live.Messages != 1 {
			t.Errorf("file %d: %+v, %v, want a message", n, state, err)
		}
		if list, err := s.ListDrafts(t.Context()); err != nil || len(list) != 1 || list[0].Name != name {
			t.Errorf("file %d: the drafts are %+v, %v, want %q", n, list, err, name)
		}
		fatal(t, st.Close())
		if failed == 0 {
			break
		}
	}
}

// A draft that did not become a message has its name again, also where the file that has it could not be opened at first.
func TestADraftWithALongNameKeepsIt(t *testing.T) {
	mem, name := vfs.NewMem(), strings.Repeat("n", 250)
	var image *vfs.Mem
	published(t, mem, SyncAlways, name, func() {
		mem.Hook = func(op string) {
			if image == nil && strings.HasPrefix(op, "write "+streamDir(1)) && strings.Contains(op, ".blk") {
				image = mem.Kill()
			}
		}
	})
	wantUnpublished(t, image, name)
}

// A draft that is one again after a loss of power is no message as well, also where the drafts could not be listed at first.
func TestADraftThatCannotBeListedIsOneOfTheTwo(t *testing.T) {
	mem := vfs.NewMem()
	published(t, mem, SyncNever, ".draft", func() { fatal(t, mem.SyncDir(streamDir(1)+"/"+draftsName)) })
	f, err := mem.Open(blockName(streamDir(1), 1))
	fatal(t, err)
	fatal(t, errors.Join(f.Sync(), f.Close())) // the message is on disk, and not that the draft is gone
	wantUnpublished(t, mem.Crash(rand.New(rand.NewPCG(1, 1)), 0), ".draft")
}
