package fusefs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/publish"
	"jsfs/store"
)

// openLogWriter opens a log for appending.
func (fs *FS) openLogWriter(c *call, s *stream, in *fuse.OpenIn) (handle, uint32, error) {
	if in.Flags&syscall.O_TRUNC != 0 {
		return nil, 0, refuseTruncate(s)
	}
	if in.Flags&syscall.O_APPEND == 0 {
		return nil, 0, refuse(syscall.EPERM, "a log is only appended to: open it with >>, or O_APPEND")
	}
	target := fs.target(s, s.Config().DefaultSubject())
	if err := target.Check(c, 0); err != nil {
		return nil, 0, err
	}
	h := &logWriter{stream: s}
	if in.Flags&syscall.O_ACCMODE == syscall.O_RDWR {
		read := *in
		read.Flags &^= syscall.O_ACCMODE | syscall.O_APPEND
		var err error
		if h.reader, _, err = fs.openLog(c, s, &read); err != nil {
			return nil, 0, err
		}
	}
	h.lines = fs.pub.begin().NewLines(target, publish.Open{Inode: c.hdr.NodeId, Thread: c.hdr.Pid})
	return h, fuse.FOPEN_DIRECT_IO, nil
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

func (h *logWriter) release(c *call) {
	c.reportOutcome(h.stream, h.lines.Release(c))
	if h.reader != nil {
		h.reader.release(c)
	}
}
