package blockstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestTrialBitRot flips one bit anywhere in a store (P5): at most the record that was hit is
// lost, it is reported, and no wrong byte is served.
func TestTrialBitRot(t *testing.T) {
	t.Parallel()
	bitRot(t, rounds(10_000, 100_000), newSpecimen)
}

// TestTrialBitRotInBlocksThatWereWrittenAnew does so to a store that gave space back.
func TestTrialBitRotInBlocksThatWereWrittenAnew(t *testing.T) {
	t.Parallel()
	bitRot(t, rounds(3000, 100_000), newReclaimedSpecimen)
}

func bitRot(t *testing.T, n int, build func(testing.TB, int) *specimen) {
	t.Helper()
	rng := seeded(5)
	var sp *specimen
	lost := 0
	for i := range n {
		if i%150 == 0 {
			sp = build(t, i/150)
		}
		f := sp.fs.Kill()
		name, off := sp.aim(rng)
		bit := rng.IntN(8)
		at := fmt.Sprintf("round %d: bit %d of byte %d of %s (%d bytes)", i, bit, off, name, sp.size[name])
		flip(t, f, name, off, bit)
		found, err := sp.read(f)
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		hit := sp.hit(name, off, 1)
		for _, k := range found.lost {
			if !hit[k] || len(found.lost) > 1 {
				t.Fatalf("%s: message %d of %s in %s at %d–%d is lost, too; %d in all", at, k.seq, k.stream, k.file, k.start, k.end, len(found.lost))
			}
		}
		for _, k := range append(found.revived, found.vanished...) {
			t.Fatalf("%s: message %d of %s, live %v, is that no more", at, k.seq, k.stream, k.live)
		}
		lost += len(found.lost)
		if i%10 == 0 {
			sp.checkReports(t, at, f, len(found.lost) > 0)
		}
	}
	t.Logf("%d messages lost", lost)
}

// aim picks a byte of the store: mostly of the blocks, one in ten of their headers and
// footers, and some of every other file.
func (sp *specimen) aim(rng *rand.Rand) (name string, off int64) {
	p := rng.IntN(10)
	if p >= 8 {
		name = sp.others[rng.IntN(len(sp.others))]
		return name, rng.Int64N(sp.size[name])
	}
	name = sp.blocks[rng.IntN(len(sp.blocks))]
	switch size := sp.size[name]; {
	case p == 0 && rng.IntN(2) == 0:
		return name, rng.Int64N(4352)
	case p == 0:
		return name, size - 1 - rng.Int64N(min(size, 1000))
	default:
		return name, rng.Int64N(size)
	}
}

// flip changes one bit of a file.
func flip(tb testing.TB, f vfs.FS, name string, off int64, bit int) {
	tb.Helper()
	file, err := f.Open(name)
	must(tb, err)
	var b [1]byte
	_, err = file.ReadAt(b[:], off)
	must(tb, err)
	b[0] ^= 1 << bit
	if mem, ok := f.(*vfs.Mem); ok {
		err = mem.Damage(name, b[:], off)
	} else {
		_, err = file.WriteAt(b[:], off)
	}
	must(tb, errors.Join(err, file.Close()))
}

// checkReports demands that the check tells of a loss, and changes no file (P20).
func (sp *specimen) checkReports(t *testing.T, at string, f *vfs.Mem, lost bool) {
	t.Helper()
	var report blockstore.Report
	err := unchanged(f, func() (err error) {
		report, err = blockstore.CheckFS(bg, f, sp.opt.Secret)
		return err
	})
	if err != nil {
		t.Fatalf("%s: check: %v", at, err)
	}
	if lost && len(report.Damage) == 0 {
		t.Fatalf("%s: the check found no damage", at)
	}
}

// TestTrialPageDamage damages whole sectors and pages (P6): only records that overlap
// them are lost, and their neighbours.
func TestTrialPageDamage(t *testing.T) {
	t.Parallel()
	pageDamage(t, rounds(1000, 10_000), newSpecimen)
}

