package fusefs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// logAttr fills in the attributes of a stream's log.
func (fs *FS) logAttr(c *call, s *stream, id uint64, a *fuse.Attr) error {
	st, err := s.State(c)
	if err != nil {
		return err
	}
	fs.fileAttr(a, id, st.Live.Log, fs.modTime(s, st))
	a.Blksize = logBlksize
	return nil
}

// openLog opens a stream's log.
func (fs *FS) openLog(c *call, s *stream, in *fuse.OpenIn) (handle, uint32, error) {
	if in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY || in.Flags&syscall.O_TRUNC != 0 {
		return fs.openLogWriter(c, s, in)
	}
	return nil, 0, errNotImpl
}
