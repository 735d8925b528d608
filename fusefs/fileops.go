package fusefs

import (
	"errors"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// Messages up to maxStateless bytes are read without a handle: each READ, of which
// there is one, loads the message. Larger ones are loaded once for all their READs.
const maxStateless = 128 << 10

// Open opens a file.
func (fs *FS) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) (st fuse.Status) {
	c := fs.call("open", &in.InHeader, cancel, "")
	defer c.recover(&st)
	if fs.opt.Unchanging {
		return fuse.ENOSYS // the kernel opens no file any more
	}
	h, flags, err := fs.open(c, in)
	if err == nil {
		out.Fh, out.OpenFlags = fs.handles.add(h), flags
	}
	return c.status(err)
}

func (fs *FS) open(c *call, in *fuse.OpenIn) (handle, uint32, error) {
	s, at, err := fs.split(c.hdr.NodeId)
	if err == nil && wantsWrite(in.Flags) {
		err = fs.writable(s)
	}
	if err != nil {
		return nil, 0, err
	}
	if s != nil && at.kind != mapping.KindDraft {
		s.restores.SettleFor(func() int { return fs.process(c.hdr.Pid) })
	}
	switch at.kind {
	case mapping.KindMessage:
		return fs.openMessage(c, s, store.Seq(at.n), in)
	case mapping.KindControl:
		return fs.openControl(c, s, at, in)
	case mapping.KindSubject, mapping.KindDraft:
		obj := fs.objects.get(c.hdr.NodeId)
		if obj == nil {
			return nil, 0, errStale
		}
		return obj.open(c, in)
	}
	return nil, 0, refuse(syscall.EISDIR, "it is a directory")
}

func (fs *FS) openMessage(c *call, s *stream, seq store.Seq, in *fuse.OpenIn) (handle, uint32, error) {
	if wantsWrite(in.Flags) {
		return nil, 0, refuse(syscall.EPERM, "messages never change: write to a subject to append one")
	}
	s.used.Add(1)
	m, err := s.Stat(c, seq)
	if err != nil {
		return nil, 0, gone(err)
	}
	const flags = fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH
	if m.Size <= maxStateless {
		fs.prefetch.open(s, m)
		fs.names.used(s, seq)
		return nil, flags, nil
	}
	h := &messageHandle{stream: s, seq: seq, node: c.hdr.NodeId, size: m.Size, mtime: m.Time}
	return fs.opened(c, h, nil, fs.shown.erasures.Load()), flags, nil
}

// Read reads from a file.
func (fs *FS) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (res fuse.ReadResult, st fuse.Status) {
	c := fs.call("read", &in.InHeader, cancel, "")
	defer c.recover(&st)
	c.waits = in.Fh&waitsBit != 0
	var n int
	var err error
	switch h := fs.handles.get(in.Fh); {
	case h != nil:
		n, err = h.read(c, buf, int64(in.Offset))
	case fs.opt.Unchanging:
		n, err = fs.readUnopened(c, buf, in.Offset)
	default:
		n, err = fs.readMessage(c, buf, in.Offset)
	}
	if n > 0 {
		return fuse.ReadResultData(buf[:n]), fuse.OK // an error comes back when the reader does
	}
	if err != nil {
		return nil, c.status(err)
	}
	return fuse.ReadResultData(nil), fuse.OK
}

// readMessage reads from a message that has no handle.
func (fs *FS) readMessage(c *call, buf []byte, off uint64) (int, error) {
	scratch := getScratch(len(buf))
	defer putScratch(scratch)
	s, m, err := fs.loadNode(c, *scratch)
	if err != nil {
		return 0, err
	}
	if off >= uint64(len(m.Data)) {
		return 0, nil
	}
	n := copy(buf, m.Data[off:])
	if s == nil {
		return n, nil
	}
	fs.prefetch.read(s, m.Meta, int64(off), int64(off)+int64(n))
	if off == 0 {
		s.used.Add(1)
		fs.names.used(s, m.Seq)
	}
	return n, nil
}

// Buffers to load messages into, in two sizes: a READ of up to a page's worth of
// bytes needs a small one, whatever surrounds the payload included.
const (
	smallRead    = 8 << 10
	smallScratch = 16 << 10
	largeScratch = maxStateless + store.MaxHeader + 16<<10
)

var smallPool = sync.Pool{New: func() any { return ref(make([]byte, smallScratch)) }}
var largePool = sync.Pool{New: func() any { return ref(make([]byte, largeScratch)) }}

func getScratch(read int) *[]byte {
	if read <= smallRead {
		return smallPool.Get().(*[]byte)
	}
	return largePool.Get().(*[]byte)
}

func putScratch(b *[]byte) {
	if len(*b) == smallScratch {
		smallPool.Put(b)
	} else {
		largePool.Put(b)
	}
}

// Write writes to a file.
func (fs *FS) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (n uint32, st fuse.Status) {
	c := fs.call("write", &in.InHeader, cancel, "")
	defer c.recover(&st)
	h := fs.handles.get(in.Fh)
	if h == nil {
		return 0, c.status(refuse(syscall.EBADF, "it is not open for writing"))
	}
	written, err := h.write(c, data, int64(in.Offset), in.Flags&syscall.O_APPEND != 0)
	if written > 0 {
		return uint32(written), fuse.OK
	}
	return 0, c.status(err)
}

// Flush is called for each descriptor that is closed.
func (fs *FS) Flush(cancel <-chan struct{}, in *fuse.FlushIn) (st fuse.Status) {
	c := fs.call("close", &in.InHeader, cancel, "")
	defer c.recover(&st)
	if fs.opt.Unchanging {
		return fuse.ENOSYS
	}
	fs.pub.begin().Flushed(in.NodeId)
	if h := fs.handles.get(in.Fh); h != nil {
		return c.status(h.flush(c))
	}
	return fuse.OK
}

// Fsync makes durable what was written to a file; of a message, everything that was
// stored in its stream.
func (fs *FS) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) (st fuse.Status) {
	c := fs.call("fsync", &in.InHeader, cancel, "")
	defer c.recover(&st)
	h := fs.handles.get(in.Fh)
	switch {
	case h != nil:
		return c.status(h.fsync(c))
	case in.Fh != 0:
		return c.status(refuse(syscall.EIO, "the mount was taken away, and the file let go of, before it was synced"))
	}
	return c.status(fs.syncNode(c))
}

// FsyncDir makes durable what was stored in a stream; of the root, in all of them.
func (fs *FS) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) (st fuse.Status) {
	c := fs.call("fsync", &in.InHeader, cancel, "")
	defer c.recover(&st)
	return c.status(fs.syncNode(c))
}

func (fs *FS) syncNode(c *call) error {
	s, _, err := fs.split(c.hdr.NodeId)
	if err != nil {
		return err
	}
	if s != nil {
		return s.Sync(c)
	}
	for _, s := range fs.streams.all() {
		if err := s.Sync(c); err != nil && !errors.Is(err, store.ErrClosed) { // one that was removed has nothing to be synced
			return err
		}
	}
	return nil
}

// Release is called once when the last descriptor was closed.
func (fs *FS) Release(cancel <-chan struct{}, in *fuse.ReleaseIn) {
	var st fuse.Status
	c := fs.call("release", &in.InHeader, cancel, "")
	defer c.recover(&st)
	if h := fs.handles.remove(in.Fh); h != nil {
		h.release(c)
	}
}
