package blockstore

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPackedOffsetsAreThoseThatWerePacked packs offsets of small messages, of some large ones among them, of large ones only,
// and of some that are missing.
func TestPackedOffsetsAreThoseThatWerePacked(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for name, c := range map[string]struct {
		size   func() int
		lack   int // one in so many
		packed bool
		bytes  float64 // for each, at most
	}{
		"small":              {func() int { return 100 + rng.IntN(100) }, 0, true, 2.2},
		"some large":         {func() int { return []int{150, 150, 150, 70_000}[max(0, rng.IntN(300)-296)] }, 0, true, 2.8},
		"large":              {func() int { return 5000 }, 0, false, 4},
		"just too far apart": {func() int { return 1<<16/(offsetGroup-1) + 1 }, 0, false, 4},
		"just near enough":   {func() int { return (1<<16 - 1) / (offsetGroup - 1) }, 0, true, 2.2},
		"some missing":       {func() int { return 150 }, 500, true, 2.8},
		"many missing":       {func() int { return 150 }, 2, false, 4},
	} {
		for _, n := range []int{0, 1, 2, offsetGroup - 1, offsetGroup, offsetGroup + 1, 40_000} {
			var offs []uint32
			for at := 4352; len(offs) < n; at += c.size() {
				if c.lack > 0 && rng.IntN(c.lack) == 0 {
					offs = append(offs, 0)
				} else {
					offs = append(offs, uint32(at))
				}
			}
			o := packOffsets(slices.Clip(offs))
			if !slices.Equal(o.all(), offs) || o.len() != n {
				t.Errorf("%s: %d offsets are not what they were", name, n)
			}
			for range min(n, 1000) {
				if i := rng.IntN(n); o.at(i) != int64(offs[i]) {
					t.Fatalf("%s: offset %d of %d is %d, want %d", name, i, n, o.at(i), offs[i])
				}
			}
			if n < 1000 {
				continue
			}
			if b := float64(o.size()) / float64(n); (o.packed != nil) != c.packed || b > c.bytes {
				t.Errorf("%s: packed %v, %.2f bytes each, want %v, %v", name, o.packed != nil, b, c.packed, c.bytes)
			}
		}
	}
}
