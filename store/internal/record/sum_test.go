package record

import (
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestSumIsXXH64 compares sums of every length that is not left to the library, and some more, with those of the library.
func TestSumIsXXH64(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, longSum+100)
	for n := range b {
		for range 1 + 10_000/(n+100) {
			for i := range b[:n] {
				b[i] = byte(rng.Uint32())
			}
			seed := rng.Uint64()
			var d xxhash.Digest
			d.ResetWithSeed(seed)
			_, _ = d.Write(b[:n])
			if got := sum64(seed, b[:n]); got != d.Sum64() {
				t.Fatalf("%d bytes %x with seed %#x: got %#x, want %#x", n, b[:n], seed, got, d.Sum64())
			}
		}
	}
}
