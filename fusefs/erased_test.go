package fusefs

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// Who reads a file while its message is erased gets its bytes, or hears that it is gone.
func TestAFileIsErasedWhileItIsRead(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "secret")
	for range 2000 {
		h := m.opened(m.ownCall("open"), &messageHandle{stream: s, seq: 1, node: 1, size: 6}, []byte("secret"), m.shown.erasures.Load())
		reading := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			c, p := m.ownCall("read"), make([]byte, 10)
			begun := sync.OnceFunc(func() { close(reading) })
			for {
				n, err := h.read(c, p, 0)
				begun()
				if errors.Is(err, errStale) {
					return
				}
				if n != 6 || err != nil {
					t.Errorf("got %d bytes, %v", n, err)
					return
				}
			}
		})
		<-reading
		m.erased(s, 1, 0)
		wg.Wait()
		h.release(m.ownCall("close"))
	}
}

// erasesLoaded is a stream of which a message is erased once, when it has just been loaded.
type erasesLoaded struct {
	store.Stream
	erase func()
}

func (s *erasesLoaded) loaded(m store.Msg, err error) (store.Msg, error) {
	if erase := s.erase; erase != nil && err == nil {
		s.erase = nil
		m.Data, m.Header = bytes.Clone(m.Data), bytes.Clone(m.Header)
		erase()
	}
	return m, err
}

func (s *erasesLoaded) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	return s.loaded(s.Stream.Load(ctx, seq, buf))
}

func (s *erasesLoaded) LoadLast(ctx context.Context, subject string, buf []byte) (store.Msg, error) {
	return s.loaded(s.Stream.LoadLast(ctx, subject, buf))
}

func (s *erasesLoaded) LoadKept(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	return s.loaded(s.Stream.LoadKept(ctx, seq, buf))
}

// Who opens a file while its message is erased does not keep what was loaded for him.
func TestAFileIsErasedWhileItIsOpened(t *testing.T) {
	for _, path := range []string{"S/.jsfs/msg/1/raw", "S/one", "S/.jsfs/last-by-subject/one", "S/.jsfs/deleted/2"} {
		t.Run(path, func(t *testing.T) {
			m := newMounted(t, Options{SeqWidth: 1})
			s := m.stream("S")
			for _, subject := range []string{"one", "two"} {
				if _, err := s.Append(t.Context(), store.Entry{Subject: subject, Data: []byte("secret")}); err != nil {
					t.Fatal(err)
				}
			}
			m.remove(s, 2)
			node := m.walk(path).NodeId
			erased := false
			s.Stream = &erasesLoaded{s.Stream, func() {
				for seq := range store.Seq(3) {
					if _, err := s.Erase(t.Context(), seq); seq != 0 && err != nil {
						t.Error(err)
					}
					m.erased(s, seq, 0)
				}
				erased = true
			}}
			opened, st := m.openAt(node, syscall.O_RDONLY)
			if !erased {
				t.Fatal("nothing was erased")
			}
			if !st.Ok() {
				return
			}
			if got, st := m.readAt(node, opened.Fh, 0, 10); st != fuse.Status(syscall.ESTALE) {
				t.Errorf("read %q, %v, want ESTALE", got, st)
			}
			m.closeFile(node, opened.Fh)
		})
	}
}