// TestTrialPageDamageInBlocksThatWereWrittenAnew does so to a store that gave space back.
func TestTrialPageDamageInBlocksThatWereWrittenAnew(t *testing.T) {
	t.Parallel()
	pageDamage(t, rounds(400, 10_000), newReclaimedSpecimen)
}

func pageDamage(t *testing.T, n int, build func(testing.TB, int) *specimen) {
	t.Helper()
	kinds := []struct {
		name string
		n    int64
		page func(sp *specimen, rng *rand.Rand, f vfs.FS, name string, old []byte) []byte
	}{
		{"a sector of zeros", 512, func(_ *specimen, _ *rand.Rand, _ vfs.FS, _ string, old []byte) []byte { return make([]byte, len(old)) }},
		{"a page of noise", 4096, func(_ *specimen, rng *rand.Rand, _ vfs.FS, _ string, old []byte) []byte { return noise(rng, len(old)) }},
		{"a page of before", 4096, func(_ *specimen, rng *rand.Rand, _ vfs.FS, _ string, old []byte) []byte {
			stale := append([]byte(nil), old...)
			clear(stale[rng.IntN(len(stale)):])
			return stale
		}},
		{"a page of somewhere else", 4096, func(sp *specimen, rng *rand.Rand, f vfs.FS, _ string, old []byte) []byte {
			from := sp.blocks[rng.IntN(len(sp.blocks))]
			content := readAll(t, f, from)
			at := rng.IntN(len(content)/4096+1) * 4096
			return append([]byte(content[min(at, len(content)):]), make([]byte, len(old))...)[:len(old)]
		}},
	}
	for _, kind := range kinds {
		t.Run(strings.ReplaceAll(kind.name, " ", "_"), func(t *testing.T) {
			rng := seeded(6)
			var sp *specimen
			for i := range n {
				if i%17 == 0 {
					sp = build(t, i/17)
				}
				f := sp.fs.Kill()
				name := sp.blocks[rng.IntN(len(sp.blocks))]
				off := rng.Int64N((sp.size[name]+kind.n-1)/kind.n) * kind.n
				size := min(kind.n, sp.size[name]-off)
				at := fmt.Sprintf("round %d: %d bytes at %d of %s (%d bytes)", i, size, off, name, sp.size[name])
				overwrite(t, f, name, off, kind.page(sp, rng, f, name, []byte(readAll(t, f, name)[off:off+size])))
				found, err := sp.read(f)
				if err != nil {
					t.Fatalf("%s: %v", at, err)
				}
				near := sp.hit(name, off-300, size+600)
				for _, k := range found.lost {
					if !near[k] {
						t.Fatalf("%s: message %d of %s in %s at %d–%d is lost, too", at, k.seq, k.stream, k.file, k.start, k.end)
					}
				}
				if i%20 == 0 {
					sp.checkReports(t, at, f, len(found.lost) > 0)
				}
			}
		})
	}
}

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.IntN(256))
	}
	return b
}

// TestTrialBlockDamage damages whole blocks (P7): what was in them is lost and
// reported, everything else is served, and writing goes on above what was there.
func TestTrialBlockDamage(t *testing.T) {
	t.Parallel()
	blockDamage(t, rounds(120, 1000), newSpecimen)
}

// TestTrialDamageOfBlocksThatWereWrittenAnew does so to a store that gave space back.
func TestTrialDamageOfBlocksThatWereWrittenAnew(t *testing.T) {
	t.Parallel()
	blockDamage(t, rounds(40, 1000), newReclaimedSpecimen)
}

