package fusefs

import (
	"testing"

	"jsfs/mapping"
)

type fakeObject struct{ object }

func TestObjectsLiveAsLongAsTheKernelKnowsThem(t *testing.T) {
	s := &stream{num: 5}
	key := func(name string) objectKey { return objectKey{mapping.KindDraft, s, name} }
	made := 0
	enter := func(tab *objects, name string) uint64 {
		id, _ := tab.enter(key(name), func() object { made++; return &fakeObject{} })
		return id
	}
	tab := newObjects()
	a := enter(tab, ".a")
	if again := enter(tab, ".a"); again != a || made != 1 {
		t.Fatalf("second lookup: got node %d, %d objects, want %d, 1", again, made, a)
	}
	tab.forget(a, 1)
	if tab.get(a) == nil {
		t.Error("forgotten once, looked up twice: got none, want it still there")
	}
	b := enter(tab, ".b")
	tab.rename(key(".a"), key(".b"))
	if id, obj := tab.find(key(".b")); id != a || obj == nil {
		t.Errorf("after renaming .a onto .b: got node %d, want %d", id, a)
	}
	if id, _ := tab.find(key(".a")); id != 0 {
		t.Errorf("the old name: got node %d, want none", id)
	}
	if tab.get(b) == nil {
		t.Error("what lost its name: got none, want it there for who has it open")
	}
	if c := enter(tab, ".a"); c == a {
		t.Error("a new file with the old name has the node of the renamed one")
	}
	tab.unname(key(".b"))
	if id, _ := tab.find(key(".b")); id != 0 || tab.get(a) == nil {
		t.Errorf("after unlink: got node %d by name, want none, and the object by node", id)
	}
	tab.forget(a, 1)
	tab.forget(b, 99)
	tab.forget(12345, 1)
	if got := tab.count(); got != 1 {
		t.Errorf("objects left: got %d, want 1", got)
	}
}

func TestObjectsOfOneHashHaveTheirOwnNodes(t *testing.T) {
	tab := newObjects()
	s := &stream{num: 1}
	key := objectKey{mapping.KindSubject, s, "a.b"}
	first, _ := tab.enter(key, func() object { return &fakeObject{} })
	tab.unname(key) // so that the same name is entered again while its node is taken
	second, _ := tab.enter(key, func() object { return &fakeObject{} })
	if first == second {
		t.Errorf("got node %d for two objects", first)
	}
}
