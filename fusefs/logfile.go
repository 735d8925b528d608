package fusefs

import (
	"errors"
	"io"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/logview"
)

// logAttr fills in the attributes of a log. While somebody has it open its size never shrinks.
func (fs *FS) logAttr(c *call, m *messages, f logview.Framing, id uint64, a *fuse.Attr) error {
	st, err := m.stream.State(c)
	if err != nil {
		return err
	}
	l, err := m.log(c, f)
	if err != nil {
		return err
	}
	size, err := l.Size(c)
	if err != nil {
		return err
	}
	fs.fileAttr(a, id, size, fs.modTime(m.stream, st))
	a.Blksize = logBlksize
	return nil
}

// openLog opens a log. It is read past the kernel's page cache: pages of a
// file that grows would show zeros to readers that come at the wrong moment.
func (fs *FS) openLog(c *call, m *messages, f logview.Framing, in *fuse.OpenIn) (handle, uint32, error) {
	if wantsWrite(in.Flags) {
		return fs.openLogWriter(c, m, f, in)
	}
	h, err := m.openLog(c, f)
	if err != nil {
		return nil, 0, err
	}
	return &logReader{log: h}, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH, nil
}

// logReader is a log that is open for reading.
type logReader struct {
	readHandle
	log *logview.Handle
}

func (h *logReader) read(c *call, p []byte, off int64) (int, error) {
	n, err := h.log.ReadAt(c, p, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (h *logReader) release(*call) { h.log.Close() }
