package fusefs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/logview"
	"jsfs/fusefs/publish"
	"jsfs/store"
)

// openLogWriter opens a log for appending.
func (fs *FS) openLogWriter(c *call, m *messages, f logview.Framing, in *fuse.OpenIn) (handle, uint32, error) {
	s := m.stream
	if in.Flags&syscall.O_TRUNC != 0 {
		return nil, 0, refuseTruncate(s)
	}
	if in.Flags&syscall.O_APPEND == 0 {
		return nil, 0, refuse(syscall.EPERM, "a log is only appended to: open it with >>, or O_APPEND")
	}
	if err := m.takes(); err != nil {
		return nil, 0, err
	}
	target := fs.target(s, m.subject())
	if err := canWriteLines(c, target, f, m); err != nil {
		return nil, 0, err
	}
	h := &logWriter{stream: s}
	if in.Flags&syscall.O_ACCMODE == syscall.O_RDWR {
		read := *in
		read.Flags &^= syscall.O_ACCMODE | syscall.O_APPEND
		var err error
		if h.reader, _, err = fs.openLog(c, m, f, &read); err != nil {
			return nil, 0, err
		}
	}
	open := publish.Open{Inode: c.hdr.NodeId, Thread: c.hdr.Pid}
	if f == logview.Payloads {
		h.lines = fs.pub.begin().NewLines(target, open)
	} else {
		h.lines = fs.pub.begin().NewJSONLines(target, m.filter.Subject, open)
	}
	return h, fuse.FOPEN_DIRECT_IO, nil
}

// canWriteLines refuses who opens a log where no line would be taken.
func canWriteLines(c *call, target publish.Subject, f logview.Framing, m *messages) error {
	switch {
	case f == logview.JSONLines:
		return target.Room(c, 0)
	case target.Name == "":
		return refuse(syscall.EPERM, "the messages are on many subjects (%s): append lines in the directory of one, or lines with a subject to log.jsonl", m.filter.Subject)
	}
	return target.Check(c, 0)
}

// logWriter is a log that is open for appending.
type logWriter struct {
	stream *stream
	lines  *publish.Lines
	reader handle // nil unless it is open for reading as well
}

func (h *logWriter) read(c *call, p []byte, off int64) (int, error) {
	if h.reader == nil {
		return 0, refuse(syscall.EBADF, "it is not open for reading")
	}
	return h.reader.read(c, p, off)
}

// write appends whatever offset the kernel believes in.
func (h *logWriter) write(c *call, p []byte, _ int64, _ bool) (int, error) {
	n, err := h.lines.Write(c, p)
	h.stream.noteFailed(err)
	return n, err
}

func (h *logWriter) flush(c *call) error { return h.note(h.lines.Flush(c, c.hdr.Pid)) }
func (h *logWriter) fsync(c *call) error { return h.note(h.lines.Fsync(c)) }

func (h *logWriter) note(_ store.Seq, err error) error {
	h.stream.noteFailed(err)
	return err
}

// drain appends the line that has begun, at the end of the mount.
func (h *logWriter) drain(c *call) {
	if err := h.fsync(c); err != nil {
		errno, _ := errnoOf(err)
		c.report(errno, err)
	}
}

// abandon says nothing to the lines: what there is of one is a message, as at a close.
func (h *logWriter) abandon() {}

func (h *logWriter) release(c *call) {
	c.reportOutcome(h.stream, h.lines.Release(c))
	if h.reader != nil {
		h.reader.release(c)
	}
}
