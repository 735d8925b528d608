package fusefs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// Who still has a draft open that became a message is refused what would change it, and told that by each call.
func TestADraftThatWasPublishedIsNotWritten(t *testing.T) {
	for _, to := range []string{"x.y", "7"} {
		t.Run(to, func(t *testing.T) {
			m := newWritingMount(t)
			node, fh, st := m.open(".d", shellCreate, 0o644)
			wantStatus(t, "create", st, 0)
			wantStatus(t, "write", m.write(node, fh, "draft", 0), 0)
			for name, value := range map[string]string{mapping.XattrSeq: "7", mapping.XattrSubject: "x.y"} {
				wantStatus(t, name, m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: m.header(node)}, name, []byte(value)), 0)
			}
			wantStatus(t, "a rename that is refused", m.rename(".d", "a..b", 0), syscall.EINVAL)
			wantStatus(t, "write after it", m.write(node, fh, "D", 0), 0)
			wantStatus(t, "rename", m.rename(".d", to, 0), 0)
			wantStatus(t, "write", m.write(node, fh, "more", 5), syscall.EPERM)
			var attr fuse.AttrOut
			set := &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: m.header(node), Valid: fuse.FATTR_SIZE | fuse.FATTR_FH, Fh: fh}}
			wantStatus(t, "truncate", m.SetAttr(nil, set, &attr), syscall.EPERM)
			name := mapping.XattrHeaders
			wantStatus(t, "setxattr", m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: m.header(node)}, name, []byte("NATS/1.0\r\n\r\n")), syscall.EPERM)
			h := m.header(node)
			wantStatus(t, "removexattr", m.RemoveXAttr(nil, &h, mapping.XattrSubject), syscall.EPERM)
			if got, st := m.readAt(node, fh, 0, 100); got != "Draft" || !st.Ok() {
				t.Errorf("read %q, %v", got, st)
			}
			wantStatus(t, "fsync", m.Fsync(nil, &fuse.FsyncIn{InHeader: m.header(node), Fh: fh}), 0)
			wantStatus(t, "close", m.close(node, fh), 0)
			if got := m.cat("S/x.y"); got != "Draft" {
				t.Errorf("the message is %q", got)
			}
		})
	}
}

// writingKernel writes a page that it has when it is told to drop the node's pages, as the kernel does.
type writingKernel struct {
	kernel
	write func(node uint64)
}

func (k writingKernel) InodeNotify(node uint64, _, _ int64) fuse.Status {
	var wg sync.WaitGroup
	wg.Go(func() { k.write(node) }) // the kernel asks another thread
	wg.Wait()
	return fuse.OK
}

// What a program changed in a draft that it has mapped is in the message, though the kernel has not written it yet.
func TestAMappedDraftIsPublishedWhole(t *testing.T) {
	m := newWritingMount(t)
	node, fh, st := m.open(".d", syscall.O_RDWR|syscall.O_CREAT, 0o644)
	wantStatus(t, "create", st, 0)
	m.prefetch.kernel = writingKernel{write: func(id uint64) {
		if id == node {
			wantStatus(t, "write", m.write(node, fh, "page", 0), 0)
		}
	}}
	wantStatus(t, "rename", m.rename(".d", "x.y", 0), 0)
	m.wantPayloads("1 x.y page")
}

// slowStream is a stream in which something is done between the reading of a draft and the message that it becomes.
type slowStream struct {
	store.Stream
	between func()
}

func (s *slowStream) PublishDraft(ctx context.Context, name string, e store.Entry) (store.Seq, error) {
	s.between()
	return s.Stream.PublishDraft(ctx, name, e)
}

