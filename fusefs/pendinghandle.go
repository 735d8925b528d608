package fusefs

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"syscall"

	"jsfs/fusefs/publish"
	"jsfs/store"
)

// pendingHandle is a pending restore that is open for writing.
type pendingHandle struct {
	node     *pendingNode
	w        *publish.Writer
	readable bool
	// dropped says that the file was unlinked: nothing comes of it any more.
	dropped atomic.Bool
}

func (h *pendingHandle) read(_ *call, p []byte, off int64) (int, error) {
	if !h.readable {
		return 0, refuse(syscall.EBADF, "it is not open for reading")
	}
	n, err := h.w.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (h *pendingHandle) write(c *call, p []byte, off int64, appending bool) (int, error) {
	return h.w.Write(c, c.hdr.Pid, p, off, appending)
}

func (h *pendingHandle) flush(c *call) error {
	if h.dropped.Load() {
		return nil
	}
	return h.decided(h.w.Flush(c, c.hdr.Pid))
}

// fsync decides nothing: attributes may come after the bytes.
func (h *pendingHandle) fsync(*call) error { return nil }

// decided takes the name away once the message is restored or refused.
func (h *pendingHandle) decided(seq store.Seq, err error) error {
	if seq != 0 || err != nil {
		h.node.drop()
	}
	return err
}

func (h *pendingHandle) abandon() { h.w.Abandon() }

func (h *pendingHandle) release(c *call) {
	if h.dropped.Load() {
		h.w.Discard()
	}
	out := h.w.Release(c)
	c.reportOutcome(h.node.stream, out)
	h.node.mu.Lock()
	h.node.opens = slices.DeleteFunc(h.node.opens, func(o *pendingHandle) bool { return o == h })
	h.node.mu.Unlock()
	h.node.drop()
}

// pendingTarget restores a message under the sequence that its file has for a name.
type pendingTarget struct {
	h *pendingHandle
}

// Limit implements publish.Target. The stream may have taken larger messages than it does now.
func (t pendingTarget) Limit() int64 { return store.MaxMsgSize }

// Check implements publish.Target.
func (t pendingTarget) Check(context.Context, int64) error { return nil }

// Commit implements publish.Target.
func (t pendingTarget) Commit(ctx context.Context, data []byte, _ *int64) (store.Seq, error) {
	n := t.h.node
	m, err := restored(n.stream, n.meta, n.seq, data, n.fs.now())
	if err != nil {
		return 0, err
	}
	return m.Seq, n.stream.restores.Restore(ctx, m, t.h.w.Opener())
}
