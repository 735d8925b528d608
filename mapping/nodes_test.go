package mapping

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestNode(t *testing.T) {
	for _, c := range []struct {
		name           string
		k              Kind
		incarnation, n uint64
		ok             bool
	}{
		{"the smallest n", KindStream, 1, 0, true},
		{"the largest n", KindMessage, 1, MaxN, true},
		{"an n that does not fit is refused", KindMessage, 1, MaxN + 1, false},
		{"of the incarnation the lowest bits are kept", KindDraft, math.MaxUint64, 7, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, ok := Node(c.k, c.incarnation, c.n)
			if ok != c.ok {
				t.Fatalf("ok is %v, want %v", ok, c.ok)
			}
			if !ok {
				return
			}
			k, inc, n := SplitNode(id)
			if k != c.k || inc != Incarnation(c.incarnation) || n != c.n {
				t.Errorf("split gives (%d, %d, %d), want (%d, %d, %d)", k, inc, n, c.k, Incarnation(c.incarnation), c.n)
			}
		})
	}
}

func TestNodesOfDifferentFilesDiffer(t *testing.T) {
	type file struct {
		k      Kind
		inc, n uint64
	}
	gen := rapid.Custom(func(t *rapid.T) file {
		return file{
			Kind(rapid.IntRange(int(KindStream), int(KindDraft)).Draw(t, "kind")),
			rapid.Uint64Range(0, incarnationMask).Draw(t, "incarnation"),
			rapid.Uint64Range(0, MaxN).Draw(t, "n"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		ida, oka := Node(a.k, a.inc, a.n)
		idb, okb := Node(b.k, b.inc, b.n)
		if !oka || !okb || (ida == idb) != (a == b) {
			t.Fatalf("%+v gives %x, %+v gives %x", a, ida, b, idb)
		}
		if ida <= Root || ida > math.MaxInt64 {
			t.Fatalf("%+v gives %x, which is reserved or negative as a signed number", a, ida)
		}
	})
}
