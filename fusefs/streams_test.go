package fusefs

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
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
