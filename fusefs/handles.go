package fusefs

import (
	"maps"
	"slices"
	"sync"
	"syscall"
)

// handle is an open file that has state. Requests on it may run concurrently.
type handle interface {
	// read fills p from off on; n < len(p) only at the end.
	read(c *call, p []byte, off int64) (n int, err error)
	// write writes p. appending says that the file was opened with O_APPEND, so that
	// off is only what the kernel believes the end to be.
	write(c *call, p []byte, off int64, appending bool) (n int, err error)
	// flush is called for each descriptor that is closed.
	flush(c *call) error
	// fsync makes durable what was written.
	fsync(c *call) error
	// release is called once, after the last descriptor was closed. Nobody hears of an
	// error: it must be reported.
	release(c *call)
}

// readHandle has what a handle does that is open for reading only.
type readHandle struct{}

func (readHandle) write(*call, []byte, int64, bool) (int, error) {
	return 0, refuse(syscall.EBADF, "it is not open for writing")
}
func (readHandle) flush(*call) error { return nil }
func (readHandle) fsync(*call) error { return nil }
func (readHandle) release(*call)     {}

// bytesHandle is a file whose content was made when it was opened.
type bytesHandle struct {
	readHandle
	content []byte
	mtime   int64 // of a file whose content is made for its reader; else 0
}

func (h *bytesHandle) read(_ *call, p []byte, off int64) (int, error) {
	if off >= int64(len(h.content)) {
		return 0, nil
	}
	return copy(p, h.content[off:]), nil
}

// waiter is a handle whose reads wait for something to happen.
type waiter interface{ waits() }

// waitsBit is set in the number of a handle whose reads wait: the transport must know them by that.
const waitsBit = 1 << 63

// handles numbers the open handles from 1 on.
type handles struct {
	// mu guards all below. It is a leaf.
	mu   sync.RWMutex
	last uint64
	m    map[uint64]handle
}

// add enters a handle and returns its number; 0 for none.
func (t *handles) add(h handle) uint64 {
	if h == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	fh := t.last
	if _, ok := h.(waiter); ok {
		fh |= waitsBit
	}
	t.m[fh] = h
	return fh
}

// get returns the handle with a number, nil if there is none.
func (t *handles) get(fh uint64) handle {
	if fh == 0 {
		return nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.m[fh]
}

// remove takes a handle out and returns it, nil if there is none.
func (t *handles) remove(fh uint64) handle {
	if fh == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.m[fh]
	delete(t.m, fh)
	return h
}

// swap puts another handle in the place of the one with a number and returns that, nil if there is none.
func (t *handles) swap(fh uint64, by handle) handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.m[fh]
	if ok {
		t.m[fh] = by
	}
	return h
}

// all returns the numbers of the open handles, oldest first.
func (t *handles) all() []uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Sorted(maps.Keys(t.m))
}
