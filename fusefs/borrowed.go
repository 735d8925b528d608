package fusefs

import (
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// borrowed are handles on files that the kernel reads without having opened them, as it does on a mount
// where nothing changes (Options.Unchanging): whoever reads a file borrows the handle of its node. A handle is
// released when nobody borrowed it for a while; the next one has the same content, for nothing changes.
type borrowed struct {
	// mu guards all below. It is not held while a file is opened.
	mu    sync.Mutex
	m     map[uint64]*loan
	sweep *time.Timer // nil while nothing is held
}

// loan is a handle that is held for whoever reads its node.
type loan struct {
	open   untilDone
	handle handle
	err    error

	// Guarded by borrowed.mu.
	made  time.Time // when it was opened
	used  time.Time // when it was borrowed last
	users int
}

const (
	// loanIdle is how long a handle is kept that nobody borrows. Who follows a file looks once a second.
	loanIdle = 3 * time.Second
	// loanMade is how old a content may be that was made for its reader, as metrics is. A
	// reader asks for its size, and then for the bytes: both must be of one content.
	loanMade = time.Second
)

// borrow returns the handle of a node, which open opens if there is none, and what gives it back.
func (t *borrowed) borrow(c *call, node uint64, open func() (handle, error)) (handle, func(), error) {
	l := t.enter(c, node)
	lent := false
	defer func() {
		if !lent {
			t.giveBack(c, node, l)
		}
	}()
	err := l.open.do(c, func() error {
		l.handle, l.err = open()
		return l.err
	})
	if err == nil && l.err != nil {
		err = l.err
		t.forget(node, l) // the next one tries again
	}
	if err != nil {
		return nil, nil, err
	}
	lent = true
	return l.handle, func() { t.giveBack(c, node, l) }, nil
}

// giveBack notes that somebody has no use for a handle any more.
func (t *borrowed) giveBack(c *call, node uint64, l *loan) {
	t.mu.Lock()
	l.users--
	unused := l.users == 0
	if unused && l.handle == nil && t.m[node] == l { // who opens it was interrupted, and nobody else does
		delete(t.m, node)
	}
	orphan := unused && t.m[node] != l
	t.mu.Unlock()
	if orphan {
		l.release(c)
	}
}

// forget makes the next one open a handle of his own.
func (t *borrowed) forget(node uint64, l *loan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m[node] == l {
		delete(t.m, node)
	}
}

func (t *borrowed) enter(c *call, node uint64) *loan {
	now := c.fs.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.m[node]
	if l != nil && l.users == 0 && l.stale(now) { // who opens it is a user
		delete(t.m, node) // it holds nothing: its content was made
		l = nil
	}
	if l == nil {
		l = &loan{open: newUntilDone(), made: now}
		if t.m == nil {
			t.m = map[uint64]*loan{}
		}
		t.m[node] = l
	}
	if t.sweep == nil {
		t.sweep = time.AfterFunc(loanIdle, func() { t.clean(c.fs, false) })
	}
	l.used = now
	l.users++
	return l
}

// stale says whether the handle's content is to be made again.
func (l *loan) stale(now time.Time) bool {
	_, made := l.handle.(*bytesHandle)
	return made && now.Sub(l.made) > loanMade
}

func (l *loan) release(c *call) {
	if l.handle != nil {
		l.handle.release(c)
	}
}

// clean releases what nobody used for a while, or all.
func (t *borrowed) clean(fs *FS, all bool) {
	var idle []*loan
	t.mu.Lock()
	for node, l := range t.m {
		if l.users == 0 && (all || fs.now().Sub(l.used) >= loanIdle) {
			delete(t.m, node)
			idle = append(idle, l)
		}
	}
	if len(t.m) == 0 && t.sweep != nil {
		t.sweep.Stop()
		t.sweep = nil
	} else if t.sweep != nil {
		t.sweep.Reset(loanIdle)
	}
	t.mu.Unlock()
	for _, l := range idle {
		l.release(fs.ownCall("release"))
	}
}

// readUnopened reads from a file that the kernel has not opened.
func (fs *FS) readUnopened(c *call, buf []byte, off uint64) (int, error) {
	s, at, err := fs.split(c.hdr.NodeId)
	if err != nil {
		return 0, err
	}
	if at.kind == mapping.KindMessage {
		if off == 0 && len(buf) < maxStateless {
			return fs.readMessage(c, buf, off)
		}
		m, err := s.Stat(c, store.Seq(at.n))
		if err != nil {
			return 0, gone(err)
		}
		if m.Size <= maxStateless {
			return fs.readMessage(c, buf, off)
		}
	}
	h, giveBack, err := fs.borrowed.borrow(c, c.hdr.NodeId, func() (handle, error) {
		h, _, err := fs.open(c, &fuse.OpenIn{InHeader: *c.hdr, Flags: syscall.O_RDONLY})
		return h, err
	})
	if err != nil {
		return 0, err
	}
	defer giveBack()
	if h == nil {
		return 0, refuse(syscall.EBADF, "it is not open")
	}
	if _, ok := h.(waiter); ok {
		return 0, nil // what it waits for never comes
	}
	return readWhole(c, h, buf, int64(off))
}

// readWhole fills buf, up to the end of the file. A handle may give fewer bytes than there are if it can't go on; the
// kernel, which keeps what it reads as pages of the file, would take them for the end.
func readWhole(c *call, h handle, buf []byte, off int64) (int, error) {
	n := 0
	for n < len(buf) {
		k, err := h.read(c, buf[n:], off+int64(n))
		if err != nil {
			return 0, err
		}
		if k == 0 {
			break
		}
		n += k
	}
	return n, nil
}

// borrowControl returns the handle that readers of a control file share.
func (fs *FS) borrowControl(c *call, s *stream, p place) (handle, func(), error) {
	return fs.borrowed.borrow(c, p.node(s), func() (handle, error) {
		h, _, err := fs.openControl(c, s, p, &fuse.OpenIn{Flags: syscall.O_RDONLY})
		return h, err
	})
}
