package fusefs

import (
	"fmt"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func (m *mounted) openDirFlags(node uint64) uint32 {
	m.t.Helper()
	var out fuse.OpenOut
	if st := m.OpenDir(nil, &fuse.OpenIn{InHeader: header(node)}, &out); !st.Ok() {
		m.t.Fatal(st)
	}
	m.ReleaseDir(&fuse.ReleaseIn{InHeader: header(node), Fh: out.Fh})
	return out.OpenFlags
}

// The kernel keeps names where they can't change, and forgets them when they cost more than they save.
func TestTheKernelKeepsNamesWhereNothingChanges(t *testing.T) {
	const caches, keeps = fuse.FOPEN_CACHE_DIR, fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
	m := newMounted(t, Options{ReadOnly: true, Unchanging: true})
	m.agree(TransportDev, keepsNames)
	s := m.stream("S", make([]string, 800)...)
	if got := m.openDirFlags(s.node); got != keeps {
		t.Errorf("a stream's directory: got flags %#x, want %#x", got, keeps)
	}
	for _, path := range []string{"S/.jsfs", "S/.jsfs/subjects", "S/.jsfs/subjects/a.b", "S/.jsfs/deleted", "S/.jsfs/range/1-9"} {
		if got := m.openDirFlags(m.walk(path).NodeId); got != 0 {
			t.Errorf("%s: got flags %#x, want none", path, got)
		}
	}
	for i := range 100 {
		m.lookupAt(s.node, fmt.Sprint(i+1))
	}
	if got := m.openDirFlags(s.node); got != keeps {
		t.Errorf("after 100 lookups: got flags %#x, want %#x", got, keeps)
	}
	m.lookupAt(s.node, "101")
	for i, want := range []uint32{caches, keeps} {
		if got := m.openDirFlags(s.node); got != want {
			t.Errorf("open %d after more lookups than pay: got flags %#x, want %#x", i+1, got, want)
		}
	}
	s.bare.Add(101)
	for i, want := range []uint32{caches, keeps} {
		if got := m.openDirFlags(s.node); got != want {
			t.Errorf("open %d after a listing without attributes: got flags %#x, want %#x", i+1, got, want)
		}
	}
	m.agree(TransportDev, keepsNames-1)
	if got := m.openDirFlags(s.node); got != 0 {
		t.Errorf("with a kernel that is too old: got flags %#x, want none", got)
	}

	m = newMounted(t, Options{ReadOnly: true})
	m.agree(TransportDev, keepsNames)
	if got := m.openDirFlags(m.stream("S", "one").node); got != 0 {
		t.Errorf("where others may change the store: got flags %#x, want none", got)
	}
}
