package blockstore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestWhatTheDiskCantReadKeepsNothingFromBeingChecked lets each read of a block fail from one on: while the store is opened, and later.
func TestWhatTheDiskCantReadKeepsNothingFromBeingChecked(t *testing.T) {
	mem := vfs.NewMem()
	s, err := blockstore.Open(mem, trialOptions(blockstore.SyncNever))
	must(t, err)
	for _, name := range []string{"A", "B", "C"} {
		st, err := s.Create(bg, store.Config{Name: name})
		must(t, err)
		for i := range 60 {
			_, err := st.Append(bg, entry(seeded(i), i, 200))
			must(t, err)
		}
	}
	must(t, s.Close())
	const block = "streams/0000000000000002/00000001.blk"
	for at := 1; ; at++ {
		disk := vfs.NewFail(mem)
		disk.Set(vfs.Fault{At: at, ForGood: true, Match: func(call, name string) bool { return call == "read" && name == block }})
		r, err := blockstore.CheckFS(bg, disk, nil)
		if err != nil {
			t.Fatalf("read %d fails: %v", at, err)
		}
		if len(disk.Failed()) == 0 {
			if at < 6 {
				t.Errorf("only %d reads can fail", at-1)
			}
			break
		}
		if !slices.ContainsFunc(r.Damage, func(d store.Damage) bool { return d.Stream == "B" || d.File == block }) {
			t.Errorf("read %d fails, and it is not told: %+v", at, r.Damage)
		}
		for _, name := range []string{"A", "C"} {
			if !slices.ContainsFunc(r.Streams, func(s blockstore.StreamReport) bool { return s.Name == name && s.Messages == 60 }) {
				t.Errorf("read %d fails, and stream %s is reported as %+v", at, name, r.Streams)
			}
		}
	}
}

// TestWithoutTheKeyTooWhatTheDiskCantReadIsTold is the same for an encrypted store whose key is not given.
func TestWithoutTheKeyTooWhatTheDiskCantReadIsTold(t *testing.T) {
	mem, opt := vfs.NewMem(), variantOf(2).of(trialOptions(blockstore.SyncNever))
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	for _, name := range []string{"A", "B"} {
		st, err := s.Create(bg, store.Config{Name: name})
		must(t, err)
		for i := range 60 {
			_, err := st.Append(bg, entry(seeded(i), i, 200))
			must(t, err)
		}
	}
	must(t, s.Close())
	const block, other = "streams/0000000000000001/00000001.blk", "streams/0000000000000002/00000001.blk"
	flip(t, mem, other, 5000, 1)
	put(t, mem, "streams/0000000000000000", "a stray file")
	for at := 1; ; at++ {
		disk := vfs.NewFail(mem)
		disk.Set(vfs.Fault{At: at, ForGood: true, Match: func(call, name string) bool { return call == "read" && name == block }})
		r, err := blockstore.CheckFS(bg, disk, nil)
		if err != nil || !r.KeyMissing {
			t.Fatalf("read %d fails: %+v, %v", at, r, err)
		}
		if len(disk.Failed()) == 0 {
			if at < 5 {
				t.Errorf("only %d reads can fail", at-1)
			}
			break
		}
		for _, name := range []string{block, other} {
			if !slices.ContainsFunc(r.Damage, func(d store.Damage) bool { return d.File == name }) {
				t.Errorf("read %d fails, and nothing is told of %s: %+v", at, name, r.Damage)
			}
		}
	}
}

// TestADamagedDraftIsFoundByCheck flips a bit in a draft of an encrypted store.
func TestADamagedDraftIsFoundByCheck(t *testing.T) {
	mem, opt := vfs.NewMem(), variantOf(2).of(trialOptions(blockstore.SyncNever))
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	d, err := st.CreateDraft(bg, ".notes")
	must(t, err)
	_, err = d.WriteAt(entry(seeded(1), 1, 50_000).Data, 0)
	must(t, errors.Join(err, d.Close(), s.Close()))
	if r, err := blockstore.CheckFS(bg, mem, opt.Secret); err != nil || len(r.Damage) > 0 {
		t.Fatalf("of a whole store: %+v, %v", r.Damage, err)
	}
	for name, content := range files(t, mem, "streams") {
		if strings.Contains(name, "/drafts/") {
			for off := int64(200); off < int64(len(content)); off += 4096 {
				flip(t, mem, name, off, 1)
			}
		}
	}
	r, err := blockstore.CheckFS(bg, mem, opt.Secret)
	if err != nil || len(r.Damage) != 1 || !strings.Contains(r.Damage[0].Cause, `the draft ".notes" can't be read`) {
		t.Errorf("got %+v, %v, want the draft", r.Damage, err)
	}
}
