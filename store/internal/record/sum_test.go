package record

import (
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestSumIsXXH64 compares sums of every length, short ones too, with those of the library.
func TestSumIsXXH64(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 100)
	for n := range b {
		for range 100 {
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