// Who opens a draft and empties it while it becomes a message has not emptied what is one.
func TestADraftIsNotEmptiedWhileItIsPublished(t *testing.T) {
	m := newWritingMount(t)
	node, fh, st := m.open(".d", shellCreate, 0o644)
	wantStatus(t, "create", st, 0)
	wantStatus(t, "write", m.write(node, fh, "draft", 0), 0)
	opened := make(chan fuse.Status, 1)
	m.s.Stream = &slowStream{m.s.Stream, func() {
		go func() {
			_, st := m.openAt(node, syscall.O_WRONLY|syscall.O_TRUNC)
			opened <- st
		}()
		select {
		case st := <-opened:
			t.Errorf("it was opened meanwhile: %v", st)
			opened <- st
		case <-time.After(50 * time.Millisecond): // as long as a fault has to show itself
		}
	}}
	wantStatus(t, "rename", m.rename(".d", "x.y", 0), 0)
	wantStatus(t, "open", <-opened, syscall.ESTALE)
	wantStatus(t, "close", m.close(node, fh), 0)
	m.wantPayloads("1 x.y draft")
}

// synced is a stream that tells when it was synced.
type synced struct {
	store.Stream
	tell func()
	err  error
}

func (s *synced) Sync(ctx context.Context) error {
	if s.err == nil {
		s.tell()
	}
	return cmp.Or(s.err, s.Stream.Sync(ctx))
}

// A draft that becomes a message of another stream is there until that is on disk: the two know nothing of each other.
func TestADraftOfAnotherStreamIsThereUntilItsMessageIsOnDisk(t *testing.T) {
	for _, to := range []string{"x.y", "7"} {
		m := newWritingMount(t)
		node, fh, st := m.open(".d", shellCreate, 0o644)
		wantStatus(t, "create", st, 0)
		wantStatus(t, "write", m.write(node, fh, "draft", 0), 0)
		for name, value := range map[string]string{mapping.XattrSeq: "7", mapping.XattrSubject: "x.y"} {
			wantStatus(t, "setxattr", m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: m.header(node)}, name, []byte(value)), 0)
		}
		wantStatus(t, "close", m.close(node, fh), 0)
		other := m.stream("R")
		var steps []string
		disk := &synced{other.Stream, func() { steps = append(steps, "synced") }, errors.New("the disk is gone")}
		other.Stream = disk
		m.s.Stream = &draftsInSteps{Stream: m.s.Stream, removed: func() { steps = append(steps, "removed") }}
		rename := func() fuse.Status {
			return m.Rename(nil, &fuse.RenameIn{InHeader: m.header(m.dir), Newdir: other.node}, ".d", to)
		}
		wantStatus(t, "rename without a disk", rename(), syscall.EIO)
		if len(steps) > 0 {
			t.Errorf("to %s: %v without a disk", to, steps)
		}
		if to == "7" {
			continue // it is there
		}
		disk.err = nil
		wantStatus(t, "rename", rename(), 0)
		if !slices.Equal(steps, []string{"synced", "removed"}) {
			t.Errorf("to %s: %v", to, steps)
		}
	}
}

// interrupts is a stream whose Append takes so long that its caller, who is interrupted in it, gets EINTR from whatever comes next.
type interrupts struct {
	store.Stream
	interrupt func()
}

func (s *interrupts) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	seq, err := s.Stream.Append(ctx, e)
	s.interrupt()
	_ = ctx.Err() // it is noticed
	time.Sleep(2 * interruptGrace)
	return seq, err
}

func (s *interrupts) Sync(ctx context.Context) error { return cmp.Or(ctx.Err(), s.Stream.Sync(ctx)) }

// Once there is the message its draft goes, whoever interrupts that: who is told EINTR tries again, and there would be two messages.
func TestADraftThatIsAMessageOfAnotherStreamIsGoneForWhoIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newWritingMount(t)
		wantStatus(t, "the draft", m.put(".d", "draft", shellCreate), 0)
		other, cancel := m.stream("R"), make(chan struct{})
		other.Stream = &interrupts{other.Stream, func() { close(cancel) }}
		in := &fuse.RenameIn{InHeader: m.header(m.dir), Newdir: other.node}
		wantStatus(t, "rename", m.Rename(cancel, in, ".d", "x.y"), 0)
		if got := m.cat("R/x.y"); got != "draft" {
			t.Errorf("the message is %q", got)
		}
		if _, st := m.lookupAt(m.dir, ".d"); st != fuse.ENOENT {
			t.Errorf("the draft: %v, want ENOENT", st)
		}
	})
}
