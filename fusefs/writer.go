package fusefs

import (
	"context"
	"errors"
	"io"
	"slices"
	"syscall"
	"time"

	"jsfs/fusefs/publish"
	"jsfs/store"
)

// subjectHandle is a subject node that is open for writing.
type subjectHandle struct {
	node     *subjectNode
	id       uint64 // of node
	w        *publish.Writer
	at       time.Time  // when it was opened
	meta     *draftMeta // of the message that is being written
	readable bool
	under    *under // what it held when it was opened; nil if it was empty, was emptied, or is appended to

	// newest is the message that is read as long as nothing was written, opened by the first read.
	opened untilDone
	newest handle
	err    error // why it could not be opened
}

func (h *subjectHandle) read(c *call, p []byte, off int64) (int, error) {
	if !h.readable {
		return 0, refuse(syscall.EBADF, "it is not open for reading")
	}
	if h.w.Fresh() && h.under != nil {
		return h.under.read(c, p, off)
	}
	if h.w.Fresh() {
		newest, err := h.openNewest(c)
		if err != nil {
			return 0, err
		}
		return newest.read(c, p, off)
	}
	n, err := h.w.ReadAt(p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (h *subjectHandle) openNewest(c *call) (handle, error) {
	err := h.opened.do(c, func() error {
		h.newest, h.err = h.node.openNewest(c)
		return h.err
	})
	if err != nil {
		return nil, err
	}
	return h.newest, h.err
}

func (h *subjectHandle) write(c *call, p []byte, off int64, appending bool) (int, error) {
	return h.w.Write(c, c.hdr.Pid, p, off, appending)
}

func (h *subjectHandle) flush(c *call) error { return h.note(h.w.Flush(c, c.hdr.Pid)) }
func (h *subjectHandle) fsync(c *call) error { return h.note(h.w.Fsync(c)) }

// note takes in what came of a commit.
func (h *subjectHandle) note(seq store.Seq, err error) error {
	h.node.stream.noteFailed(err)
	if seq != 0 {
		h.meta.clearXattrs()
		h.node.stream.writing.unhide(h.node.name())
		h.node.stream.writing.written.add(h.node.subject, h.node.file, seq)
	}
	return err
}

// addOpen notes that a subject is open for writing.
func (w *writing) addOpen(name string, h *subjectHandle) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.opens == nil {
		w.opens = map[string][]*subjectHandle{}
	}
	w.opens[name] = append(w.opens[name], h)
}

func (w *writing) removeOpen(name string, h *subjectHandle) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := slices.DeleteFunc(w.opens[name], func(o *subjectHandle) bool { return o == h })
	if w.opens[name] = rest; len(rest) == 0 {
		delete(w.opens, name)
	}
}

func (h *subjectHandle) abandon() { h.w.Abandon() }

func (h *subjectHandle) release(c *call) {
	out := h.w.Release(c)
	_ = h.note(out.Seq, nil) // reportOutcome tells of the error
	c.reportOutcome(h.node.stream, out)
	n := h.node
	n.stream.writing.removeOpen(n.name(), h)
	n.use.endWriting()
	if h.under != nil {
		h.under.close()
	}
	_ = h.opened.do(context.Background(), func() error { // where the mount is taken away somebody may be reading
		h.err = errStale
		return nil
	})
	if h.newest != nil {
		h.newest.release(c)
	}
}
