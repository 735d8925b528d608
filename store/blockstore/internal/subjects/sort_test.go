package subjects

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSortNames sorts names by their keys and by comparing, some of which are there twice, differ only behind the key, or
// are the beginning of others.
func TestSortNames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, radixFrom - 1, radixFrom, 5000} {
		for _, form := range []string{"orders.%d", "%d", "a.%[1]d.%[1]d", "orders.%030d", "orders.%d.and a long end", "\xc3\xbf%d"} {
			names := make([]string, n)
			for i, k := range rng.Perm(n) {
				names[i] = fmt.Sprintf(form, k)
			}
			for range n / 10 { // some twice
				names[rng.IntN(n)] = names[rng.IntN(n)]
			}
			from := rng.IntN(n/2 + 1)
			want := make([]uint32, n-from)
			for i := range want {
				want[i] = uint32(from + i)
			}
			slices.SortStableFunc(want, func(a, b uint32) int { return strings.Compare(names[a], names[b]) })
			if got := SortNames(from, n, func(id uint32) string { return names[id] }); !slices.Equal(got, want) {
				t.Fatalf("%d names as in %q: not in the order of the names, or of the numbers", n, form)
			}
		}
	}
}
