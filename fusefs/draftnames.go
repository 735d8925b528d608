package fusefs

import (
	"slices"
	"sync"
)

// draftNames lock the names of a stream's drafts. Who finds a draft by its name, in the store and then among the objects, must not
// come between the two halves of a rename, a removal or a publication, which change first the one and then the other. The kernel
// locks a directory for these, but not for who opens what he has looked up; and a stream's drafts are in the directories of its subjects, too.
type draftNames struct {
	// mu guards m. It is a leaf.
	mu sync.Mutex
	m  map[string]*draftName
}

// draftName is the lock of a name that somebody has, or waits for.
type draftName struct {
	sync.RWMutex
	users int // guarded by draftNames.mu
}

// lock locks names for who changes what they stand for, and returns what unlocks them.
func (t *draftNames) lock(names ...string) (unlock func()) {
	slices.Sort(names) // so that two who lock the same don't wait for each other
	names = slices.Compact(names)
	locks := make([]*draftName, len(names))
	for i, name := range names {
		locks[i] = t.use(name)
		locks[i].Lock()
	}
	return func() {
		for i, name := range names {
			locks[i].Unlock()
			t.leave(name)
		}
	}
}

// rlock locks a name for who looks what it stands for, and returns what unlocks it.
func (t *draftNames) rlock(name string) (unlock func()) {
	l := t.use(name)
	l.RLock()
	return func() {
		l.RUnlock()
		t.leave(name)
	}
}

func (t *draftNames) use(name string) *draftName {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.m[name]
	if l == nil {
		if t.m == nil {
			t.m = map[string]*draftName{}
		}
		l = &draftName{}
		t.m[name] = l
	}
	l.users++
	return l
}

func (t *draftNames) leave(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.m[name]
	if l.users--; l.users == 0 {
		delete(t.m, name)
	}
}
