package fusefs

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
)

// forgetful is a kernel that forgets what it is asked to, unless it is too old for that.
type forgetful struct {
	recorder
	m      *mounted
	old    bool
	pruned []uint64
}

func (k *forgetful) PruneNotify(nodes []uint64) fuse.Status {
	if k.old {
		return fuse.EINVAL
	}
	k.pruned = append(k.pruned, nodes...)
	for _, n := range nodes {
		k.m.Forget(n, 1)
	}
	return fuse.OK
}

func TestTheKernelIsAskedToForgetViews(t *testing.T) {
	m, _ := newViews(t, Options{SeqWidth: 1})
	k := &forgetful{m: m, recorder: recorder{names: map[uint64]string{}}}
	m.prune.kernel = k
	ranges := m.walk("S/.jsfs/range").NodeId
	view := func(i int) uint64 {
		out, st := m.lookupAt(ranges, fmt.Sprintf("%d-99999", i))
		if !st.Ok() {
			t.Fatal(st)
		}
		m.prune.wait()
		return out.NodeId
	}
	first := view(1)
	for i := range 5 * maxViews {
		view(i + 2)
		if i%100 == 0 {
			m.Forget(first, 1)
			view(1)
		}
	}
	if n := m.views.count(); n > maxViews+pruneEach {
		t.Errorf("%d views are known, want at most %d", n, maxViews+pruneEach)
	}
	if len(k.pruned) == 0 || slices.Contains(k.pruned, first) {
		t.Errorf("%d views were pruned; what was used all the time must not be", len(k.pruned))
	}
	if len(k.told) != 0 {
		t.Errorf("a kernel that forgets was also told %q", k.told[0])
	}
}

func TestAnOldKernelIsToldThatNamesOfViewsAreNotValid(t *testing.T) {
	m, s := newViews(t, Options{SeqWidth: 1})
	dir := m.walk("S/.jsfs/range/1-9")
	m.walk("S/.jsfs/range/1-9/.info")
	k := &forgetful{m: m, old: true, recorder: recorder{names: map[uint64]string{dir.NodeId: "1-9"}}}
	k.names[place{kind: mapping.KindControl, n: uint64(mapping.ControlRange)}.node(s)] = "range"
	m.prune.kernel = k
	m.prune.prune(append(m.views.longestUnused(), m.views.get(m.walk("S/.jsfs/range/1-9/.info").NodeId)))
	if want := []string{"entry 1-9/.info", "entry range/1-9"}; !slices.Equal(k.told, want) {
		t.Errorf("told %q, want %q", k.told, want)
	}
}
