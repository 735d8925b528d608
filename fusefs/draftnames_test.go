package fusefs

import (
	"context"
	"runtime"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// draftsInSteps is a stream in which something else is begun, once, in the middle of what is done with a draft.
type draftsInSteps struct {
	store.Stream
	renamed, removed, opening func()
}

func (s *draftsInSteps) RenameDraft(ctx context.Context, from, to string) error {
	err := s.Stream.RenameDraft(ctx, from, to)
	once(&s.renamed)
	return err
}

func (s *draftsInSteps) RemoveDraft(ctx context.Context, name string) error {
	err := s.Stream.RemoveDraft(ctx, name)
	once(&s.removed)
	return err
}

func (s *draftsInSteps) OpenDraft(ctx context.Context, name string) (store.Draft, error) {
	once(&s.opening)
	return s.Stream.OpenDraft(ctx, name)
}

func once(f *func()) {
	if do := *f; do != nil {
		*f = nil
		do()
	}
}

// beside begins something in another goroutine, and returns when that is done or waits for a draft's name; the function that it
// returns waits for its end.
func (m *writingMount) beside(name string, do func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	for m.s.draftNames.usersOf(name) < 2 {
		select {
		case <-done:
			return func() {}
		default:
			runtime.Gosched()
		}
	}
	return func() { <-done }
}

func (t *draftNames) usersOf(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.m[name]; l != nil {
		return l.users
	}
	return 0
}

// newTwoDrafts has drafts .a and .b, closed, with their names as bytes.
func newTwoDrafts(t *testing.T) (m *writingMount, s *draftsInSteps, a, b uint64) {
	t.Helper()
	m = newWritingMount(t)
	for _, name := range []string{".a", ".b"} {
		wantStatus(t, "write "+name, m.put(name, name, shellCreate), 0)
	}
	a, b = m.walk("S/.a").NodeId, m.walk("S/.b").NodeId
	s = &draftsInSteps{Stream: m.s.Stream}
	m.s.Stream = s
	return m, s, a, b
}

// Who has looked up a draft and opens it while another one is renamed over it does not get that one's bytes under its node: the kernel
// would have two of one file, and what was written to the one would be missing in the message that the other becomes.
func TestADraftIsOpenedWhileItIsRenamedOver(t *testing.T) {
	m, s, a, b := newTwoDrafts(t)
	wait := func() {}
	s.renamed = func() {
		wait = m.beside(".a", func() {
			out, st := m.openAt(a, syscall.O_RDWR)
			wantStatus(t, "open", st, syscall.ESTALE)
			if st.Ok() {
				m.closeFile(a, out.Fh)
			}
		})
	}
	wantStatus(t, "rename", m.rename(".b", ".a", 0), 0)
	wait()
	if got := m.walk("S/.a").NodeId; got != b {
		t.Errorf(".a is node %d, want %d, which was renamed", got, b)
	}
}

func TestADraftIsLookedUpWhileItIsRenamedOver(t *testing.T) {
	m, s, _, b := newTwoDrafts(t)
	wait := func() {}
	s.renamed = func() {
		wait = m.beside(".a", func() {
			if out, st := m.lookupAt(m.dir, ".a"); !st.Ok() || out.NodeId != b {
				t.Errorf("it is node %d, %v, want %d, which was renamed", out.NodeId, st, b)
			}
		})
	}
	wantStatus(t, "rename", m.rename(".b", ".a", 0), 0)
	wait()
}

// A draft that is made under a name that is just removed, in another directory of the stream, has that name.
func TestADraftIsMadeWhileOneIsRemoved(t *testing.T) {
	m, s, a, _ := newTwoDrafts(t)
	wait := func() {}
	var made fuse.CreateOut
	s.removed = func() {
		wait = m.beside(".a", func() {
			st := m.Create(nil, &fuse.CreateIn{InHeader: m.header(m.dir), Flags: shellCreate, Mode: 0o644}, ".a", &made)
			wantStatus(t, "create", st, 0)
		})
	}
	wantStatus(t, "unlink", m.unlink(".a"), 0)
	wait()
	if got := m.walk("S/.a").NodeId; got != made.NodeId || got == a || made.Nlink != 1 {
		t.Errorf(".a is node %d, made was %d with %d links; it was %d", got, made.NodeId, made.Nlink, a)
	}
	m.closeFile(made.NodeId, made.Fh)
}

// fstat(2) of a draft that is just being removed works for who has it open.
func TestADraftIsAskedForWhileItIsRemoved(t *testing.T) {
	m, s, a, _ := newTwoDrafts(t)
	opened, st := m.openAt(a, syscall.O_RDONLY)
	wantStatus(t, "open", st, 0)
	wait := func() {}
	s.opening = func() {
		wait = m.beside(".a", func() { wantStatus(t, "unlink", m.unlink(".a"), 0) })
	}
	in, out := fuse.GetAttrIn{InHeader: m.header(a)}, fuse.AttrOut{}
	wantStatus(t, "fstat", m.GetAttr(nil, &in, &out), 0)
	if out.Size != 2 {
		t.Errorf("it has %d bytes, want 2", out.Size)
	}
	wait()
	m.closeFile(a, opened.Fh)
}

// Names that are locked at once, in any order, are not waited for in a circle, and nothing is kept of them.
func TestDraftNamesAreLockedTogether(t *testing.T) {
	var names draftNames
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 1000 {
				if i%2 == 0 {
					names.lock(".a", ".b")()
				} else {
					names.lock(".b", ".a", ".b")()
				}
				names.rlock(".b")()
			}
		}()
	}
	for range 4 {
		<-done
	}
	if len(names.m) != 0 {
		t.Errorf("%d names are kept", len(names.m))
	}
}
