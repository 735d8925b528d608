package fusefs

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// plusLister lists a directory with READDIRPLUS.
type plusLister struct {
	m    *mounted
	node uint64
	open fuse.OpenOut
	off  uint64
}

func (m *mounted) plusLister(node uint64) *plusLister {
	l := &plusLister{m: m, node: node}
	m.OpenDir(nil, &fuse.OpenIn{InHeader: header(node)}, &l.open)
	return l
}

// next lists some more, and counts the messages with and without their attributes.
func (l *plusLister) next() (with, without int) {
	out := fuse.NewDirEntryList(make([]byte, 64<<10), l.off)
	l.m.ReadDirPlus(nil, &fuse.ReadIn{InHeader: header(l.node), Fh: l.open.Fh, Offset: l.off, Size: 64 << 10}, out)
	entries, outs, err := fuse.ParseDirLookupEntries(out.Bytes())
	if err != nil {
		l.m.t.Fatal(err)
	}
	for i, e := range entries {
		l.off = e.Off
		if outs[i].NodeId != 0 {
			with++
		} else if e.Name != "." && e.Name != ".." {
			without++
		}
	}
	return with, without
}

// idleReader reads no names.
type idleReader struct{ NameReader }

// Where names are read ahead for who looks them up, who has looked nothing up gets few attributes, and all once he does.
func TestFewAttributesAreListedWhereNamesAreReadAhead(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", make([]string, fewGiven+5000)...)
	var reader NameReader = idleReader{}
	m.FS.names.reader.Store(&reader)
	l := m.plusLister(s.node)
	total, bare := 0, 0
	for with, without := l.next(); with+without > 0; with, without = l.next() {
		total, bare = total+with, bare+without
	}
	if total != fewGiven || bare != 5000 {
		t.Errorf("got %d with and %d without attributes, want %d and 5000", total, bare, fewGiven)
	}
	if got := s.bare.Load(); got != 0 {
		t.Errorf("%d were counted as listed without, and the kernel gets them when they are looked up", got)
	}
	m.append(s, make([]string, fewGiven)...)
	l = m.plusLister(s.node)
	total, bare = l.next()
	m.lookupAt(s.node, "000000000007")
	for with, without := l.next(); with+without > 0; with, without = l.next() {
		total, bare = total+with, bare+without
	}
	if total != 2*fewGiven+5000 || bare != 0 {
		t.Errorf("who looks up what he lists: got %d with and %d without attributes, want all with", total, bare)
	}
}

// Who lists and looks nothing up gets names alone after a while, and attributes again once somebody does.
func TestAttributesAreListedForWhoUsesThem(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", make([]string, maxGiven+5000)...)
	l := m.plusLister(s.node)
	given := l.next
	total, bare := 0, 0
	for bare == 0 {
		with, without := given()
		total, bare = total+with, bare+without
		if with+without == 0 {
			t.Fatal("all messages were listed with their attributes")
		}
	}
	if total != maxGiven {
		t.Errorf("listed with attributes: got %d, want %d", total, maxGiven)
	}
	if with, without := given(); with != 0 || without == 0 {
		t.Errorf("after that: got %d with and %d without attributes, want all without", with, without)
	}
	if got := s.bare.Load(); got == 0 {
		t.Error("those without attributes were not counted")
	}
	m.lookupAt(s.node, "000000000007")
	if with, without := given(); with == 0 || without != 0 {
		t.Errorf("after a lookup: got %d with and %d without attributes, want all with", with, without)
	}
	m.append(s, "a message that is not empty")
	id, _ := s.message(maxGiven + 5001)
	for _, use := range []struct {
		name string
		do   func()
	}{
		{"an open", func() { m.openAt(id, 0) }},
		{"a read", func() { m.readAt(id, 0, 0, 4096) }},
		{"a removal", func() { m.Unlink(nil, &fuse.InHeader{NodeId: s.node}, "000000000001") }},
	} {
		l.off, bare = 0, 0
		for bare == 0 {
			with, without := given()
			bare += without
			if with+without == 0 {
				t.Fatalf("before %s all messages were listed with their attributes", use.name)
			}
		}
		use.do()
		if with, without := given(); with == 0 || without != 0 {
			t.Errorf("after %s: got %d with and %d without attributes, want all with", use.name, with, without)
		}
	}
}
