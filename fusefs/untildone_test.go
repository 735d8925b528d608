package fusefs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// lastLoads is a stream whose LoadLast gives errors first.
type lastLoads struct {
	store.Stream
	errs []error
	wait chan struct{} // waited for, unless nil
}

func (s *lastLoads) LoadLast(ctx context.Context, subject string, buf []byte) (store.Msg, error) {
	if s.wait != nil {
		<-s.wait
	}
	if len(s.errs) == 0 {
		return s.Stream.LoadLast(ctx, subject, buf)
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return store.Msg{}, err
}

// Who is interrupted in his first read reads in his second one.
func TestAnInterruptedReadOfAnOpenSubjectIsTriedAgain(t *testing.T) {
	m := newWritingMount(t, "one")
	node, fh, st := m.open("a.b", syscall.O_RDWR|syscall.O_APPEND, 0)
	wantStatus(t, "open", st, 0)
	m.s.Stream = &lastLoads{Stream: m.s.Stream, errs: []error{context.Canceled}}
	_, st = m.readAt(node, fh, 0, 8)
	wantStatus(t, "interrupted", st, syscall.EINTR)
	if got, st := m.readAt(node, fh, 0, 8); got != "one" || !st.Ok() {
		t.Errorf("got %q, %v", got, st)
	}
	wantStatus(t, "close", m.close(node, fh), 0)
}

// Nothing is left open of a subject whose mount is taken away while somebody begins to read.
func TestAMountIsTakenAwayInTheFirstReadOfASubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newWritingMount(t, "one")
		node, fh, st := m.open("a.b", syscall.O_RDWR|syscall.O_APPEND, 0)
		wantStatus(t, "open", st, 0)
		slow := &lastLoads{Stream: m.s.Stream, wait: make(chan struct{})}
		m.s.Stream = slow
		var wg sync.WaitGroup
		wg.Go(func() { m.readAt(node, fh, 0, 8) })
		synctest.Wait()
		wg.Go(m.abandonAll)
		synctest.Wait()
		close(slow.wait)
		wg.Wait()
		if len(m.shown.m) != 0 {
			t.Errorf("%v is left open", m.shown.m)
		}
	})
}

// Why the message under an open can't be read is no interruption of the open: that is the open's answer.
func TestAnInterruptedOpenIsNotDamage(t *testing.T) {
	m := newWritingMount(t, "one")
	node, st := m.lookupAt(m.dir, "a.b")
	wantStatus(t, "lookup", st, 0)
	m.append(m.s, "two") // so that what is known of the newest one is not it
	m.s.Stream = &lastLoads{Stream: m.s.Stream, errs: []error{&store.CorruptError{}, context.Canceled}}
	_, st = m.openAt(node.NodeId, syscall.O_RDWR)
	wantStatus(t, "interrupted", st, syscall.EINTR)
	if got := m.handles.all(); len(got) != 0 {
		t.Errorf("handles %v are left", got)
	}
}

// Who borrows a handle has no EINTR, and no panic, of who opened it first.
func TestWhoBorrowsHasHisOwnInterruptions(t *testing.T) {
	for name, fails := range map[string]func() (handle, error){
		"an interruption": func() (handle, error) { return nil, context.Canceled },
		"a panic":         func() (handle, error) { panic("a bug") },
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMounted(t, Options{ReadOnly: true, Unchanging: true})
			first, others := make(chan struct{}), &counted{}
			var opened atomic.Int64
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { _ = recover() }()
				_, _, err := m.borrowed.borrow(m.ownCall("test"), 5, func() (handle, error) {
					<-first
					return fails()
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: who fails has %v", name, err)
				}
			})
			synctest.Wait()
			for range 3 {
				wg.Go(func() {
					h, back, err := m.borrowed.borrow(m.ownCall("test"), 5, func() (handle, error) {
						opened.Add(1)
						return others, nil
					})
					if h != handle(others) || err != nil {
						t.Errorf("%s: another one has %v, %v", name, h, err)
						return
					}
					back()
				})
			}
			synctest.Wait()
			close(first)
			wg.Wait()
			m.borrowed.clean(m.FS, true)
			if opened.Load() != 1 || others.released.Load() != 1 || len(m.borrowed.m) != 0 {
				t.Errorf("%s: opened %d times, released %d times, %d held", name, opened.Load(), others.released.Load(), len(m.borrowed.m))
			}
		})
	}
}

// Nothing is held of a handle that nobody could open.
func TestNothingIsHeldOfAnInterruptedBorrower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMounted(t, Options{ReadOnly: true, Unchanging: true})
		if _, _, err := m.borrowed.borrow(m.ownCall("test"), 5, func() (handle, error) { return nil, context.Canceled }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if len(m.borrowed.m) != 0 {
			t.Errorf("%d are held", len(m.borrowed.m))
		}

		// One gives up waiting while another opens it.
		hang, h := make(chan struct{}), &counted{}
		var wg sync.WaitGroup
		wg.Go(func() {
			_, back, err := m.borrowed.borrow(m.ownCall("test"), 5, func() (handle, error) {
				<-hang
				return h, nil
			})
			if err != nil {
				t.Error(err)
				return
			}
			back()
		})
		synctest.Wait()
		interrupted := make(chan struct{})
		close(interrupted)
		c := m.call("test", &fuse.InHeader{}, interrupted, "")
		c.waits = true
		if _, _, err := m.borrowed.borrow(c, 5, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("who gives up has %v", err)
		}
		close(hang)
		wg.Wait()
		m.borrowed.clean(m.FS, true)
		if h.released.Load() != 1 || len(m.borrowed.m) != 0 {
			t.Errorf("released %d times, %d held", h.released.Load(), len(m.borrowed.m))
		}
	})
}
