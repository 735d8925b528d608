package fusefs

import (
	"errors"
	"io"
	"slices"
	"sync"

	"jsfs/store"
)

// draftHandle is an open draft. Its pages are cached, so the offsets that the kernel gives for
// O_APPEND are right: nobody else writes.
type draftHandle struct {
	node *draftNode
	d    store.Draft
	lent sync.RWMutex // held for reading by who borrows d: it is closed when nobody does
}

// read gives no bytes that stand before a damaged place: the kernel keeps pages, and would take a read that is short for
// the end of the file.
func (h *draftHandle) read(_ *call, p []byte, off int64) (int, error) {
	n, err := h.d.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return n, nil
}

func (h *draftHandle) write(_ *call, p []byte, off int64, _ bool) (int, error) {
	if off > store.MaxMsgSize-int64(len(p)) {
		return 0, refuseDraftSize()
	}
	h.node.publishing.RLock()
	defer h.node.publishing.RUnlock()
	if err := h.node.changeable(); err != nil {
		return 0, err
	}
	h.node.meta.setModTime(nil)
	return h.d.WriteAt(p, off)
}

func (h *draftHandle) flush(*call) error { return nil }

func (h *draftHandle) fsync(c *call) error {
	h.node.publishing.RLock()
	to := h.node.published
	h.node.publishing.RUnlock()
	if to != nil {
		return to.Sync(c)
	}
	return h.d.Sync()
}

func (h *draftHandle) release(c *call) {
	n := h.node
	n.mu.Lock()
	n.opens = slices.DeleteFunc(n.opens, func(o *draftHandle) bool { return o == h })
	n.mu.Unlock()
	h.lent.Lock()
	defer h.lent.Unlock()
	if err := h.d.Close(); err != nil {
		errno, _ := errnoOf(err)
		c.report(errno, err)
	}
}
