package fusefs

import (
	"errors"
	"io"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/logview"
)

// openFollow opens a follow: it reads the messages that are stored from now on, and waits for the next one.
// The kernel takes it for a stream of bytes without positions, so that readers who share it don't wait
// for each other where nobody can interrupt them.
func (fs *FS) openFollow(c *call, m *messages, f logview.Framing) (handle, uint32, error) {
	q, err := fs.query(c, m.stream, m.filter)
	if err != nil {
		return nil, 0, err
	}
	t, err := logview.NewTail(c, m.stream, q, f, m.stream.bell)
	if err != nil {
		return nil, 0, err
	}
	if fs.stopping.Load() {
		m.stream.bell.End() // it began after endFollowing
	}
	const flags = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NONSEEKABLE | fuse.FOPEN_STREAM | fuse.FOPEN_NOFLUSH
	return &followReader{tail: t}, flags, nil
}

// endFollowing gives all who wait for a message the end of their file.
func (fs *FS) endFollowing() {
	fs.end()
	for _, s := range fs.streams.all() {
		s.bell.End()
	}
}

// followReader is an open follow.
type followReader struct {
	readHandle
	tail *logview.Tail
}

func (*followReader) waits() {}

func (h *followReader) read(c *call, p []byte, _ int64) (int, error) {
	n, err := h.tail.Read(c, p)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (h *followReader) release(*call) { h.tail.Close() }
