package blockstore

import (
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestStrayFilesAreNoDrafts puts files among the drafts that are none.
func TestStrayFilesAreNoDrafts(t *testing.T) {
	mem := vfs.NewMem()
	st, err := Open(mem, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	d, err := made.CreateDraft(t.Context(), "real")
	fatal(t, err)
	fatal(t, d.Close())
	for _, name := range []string{"l", "list.txt", "lost+found", "d", "d%2F", "d%2", "e", "n", "p", "p0", "q", "x", "README"} {
		f, err := mem.Create(made.(*Stream).draftDir() + "/" + name)
		fatal(t, err)
		fatal(t, f.Close())
	}
	for range 2 {
		if list, err := made.ListDrafts(t.Context()); err != nil || len(list) != 1 || list[0].Name != "real" {
			t.Errorf("drafts: %+v, %v", list, err)
		}
		fatal(t, st.Close())
		st, err = Open(mem, Options{Sync: SyncNever, asked: true})
		fatal(t, err)
		made, err = st.Stream(t.Context(), "S")
		fatal(t, err)
	}
	fatal(t, st.Close())
}

// TestScratchDraftsNeedNoDirectory takes away the directory of drafts, as copies of a store do that lack what is empty.
func TestScratchDraftsNeedNoDirectory(t *testing.T) {
	mem := vfs.NewMem()
	st, err := Open(mem, Options{Sync: SyncNever, asked: true})
	fatal(t, err)
	defer st.Close()
	made, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	fatal(t, mem.Remove(made.(*Stream).draftDir()))
	d, err := made.ScratchDraft(t.Context())
	fatal(t, err)
	fatal(t, d.Close())
}
