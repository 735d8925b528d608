package fusefs

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/memstore"
)

// lookedFor is a store in which something is done when a stream was looked for.
type lookedFor struct {
	store.Store
	looked func()
}

func (s *lookedFor) Stream(ctx context.Context, name string) (store.Stream, error) {
	found, err := s.Store.Stream(ctx, name)
	once(&s.looked)
	return found, err
}

// A stream that comes back just when the notification has found that it is gone is not dropped by it.
func TestAStreamThatIsJustBackOutlivesTheNewsOfItsRemoval(t *testing.T) {
	m := newRemoved(t)
	name := m.list(m.walk(".jsfs/deleted").NodeId, 4096, false, nil)[0]
	stream, _, _ := strings.Cut(name, "@")
	removed := first(m.st.RemovedStreams(t.Context()))
	i := slices.IndexFunc(removed, func(r store.RemovedStream) bool { return r.Name == stream })
	m.FS.st = &lookedFor{m.st, func() {
		if st := m.move(".jsfs/deleted/"+name, stream, 0); !st.Ok() {
			t.Fatal(st)
		}
		m.walk(stream)
	}}
	n := &notifier{fs: m.FS, kernel: &recorder{}}
	n.tell([]store.Event{{Kind: store.StreamRemoved, Stream: stream, Incarnation: removed[i].Incarnation}})
	if m.streams.of(removed[i].Incarnation) == nil {
		t.Error("it was dropped")
	}
}

// fsync(2) of the root is not refused because a stream goes in the middle of it.
func TestTheRootIsSyncedWhileAStreamGoes(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S")
	if err := m.st.Remove(t.Context(), "S"); err != nil { // and nobody told of it yet
		t.Fatal(err)
	}
	if st := m.FsyncDir(nil, &fuse.FsyncIn{InHeader: header(mapping.Root)}); !st.Ok() {
		t.Error(st)
	}
}

// staying is a store in which streams can't be removed, and are opened again.
type staying struct {
	store.Store
	ended *atomic.Bool // the streams that were found before
}

// endable is a stream that may have ended.
type endable struct {
	store.Stream
	ended *atomic.Bool
}

func (s *staying) Stream(ctx context.Context, name string) (store.Stream, error) {
	found, err := s.Store.Stream(ctx, name)
	return &endable{found, s.ended}, err
}

func (s *staying) Remove(context.Context, string) error {
	s.ended.Store(true)
	s.ended = new(atomic.Bool)
	return store.ErrNoSpace
}

func (s *endable) State(ctx context.Context) (store.State, error) {
	if s.ended.Load() {
		return store.State{}, store.ErrClosed
	}
	return s.Stream.State(ctx)
}

// A stream that could not be removed is there as it was, though the store has opened it again.
func TestAStreamThatCouldNotBeRemovedIsThere(t *testing.T) {
	remove := map[string]func(m *mounted){
		"by rmdir": func(m *mounted) {
			root := header(mapping.Root)
			if st := m.Rmdir(nil, &root, "S"); st != fuse.Status(syscall.ENOSPC) {
				t.Errorf("rmdir on a full disk: %v", st)
			}
		},
		"otherwise": func(m *mounted) {
			_ = m.FS.st.Remove(t.Context(), "S")
			(&notifier{fs: m.FS, kernel: &recorder{}}).tell([]store.Event{{Kind: store.StreamRemoved, Stream: "S", Incarnation: 1}})
		},
	}
	for how, remove := range remove {
		m := mountedOn(t, &staying{memstore.New(memstore.Options{}), new(atomic.Bool)}, Options{})
		if _, err := m.FS.st.Create(t.Context(), store.Config{Name: "S"}); err != nil {
			t.Fatal(err)
		}
		node := m.walk("S").NodeId
		remove(m)
		if _, err := m.streams.byNode(mapping.Incarnation(1)).State(t.Context()); err != nil {
			t.Errorf("%s: whoever is in its directory gets %v", how, err)
		}
		if again := m.walk("S").NodeId; again != node {
			t.Errorf("%s: it is node %d, want %d", how, again, node)
		}
	}
}
