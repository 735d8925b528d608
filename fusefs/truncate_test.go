package fusefs

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
	"jsfs/store/memstore"
)

// truncate(2) by a path works on what the same process is writing, and not on what it has appended, though the kernel has
// not yet told that the file was released.
func TestTruncateByPath(t *testing.T) {
	m := newWritingMount(t)
	node, fh, st := m.open("x", shellCreate, 0o644)
	wantStatus(t, "open", st, 0)
	wantStatus(t, "write", m.write(node, fh, "hello", 0), 0)
	truncate := func(size uint64) fuse.Status {
		in := &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: m.header(node), Valid: fuse.FATTR_SIZE, Size: size}}
		return m.SetAttr(nil, in, &fuse.AttrOut{})
	}
	wantStatus(t, "while it is written", truncate(4), 0)
	wantStatus(t, "close", m.Flush(nil, &fuse.FlushIn{InHeader: m.header(node), Fh: fh}), 0)
	wantStatus(t, "after the close, before the release", truncate(1), syscall.EPERM)
	m.Release(nil, &fuse.ReleaseIn{InHeader: fuse.InHeader{NodeId: node}, Fh: fh})
	wantStatus(t, "after the release", truncate(1), syscall.EPERM)
	m.wantPayloads("1 x hell")
}

// slowlyTruncating is a store in which something happens while a stream is truncated.
type slowlyTruncating struct {
	store.Store
	meanwhile func()
}

func (s *slowlyTruncating) Truncate(ctx context.Context, name string, last store.Seq) (store.Stream, error) {
	s.meanwhile()
	return s.Store.Truncate(ctx, name, last)
}

// Who restores a message while the stream is truncated must not be told that it is kept: it would wait for its turn in a stream that is gone.
func TestWhatIsRestoredWhileItsStreamIsTruncatedIsRefused(t *testing.T) {
	st := &slowlyTruncating{Store: memstore.New(memstore.Options{})}
	t.Cleanup(func() { _ = st.Close() })
	m := mountedOn(t, st, Options{})
	s := m.stream("S", "one")
	restored := make(chan error, 1)
	st.meanwhile = func() {
		go func() {
			late := store.Msg{Meta: store.Meta{Seq: 9, Time: 1}, Subject: "a.b"}
			restored <- s.restores.Restore(context.Background(), late, os.Getpid())
		}()
		for end := time.Now().Add(100 * time.Millisecond); len(restored) == 0 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	m.ctl("S", "truncate 0 force\n")
	if err := <-restored; !errors.Is(err, store.ErrClosed) {
		t.Errorf("it gives %v, want that the stream is closed; it holds the message: %v", err, s.restores.Holds(9))
	}
}
