package blockstore

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTimesOfAGroupLieWhereTheyAreSought: what is remembered of a group's times never excludes the right message, and most
// often leaves no other.
func TestTimesOfAGroupLieWhereTheyAreSought(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	sure, unsure := 0, 0
	for round := range 20_000 {
		times := make([]int64, 1+rng.IntN(timeGroup))
		times[0] = []int64{1, 1_700_000_000_000_000_000, -5_000_000_000}[rng.IntN(3)] + rng.Int64N(1000)
		step := []int64{1, 2, 40, 1000, 1e6, 3e9, 5e16}[rng.IntN(7)]
		for k := 1; k < len(times); k++ {
			times[k] = times[k-1] + rng.Int64N(step)
		}
		x := newBlockTimes(3)
		x.put(1, times[0])
		if _, _, ok := x.seek(1, times[0]+1); ok {
			t.Fatal("what nobody learned is known")
		}
		x.learn(1, times[1:])
		if round%2 == 0 {
			x = x.grown(5)
		}
		for try := range 20 {
			ns := times[rng.IntN(len(times))] + rng.Int64N(3) - 1 // close to one of them
			if span := times[len(times)-1] - times[0]; try%2 == 0 {
				ns = times[0] + rng.Int64N(span+2) // anywhere
			}
			if ns <= times[0] {
				continue
			}
			want, _ := slices.BinarySearch(times, ns)
			lo, hi, ok := x.seek(1, ns)
			lo, hi = min(lo, len(times)), min(hi, len(times))
			if len(times) == 1 {
				lo, hi = 1, 1 // there is nothing to be learned
			} else if !ok {
				t.Fatalf("%v: nothing is known", times)
			}
			if want < lo || want > hi {
				t.Fatalf("%v: %d is sought from %d to before %d, is %d", times, ns, lo, hi, want)
			}
			switch {
			case try%2 == 1:
			case lo == hi:
				sure++
			default:
				unsure++
			}
		}
	}
	if unsure == 0 || unsure*10 > sure {
		t.Errorf("sure %d times, unsure %d", sure, unsure)
	}
	x := newBlockTimes(1)
	x.put(0, 10)
	for _, bad := range [][]int64{nil, {9}, {11, 10}, {math.MinInt64}} {
		if x.learn(0, bad); x.later[0].Load() != 0 {
			t.Errorf("learned %v", bad)
		}
	}
}
