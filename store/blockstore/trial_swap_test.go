package blockstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// forgeHeader returns a block with all copies of its header changed, and their checksums right.
func forgeHeader(tb testing.TB, block string, change func(h *record.Header)) string {
	tb.Helper()
	h, err := record.ParseHeader([]byte(block))
	must(tb, err)
	change(&h)
	b := []byte(block)
	for _, at := range []int{0, record.HeaderCopy} {
		copy(b[at:], h.Append(nil))
	}
	return string(b)
}

// TestTrialSwappedBlocks puts blocks of a sealed store where they do not belong, with headers that say they do and
// checksums that are right: not one of their messages is accepted.
func TestTrialSwappedBlocks(t *testing.T) {
	t.Parallel()
	for seed, v := range variants {
		if v.cipher == 0 {
			continue // checksums are no proof against who means it
		}
		sp, other := newSpecimen(t, seed), newSpecimen(t, seed+len(variants))
		rng := seeded(seed)
		for i := range rounds(200, 2000) {
			f := sp.fs.Kill()
			victim := sp.blocks[rng.IntN(len(sp.blocks))]
			from, what := sp, "another block"
			if i%2 == 1 {
				from, what = other, "another store's block"
			}
			source := from.blocks[rng.IntN(len(from.blocks))]
			if from == sp && source == victim {
				continue
			}
			home, err := record.ParseHeader([]byte(readAll(t, sp.fs, victim)))
			must(t, err)
			put(t, f, victim, forgeHeader(t, readAll(t, from.fs, source), func(h *record.Header) {
				h.Store, h.Incarnation, h.Block, h.First, h.Mark, h.Time, h.Chain = home.Store, home.Incarnation, home.Block, home.First, home.Mark, home.Time, home.Chain
			}))
			at := fmt.Sprintf("%s, round %d: %s, %s over %s", v.name, i, what, source, victim)
			found, err := sp.read(f)
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			for _, k := range found.lost {
				if k.file != victim {
					t.Fatalf("%s: message %d of %s in %s is lost, too", at, k.seq, k.stream, k.file)
				}
			}
			sp.checkReports(t, at, f, true)
		}
	}
}

// TestSwappedStreamsServeNothing exchanges the directories of two streams, their blocks forged to belong.
func TestSwappedStreamsServeNothing(t *testing.T) {
	for seed, v := range variants {
		if v.cipher == 0 {
			continue
		}
		sp := newSpecimen(t, seed)
		f := sp.fs.Kill()
		const a, b = "streams/0000000000000001", "streams/0000000000000002"
		must(t, f.Rename(a, "streams/x"))
		must(t, f.Rename(b, a))
		must(t, f.Rename("streams/x", b))
		for inc, dir := range map[uint64]string{1: a, 2: b} {
			for name, content := range files(t, f, dir) {
				if strings.HasSuffix(name, ".blk") {
					put(t, f, name, forgeHeader(t, content, func(h *record.Header) { h.Incarnation = inc }))
				}
			}
		}
		s, err := openTrial(f, trialOptions(blockstore.SyncAlways))
		must(t, err)
		names, err := s.Streams(bg)
		must(t, err)
		for _, name := range names {
			st, err := s.Stream(bg, name)
			must(t, err)
			for m, err := range st.Scan(bg, store.Query{}) {
				t.Errorf("%s: stream %s has message %d, %v", v.name, name, m.Seq, err)
			}
			if _, found := sp.last[name]; found {
				t.Errorf("%s: there is a stream %s", v.name, name)
			}
		}
		must(t, s.Close())
	}
}

// TestADroppedBlockIsNoticed takes each block away in turn, also one that has nothing but removals: the block
// behind it says that something is missing.
func TestADroppedBlockIsNoticed(t *testing.T) {
	for _, v := range variants {
		if v.cipher == 0 {
			continue
		}
		mem, opt := vfs.NewMem(), v.of(trialOptions(blockstore.SyncNever))
		s, err := blockstore.Open(mem, opt)
		must(t, err)
		st, err := s.Create(bg, store.Config{Name: "S"})
		must(t, err)
		for range 100 {
			_, err := st.Append(bg, store.Entry{Subject: "s", Data: make([]byte, 100)})
			must(t, err)
		}
		for seq := store.Seq(1); seq < 90; seq++ { // more removals than a block holds
			_, err := st.Remove(bg, seq)
			must(t, err)
		}
		_, err = st.Append(bg, store.Entry{Subject: "s"})
		must(t, err)
		must(t, s.Close())
		var blocks []string
		for name := range files(t, mem, "streams") {
			if strings.HasSuffix(name, ".blk") {
				blocks = append(blocks, name)
			}
		}
		for _, gone := range blocks {
			f := mem.Kill()
			must(t, f.Remove(gone))
			report, err := blockstore.CheckFS(bg, f, opt.Secret)
			if err != nil || len(report.Damage) == 0 {
				t.Errorf("%s: %s of %d blocks dropped: got %+v, %v", v.name, gone, len(blocks), report, err)
			}
		}
		report, err := blockstore.CheckFS(bg, mem, opt.Secret)
		if err != nil || len(report.Damage) > 0 || report.KeyMissing {
			t.Errorf("%s: nothing dropped: got %+v, %v", v.name, report, err)
		}
	}
}

// TestTrialCheckWithoutTheKey flips bits in sealed stores: the check finds what lies in blocks and envelopes without the
// key, says that it had none, and changes nothing.
func TestTrialCheckWithoutTheKey(t *testing.T) {
	t.Parallel()
	for seed, v := range variants {
		if v.cipher == 0 {
			continue
		}
		sp, rng := newSpecimen(t, seed), seeded(seed)
		check := func(f *vfs.Mem) (report blockstore.Report) {
			err := unchanged(f, func() (err error) {
				report, err = blockstore.CheckFS(bg, f, nil)
				return err
			})
			must(t, err)
			if !report.KeyMissing {
				t.Fatalf("%s: the report does not say that the key was missing", v.name)
			}
			return report
		}
		if r := check(sp.fs); len(r.Damage) > 0 {
			t.Fatalf("%s: damage in a whole store: %+v", v.name, r.Damage)
		}
		for i := range rounds(250, 2500) {
			f := sp.fs.Kill()
			k := sp.msgs[rng.IntN(len(sp.msgs))]
			off := k.start + rng.Int64N(k.end-k.start)
			flip(t, f, k.file, off, rng.IntN(8))
			if r := check(f); len(r.Damage) == 0 {
				t.Fatalf("%s, round %d: byte %d of %s flipped, and no damage found", v.name, i, off, k.file)
			}
		}
	}
	_, err := blockstore.CheckFS(bg, newSpecimen(t, 2).fs, secretOf(t, "another key of 32 bytes, not it."))
	if !errors.Is(err, store.ErrKey) {
		t.Errorf("check with a wrong key: got %v, want ErrKey", err)
	}
}