func blockDamage(t *testing.T, count int, build func(testing.TB, int) *specimen) {
	t.Helper()
	kinds := []struct {
		name   string
		damage func(tb testing.TB, rng *rand.Rand, sp, other *specimen, f vfs.FS, block string) (harmed []string)
	}{
		{"truncated", func(tb testing.TB, rng *rand.Rand, sp, _ *specimen, f vfs.FS, block string) []string {
			put(tb, f, block, readAll(tb, f, block)[:rng.Int64N(sp.size[block])])
			return []string{block}
		}},
		{"missing", func(tb testing.TB, _ *rand.Rand, _, _ *specimen, f vfs.FS, block string) []string {
			must(tb, f.Remove(block))
			return []string{block}
		}},
		{"empty", func(tb testing.TB, _ *rand.Rand, _, _ *specimen, f vfs.FS, block string) []string {
			put(tb, f, block, "")
			return []string{block}
		}},
		{"zeros", func(tb testing.TB, _ *rand.Rand, sp, _ *specimen, f vfs.FS, block string) []string {
			put(tb, f, block, string(make([]byte, sp.size[block])))
			return []string{block}
		}},
		{"noise", func(tb testing.TB, rng *rand.Rand, sp, _ *specimen, f vfs.FS, block string) []string {
			put(tb, f, block, string(noise(rng, int(sp.size[block]))))
			return []string{block}
		}},
		{"copied over another", func(tb testing.TB, rng *rand.Rand, sp, _ *specimen, f vfs.FS, block string) []string {
			victim := sp.blocks[rng.IntN(len(sp.blocks))]
			put(tb, f, victim, readAll(tb, f, block))
			return []string{victim}
		}},
		{"copied beside", func(tb testing.TB, rng *rand.Rand, _, _ *specimen, f vfs.FS, block string) []string {
			put(tb, f, fmt.Sprintf("%s/%08x.blk", dirOf(block), 1000+rng.IntN(5)), readAll(tb, f, block))
			return nil
		}},
		{"renamed", func(tb testing.TB, rng *rand.Rand, _, _ *specimen, f vfs.FS, block string) []string {
			must(tb, f.Rename(block, fmt.Sprintf("%s/%08x.blk", dirOf(block), 1000+rng.IntN(5))))
			return []string{block}
		}},
		{"of another store", func(tb testing.TB, rng *rand.Rand, _, other *specimen, f vfs.FS, block string) []string {
			put(tb, f, block, readAll(tb, other.fs, other.blocks[rng.IntN(len(other.blocks))]))
			return []string{block}
		}},
	}
	for n, kind := range kinds {
		t.Run(strings.ReplaceAll(kind.name, " ", "_"), func(t *testing.T) {
			rng := seeded(7)
			sp, other := build(t, n), build(t, n+len(variants))
			for i := range count {
				f := sp.fs.Kill()
				block := sp.blocks[rng.IntN(len(sp.blocks))]
				harmed := kind.damage(t, rng, sp, other, f, block)
				sp.afterBlockDamage(t, fmt.Sprintf("round %d: %s", i, block), f, harmed)
			}
		})
	}
}

func dirOf(name string) string { return name[:strings.LastIndexByte(name, '/')] }

func (sp *specimen) afterBlockDamage(t *testing.T, at string, f *vfs.Mem, harmed []string) {
	t.Helper()
	found, err := sp.read(f)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	for _, k := range found.lost {
		if len(harmed) == 0 || k.file != harmed[0] {
			t.Fatalf("%s: message %d of %s in %s is lost, too", at, k.seq, k.stream, k.file)
		}
	}
	sp.checkReports(t, at, f, len(found.lost) > 0)
	before := files(t, f, ".")
	s, err := openTrial(f, trialOptions(blockstore.SyncAlways))
	if err != nil {
		t.Fatalf("%s: open for writing: %v", at, err)
	}
	for name, last := range sp.last {
		st, err := s.Stream(bg, name)
		must(t, err)
		seq, err := st.Append(bg, store.Entry{Subject: "after"})
		if err != nil || seq <= last {
			t.Fatalf("%s: append to %s after the damage: got %d, %v; last was %d", at, name, seq, err, last)
		}
	}
	if _, err := sp.inspect(s); err != nil && !strings.Contains(err.Error(), "never stored") {
		t.Fatalf("%s: after an append: %v", at, err)
	}
	must(t, s.Close())
	after := files(t, f, ".")
	for name, content := range before {
		if strings.HasSuffix(name, ".blk") && !strings.HasPrefix(after[name], content) && !kept2(after, content) {
			t.Fatalf("%s: bytes of %s are gone", at, name)
		}
	}
}

// kept2 says whether some file still begins with content.
func kept2(files map[string]string, content string) bool {
	for _, c := range files {
		if strings.HasPrefix(c, content) {
			return true
		}
	}
	return false
}
