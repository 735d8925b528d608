package gather

import "testing"

func TestCount(t *testing.T) {
	b := newBench(t, newStream(t), Options{})
	want := func(want int) {
		t.Helper()
		if n, err := Count(t.Context(), b); n != want || err != nil {
			t.Errorf("got %d, %v, want %d", n, err, want)
		}
	}
	want(0)
	b.restore(9, 3, 7)
	want(3)
	b.settle()
	want(0)
}
