package blockstore_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestARemovedStreamIsTakenOnlyOnceItsRemovalIsDurable removes a stream, where the directories can't be synced, lets its space be given
// back, and cuts the power: nothing of the stream may come back without its files.
func TestARemovedStreamIsTakenOnlyOnceItsRemovalIsDurable(t *testing.T) {
	for _, dir := range []string{"streams", "removed"} {
		mem := vfs.NewMem()
		f := vfs.NewFail(mem)
		s, err := openTrial(f, blockstore.Asked(blockstore.Options{Sync: blockstore.SyncAlways, KeepDeleted: -1}))
		must(t, err)
		_, err = s.Create(bg, store.Config{Name: "S"})
		must(t, err)
		f.Set(vfs.Fault{At: 1, Err: syscall.EIO, Match: func(call, name string) bool { return call == "syncdir" && name == dir }})
		if err := s.Remove(bg, "S"); err == nil {
			t.Fatalf("a sync of %s failed, and nobody was told", dir)
		}
		f.Set(vfs.Fault{})
		must(t, s.Reclaim(bg))
		if files, err := mem.List("removed"); err != nil || slices.ContainsFunc(files, func(name string) bool { return !strings.HasPrefix(name, "taken-") }) {
			t.Errorf("the stream was not taken: %v, %v", files, err)
		}
		for seed := range 20 {
			after, err := openTrial(mem.Crash(seeded(seed), 50*seed%150), trialOptions(blockstore.SyncAlways))
			must(t, err)
			if names, err := after.Streams(bg); err != nil || len(names) > 0 {
				t.Errorf("%s: after a crash there are the streams %v, %v", dir, names, err)
			}
			must(t, after.Close())
		}
		_ = s.Close()
	}
}
