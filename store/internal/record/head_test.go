package record

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestUvarintsAreThoseOfEncodingBinary decodes what was encoded and what was not, with more and with fewer bytes behind it.
func TestUvarintsAreThoseOfEncodingBinary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		b := binary.AppendUvarint(nil, rng.Uint64()>>rng.IntN(64))
		for range rng.IntN(12) {
			b = append(b, byte(rng.Uint32()))
		}
		if rng.IntN(4) == 0 {
			b[rng.IntN(len(b))] ^= 0x80
		}
		b = b[:len(b)-rng.IntN(min(len(b), 4))]
		got, n := uvarint(b)
		if want, m := binary.Uvarint(b); got != want || n != m {
			t.Fatalf("% x: got %d of %d bytes, want %d of %d", b, got, n, want, m)
		}
	}
}
