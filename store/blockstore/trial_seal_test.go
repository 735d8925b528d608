package blockstore_test

import (
	"fmt"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

const firstBlock = "streams/0000000000000001/00000001.blk"

// sealing appends messages until a block is being sealed, and returns what is in the file system before its footer is synced,
// how long the block is without it, and how many messages there are.
func sealing(t *testing.T, opt blockstore.Options) (image *vfs.Mem, end, messages int) {
	t.Helper()
	mem := vfs.NewMem()
	n := 0
	mem.Hook = func(string) {
		if names, err := mem.List("streams/0000000000000001"); image != nil || err != nil || strings.Contains(fmt.Sprint(names), "00000002.blk") {
			return
		}
		b, err := mem.Open(firstBlock)
		if err != nil {
			return
		}
		size, err := b.Size()
		must(t, err)
		content := make([]byte, size)
		if _, err := b.ReadAt(content, 0); err != nil || size < 512 || string(content[size-512+128:][:8]) != "JSFSSEAL" {
			return
		}
		image, end, messages = mem.Crash(seeded(1), 100), strings.LastIndex(string(content), "JSFSFOOT"), n
	}
	s, err := openTrial(mem, opt)
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	for ; image == nil; n++ {
		_, err := st.Append(bg, store.Entry{Subject: fmt.Sprint("s.", n%7), Data: fmt.Appendf(nil, "%0150d", n)})
		must(t, err)
		if n == 5 {
			_, err := st.Remove(bg, 2)
			must(t, err)
		}
	}
	mem.Hook = nil
	must(t, s.Close())
	return image, end, messages
}

// TestTrialATornFooterIsNoDamage has a loss of power leave any part of a footer as zeros, whatever else of it is there: its block has
// all messages, nothing is taken for damage, and the stream goes on.
func TestTrialATornFooterIsNoDamage(t *testing.T) {
	t.Parallel()
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			opt := v.of(trialOptions(blockstore.SyncAlways))
			image, end, messages := sealing(t, opt)
			size := len(readAll(t, image, firstBlock))
			for off := end; off < size; off += stride(16) {
				for _, n := range []int{min(64, size-off), size - off} {
					f := image.Crash(seeded(1), 100)
					overwrite(t, f, firstBlock, int64(off), make([]byte, n))
					if err := tornFooter(f, opt, messages); err != nil {
						t.Fatalf("%d bytes from %d on, of %d from %d on, are zeros: %v", n, off, size, end, err)
					}
				}
			}
		})
	}
}

// tornFooter opens what is left, with so many messages of which one is removed, stores more, and opens it again.
func tornFooter(f vfs.FS, opt blockstore.Options, messages int) error {
	for round := range 2 {
		s, err := openTrial(f, opt)
		if err != nil {
			return err
		}
		st, err := s.Stream(bg, "S")
		if err != nil {
			return err
		}
		list, err := st.Damage(bg)
		if err != nil || len(list) > 0 {
			return fmt.Errorf("damage: %+v, %w", list, err)
		}
		n := 0
		for m, err := range st.Scan(bg, store.Query{}) {
			if err == nil {
				_, err = st.Load(bg, m.Seq, nil)
			}
			if err != nil {
				return err
			}
			n++
		}
		if want := messages - 1 + round*60; n != want {
			return fmt.Errorf("%d messages are there, want %d", n, want)
		}
		for i := range 60 {
			if _, err := st.Append(bg, store.Entry{Subject: "s", Data: fmt.Appendf(nil, "%0150d", i)}); err != nil {
				return err
			}
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}
