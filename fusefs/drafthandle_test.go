package fusefs

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// brokenDrafts is a stream whose drafts can be opened, and then neither asked for their time nor truncated. It counts those that are open.
type brokenDrafts struct {
	store.Stream
	open int
}

var errDisk = errors.New("the disk is broken")

func (s *brokenDrafts) CreateDraft(ctx context.Context, name string) (store.Draft, error) {
	d, err := s.Stream.CreateDraft(ctx, name)
	return s.counted(d, err)
}

func (s *brokenDrafts) OpenDraft(ctx context.Context, name string) (store.Draft, error) {
	d, err := s.Stream.OpenDraft(ctx, name)
	return s.counted(d, err)
}

func (s *brokenDrafts) counted(d store.Draft, err error) (store.Draft, error) {
	if err != nil {
		return nil, err
	}
	s.open++
	return &brokenDraft{d, s}, nil
}

type brokenDraft struct {
	store.Draft
	s *brokenDrafts
}

func (*brokenDraft) Truncate(int64) error { return errDisk }

func (*brokenDraft) ModTime() (int64, error) { return 0, errDisk }

func (*brokenDraft) ReadAt(p []byte, _ int64) (int, error) { return copy(p, "so far"), errDisk }

func (d *brokenDraft) Close() error {
	d.s.open--
	return d.Draft.Close()
}

func TestADraftThatCannotBeOpenedIsNotHeldOpen(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S")
	if d, err := s.CreateDraft(t.Context(), ".old"); err != nil || d.Close() != nil {
		t.Fatal(err)
	}
	id, _ := m.enterDraft(s, ".old")
	broken := &brokenDrafts{Stream: s.Stream}
	s.Stream = broken
	for _, name := range []string{".new", ".old"} {
		var out fuse.CreateOut
		in := &fuse.CreateIn{InHeader: header(s.node), Flags: syscall.O_RDWR | syscall.O_CREAT | syscall.O_TRUNC, Mode: 0o644}
		if st := m.Create(nil, in, name, &out); st != fuse.EIO || out.Fh != 0 {
			t.Errorf("create %s: got handle %d, %v, want EIO", name, out.Fh, st)
		}
	}
	if out, st := m.openAt(id, syscall.O_WRONLY|syscall.O_TRUNC); st != fuse.EIO || out.Fh != 0 {
		t.Errorf("open and empty it: got handle %d, %v, want EIO", out.Fh, st)
	}
	if broken.open != 0 {
		t.Errorf("%d drafts are open that nobody can close", broken.open)
	}
}

func TestADraftDoesNotEndBeforeADamagedPlace(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S")
	if d, err := s.CreateDraft(t.Context(), ".old"); err != nil || d.Close() != nil {
		t.Fatal(err)
	}
	id, _ := m.enterDraft(s, ".old")
	s.Stream = &brokenDrafts{Stream: s.Stream}
	out, st := m.openAt(id, syscall.O_RDONLY)
	if !st.Ok() {
		t.Fatal(st)
	}
	defer m.Release(nil, &fuse.ReleaseIn{InHeader: header(id), Fh: out.Fh})
	if got, st := m.readAt(id, out.Fh, 0, 100); st != fuse.EIO {
		t.Errorf("got %q, %v, want EIO", got, st)
	}
}

// lentDraft is a draft that is closed by another while its size is asked for.
type lentDraft struct {
	store.Draft
	meanwhile func()
	closed    chan struct{}
}

func (d *lentDraft) Size() (int64, error) {
	d.meanwhile()
	select {
	case <-d.closed:
		return 0, os.ErrClosed
	case <-time.After(50 * time.Millisecond): // as long as a fault has to show itself
	}
	return d.Draft.Size()
}

func (d *lentDraft) Close() error {
	close(d.closed)
	return d.Draft.Close()
}

// fstat(2) of a draft without a name works though another descriptor of it is closed at that moment.
func TestADraftIsNotClosedWhileItIsAskedFor(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S")
	d, err := s.CreateDraft(t.Context(), ".d")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteAt([]byte("draft"), 0); err != nil {
		t.Fatal(err)
	}
	id, node := m.enterDraft(s, ".d")
	lent := &lentDraft{Draft: d, closed: make(chan struct{})}
	first := m.handles.add(node.enter(lent))
	released := make(chan struct{})
	lent.meanwhile = sync.OnceFunc(func() {
		go func() {
			defer close(released)
			m.Release(nil, &fuse.ReleaseIn{InHeader: header(id), Fh: first})
		}()
	})
	second, st := m.openAt(id, syscall.O_RDONLY)
	if !st.Ok() {
		t.Fatal(st)
	}
	h := header(s.node)
	if st := m.Unlink(nil, &h, ".d"); !st.Ok() {
		t.Fatal(st)
	}
	in, out := fuse.GetAttrIn{InHeader: header(id)}, fuse.AttrOut{}
	if st := m.GetAttr(nil, &in, &out); !st.Ok() || out.Size != 5 || out.Nlink != 0 {
		t.Errorf("got %+v, %v, want 5 bytes and no link", out.Attr, st)
	}
	<-released
	select {
	case <-lent.closed:
	default:
		t.Error("the draft was not closed")
	}
	m.Release(nil, &fuse.ReleaseIn{InHeader: header(id), Fh: second.Fh})
}
