package fusefs

import (
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
)

// object is a node that numbers alone don't make: a subject node or a draft. Its
// methods are called concurrently. They return what to tell the caller; a handle
// that is passed is the one through which the request came, or nil.
type object interface {
	// stat fills in size, times and whatever else differs from a plain file of the
	// mount's owner.
	stat(c *call, h handle, a *fuse.Attr) error
	// setAttr does what chmod, chown, utimens and truncate ask for.
	setAttr(c *call, h handle, in *fuse.SetAttrIn) error
	// open opens it; flags are FOPEN_* bits.
	open(c *call, in *fuse.OpenIn) (h handle, flags uint32, err error)

	attributes
	setXattr(c *call, name string, value []byte, flags uint32) error
	removeXattr(c *call, name string) error
}

// attrTimeout is how long the kernel may use an object's attributes. A draft has the same for everybody, and whatever changes
// them (writing, truncating, chmod, utimens, rename, unlink) the kernel asks for itself, by the one node that a draft has.
func attrTimeout(obj object) time.Duration {
	if _, ok := obj.(*draftNode); ok {
		return brief
	}
	return fresh
}

// objectKey is the name of an object.
type objectKey struct {
	kind   mapping.Kind
	stream *stream
	name   string // the subject, or the draft's name
}

// objects are the objects that the kernel knows.
type objects struct {
	// mu guards all below. It is a leaf.
	mu    sync.Mutex
	byID  map[uint64]*entry
	byKey map[objectKey]*entry
}

type entry struct {
	id      uint64
	key     objectKey
	obj     object
	lookups uint64 // how often the kernel was told of it, less what it forgot
	unnamed bool   // its name was taken away: byKey has it no more
}

func newObjects() *objects {
	return &objects{byID: map[uint64]*entry{}, byKey: map[objectKey]*entry{}}
}

// enter finds the object with that name, or makes one, for an answer that tells the
// kernel of it: each call is to be undone by a FORGET. The function create must
// return at once: it is called under the table's lock.
func (t *objects) enter(key objectKey, create func() object) (uint64, object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byKey[key]
	if e == nil {
		e = &entry{id: t.freeLocked(key), key: key, obj: create()}
		t.byID[e.id], t.byKey[key] = e, e
	}
	e.lookups++
	return e.id, e.obj
}

// enterAs is enter for an object that is there already. Another one that had the name loses it.
func (t *objects) enterAs(key objectKey, obj object) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byKey[key]
	if e == nil || e.obj != obj {
		t.unnameLocked(key)
		e = &entry{id: t.freeLocked(key), key: key, obj: obj}
		t.byID[e.id], t.byKey[key] = e, e
	}
	e.lookups++
	return e.id
}

// enterUnnamed makes an object that has a name's kind and no name, for an answer that tells the kernel of it, like enter.
func (t *objects) enterUnnamed(key objectKey, obj object) (id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &entry{id: t.freeLocked(key), key: key, obj: obj, lookups: 1, unnamed: true}
	t.byID[e.id] = e
	return e.id
}

// replace gives a name to another object than the one with a node, which was entered for an answer that tells of the other one instead. If
// the name was given to another one meanwhile, that is the one.
func (t *objects) replace(key objectKey, id uint64, by object) (uint64, object) {
	t.mu.Lock()
	e := t.byKey[key]
	if e == nil || e.id == id {
		t.unnameLocked(key)
		e = &entry{id: t.freeLocked(key), key: key, obj: by}
		t.byID[e.id], t.byKey[key] = e, e
	}
	e.lookups++
	t.mu.Unlock()
	t.forget(id, 1)
	return e.id, e.obj
}

// enterAgain is enter of an object that the kernel may know, by its node; nil if it does not.
func (t *objects) enterAgain(id uint64) object {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byID[id]
	if e == nil {
		return nil
	}
	e.lookups++
	return e.obj
}

// freeLocked chooses a node number: the same one for the same name as long as no
// other object has it.
func (t *objects) freeLocked(key objectKey) uint64 {
	for n := uint64(0); ; n++ {
		if id := key.node(n); t.byID[id] == nil {
			return id
		}
	}
}

// node is the number of the nth node that a name may have.
func (key objectKey) node(nth uint64) uint64 {
	n := xxhash.Sum64String(key.name) + nth
	id, _ := mapping.Node(key.kind, key.stream.num, n&mapping.MaxN)
	return id
}

// find returns the object with that name if the kernel knows it.
func (t *objects) find(key objectKey) (uint64, object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byKey[key]; e != nil {
		return e.id, e.obj
	}
	return 0, nil
}

// get returns the object of a node, nil if there is none.
func (t *objects) get(id uint64) object {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byID[id]; e != nil {
		return e.obj
	}
	return nil
}

// nameOf returns the name that the object of a node has, or had last.
func (t *objects) nameOf(id uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byID[id]; e != nil {
		return e.key.name
	}
	return "(forgotten)"
}

// rename gives an object another name. What had that name loses it.
func (t *objects) rename(from, to objectKey) {
	if from == to {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unnameLocked(to)
	if e := t.byKey[from]; e != nil {
		delete(t.byKey, from)
		e.key = to
		t.byKey[to] = e
	}
}

// unname takes a name away. The object stays for whoever has it open.
func (t *objects) unname(key objectKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unnameLocked(key)
}

// unnameIf is unname if the name is still that object's.
func (t *objects) unnameIf(key objectKey, obj object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byKey[key]; e != nil && e.obj == obj {
		t.unnameLocked(key)
	}
}

func (t *objects) unnameLocked(key objectKey) {
	if e := t.byKey[key]; e != nil {
		delete(t.byKey, key)
		e.unnamed = true
	}
}

// forget undoes n enters.
func (t *objects) forget(id, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byID[id]
	if e == nil {
		return
	}
	if e.lookups > n {
		e.lookups -= n
		return
	}
	delete(t.byID, id)
	if !e.unnamed {
		delete(t.byKey, e.key)
	}
}

// count is how many objects there are.
func (t *objects) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}
