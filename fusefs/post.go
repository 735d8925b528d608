package fusefs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/publish"
)

// postHelp is what is read from a post file.
const postHelp = `Write a message here:

  Subject: orders.new
  Nats-Msg-Id: 42

  the payload, as it is, to the close

The first line is the subject, the next ones are headers; a blank line ends them. So does
a message's raw read, and this replays it: cat A/.jsfs/msg/42/raw > B/.jsfs/post

Headers that remove other messages, or refuse the message unless the stream is in some state (Nats-Rollup,
Nats-Expected-...), are taken only if a line before all others says Jsfs-Apply: true
`

func (fs *FS) postAttr(id uint64, h handle, a *fuse.Attr) {
	size := int64(len(postHelp))
	if w, ok := h.(*postWriter); ok {
		size = w.w.Size()
	}
	fs.fileAttr(a, id, size, fs.started.UnixNano())
}

// openPost opens a post file.
func (fs *FS) openPost(c *call, m *messages, in *fuse.OpenIn) (handle, uint32, error) {
	if !wantsWrite(in.Flags) {
		return &bytesHandle{content: []byte(postHelp)}, fuse.FOPEN_DIRECT_IO, nil
	}
	if err := m.takes(); err != nil {
		return nil, 0, err
	}
	target := publish.Post{Stream: m.stream, Pattern: m.filter.Subject, Room: fs.target(m.stream, "").Room}
	if err := target.Check(c, 0); err != nil {
		return nil, 0, err
	}
	w := fs.pub.begin().NewWriter(m.stream, target, publish.Open{Inode: c.hdr.NodeId, Thread: c.hdr.Pid})
	return &postWriter{stream: m.stream, w: w}, fuse.FOPEN_DIRECT_IO, nil
}

// postWriter is a post file that is open for writing: what is written to it until the close is one message.
type postWriter struct {
	stream *stream
	w      *publish.Writer
}

func (h *postWriter) read(_ *call, p []byte, off int64) (int, error) {
	if off >= int64(len(postHelp)) {
		return 0, nil
	}
	return copy(p, postHelp[off:]), nil
}

func (h *postWriter) write(c *call, p []byte, off int64, appending bool) (int, error) {
	n, err := h.w.Write(c, c.hdr.Pid, p, off, appending)
	h.stream.noteFailed(err)
	return n, err
}

func (h *postWriter) flush(c *call) error {
	_, err := h.w.Flush(c, c.hdr.Pid)
	h.stream.noteFailed(err)
	return err
}

func (h *postWriter) fsync(c *call) error {
	_, err := h.w.Fsync(c)
	h.stream.noteFailed(err)
	return err
}

func (h *postWriter) abandon() { h.w.Abandon() }

func (h *postWriter) release(c *call) { c.reportOutcome(h.stream, h.w.Release(c)) }
