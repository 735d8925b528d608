package fusefs

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
)

// isRootControl says whether a control file belongs to the root, and not to a stream.
func isRootControl(c mapping.Control) bool {
	_, ok := mapping.ControlRootDir.Child(c.String())
	return ok || c == mapping.ControlRootDir
}

// controlNode returns the node number of a control file; s is nil at the root.
func controlNode(s *stream, p place) uint64 {
	var num uint64
	if s != nil {
		num = s.num
	}
	id, _ := mapping.Node(mapping.KindControl, num, p.n)
	return id
}

// controlEntry answers for a control file. Most are there as long as their stream
// is, so their names may be cached; the links are there while the stream has messages.
func (fs *FS) controlEntry(c *call, s *stream, p place, out *fuse.EntryOut) error {
	out.NodeId = controlNode(s, p)
	if p.control().IsLink() {
		out.SetEntryTimeout(fresh)
	} else {
		out.SetEntryTimeout(keep)
	}
	if err := fs.controlAttr(c, s, p, nil, &out.Attr, out.SetAttrTimeout); err != nil {
		*out = fuse.EntryOut{}
		return err
	}
	return nil
}

// controlAttr fills in the attributes of a control file, and for how long they hold.
func (fs *FS) controlAttr(c *call, s *stream, p place, h handle, a *fuse.Attr, timeout func(time.Duration)) error {
	id := controlNode(s, p)
	timeout(fresh)
	started := fs.started.UnixNano()
	switch p.control() {
	case mapping.ControlDir, mapping.ControlRootDir:
		timeout(keep)
		fs.dirAttr(a, id, started)
	case mapping.ControlReadme:
		timeout(keep)
		fs.fileAttr(a, id, int64(len(readme)), started)
	case mapping.ControlVersion:
		timeout(keep)
		fs.fileAttr(a, id, int64(len(fs.opt.Version)+1), started)
	case mapping.ControlErrors:
		start, end := fs.errors.extent()
		if h, ok := h.(*errorsHandle); ok {
			start = h.start
		}
		fs.fileAttr(a, id, end-start, fs.now().UnixNano())
		a.Mode = syscall.S_IFREG | 0o600
		return nil
	case mapping.ControlInfo:
		content, mtime, err := fs.info(c, s)
		if err != nil {
			return err
		}
		fs.fileAttr(a, id, int64(len(content)), mtime)
	case mapping.ControlConfig:
		fs.configAttr(s, id, h, a)
		return nil
	case mapping.ControlCtl:
		fs.fileAttr(a, id, int64(len(ctlHelp)), started)
		return nil
	case mapping.ControlMetrics:
		content, err := fs.metrics()
		if err != nil {
			return err
		}
		fs.fileAttr(a, id, int64(len(content)), fs.now().UnixNano())
	case mapping.ControlFirst, mapping.ControlLast:
		target, mtime, err := fs.linkTarget(c, s, p)
		if err != nil {
			return err
		}
		fs.linkAttr(a, id, target, mtime)
	case mapping.ControlLog:
		return fs.logAttr(c, s, id, a)
	default:
		return errStale
	}
	if a.Mode&syscall.S_IFMT == syscall.S_IFREG {
		a.Mode &^= 0o222
	}
	return nil
}

// info is the content of a stream's info file, and its time.
func (fs *FS) info(c *call, s *stream) ([]byte, int64, error) {
	st, err := s.State(c)
	if err != nil {
		return nil, 0, err
	}
	damage, err := s.Damage(c)
	if err != nil {
		return nil, 0, err
	}
	return mapping.Info(s.Config(), st, damage, s.Origins(), fs.now().UnixNano()), fs.modTime(s, st), nil
}

// metrics is the content of the metrics file.
func (fs *FS) metrics() ([]byte, error) {
	if fs.opt.Metrics == nil {
		return nil, errAbsent
	}
	return fs.opt.Metrics()
}

// linkTarget is where a stream's first or last link points to, and that message's time.
func (fs *FS) linkTarget(c *call, s *stream, p place) (string, int64, error) {
	st, err := s.State(c)
	if err != nil {
		return "", 0, err
	}
	if st.Live.Messages == 0 {
		return "", 0, errAbsent
	}
	seq, mtime := st.First, st.FirstTime
	if p.control() == mapping.ControlLast {
		m, err := s.LoadLast(c, "", nil)
		if err != nil {
			return "", 0, gone(err)
		}
		seq, mtime = m.Seq, m.Time
	}
	target := mapping.FormatSeq(seq, fs.opt.SeqWidth)
	if p.n&shortLink == 0 {
		target = "../" + target
	}
	return target, mtime, nil
}

// Readlink reads a symbolic link.
func (fs *FS) Readlink(cancel <-chan struct{}, hdr *fuse.InHeader) (target []byte, st fuse.Status) {
	c := fs.call("readlink", hdr, cancel, "")
	defer c.recover(&st)
	s, at, err := fs.split(hdr.NodeId)
	if err == nil && (at.kind != mapping.KindControl || !at.control().IsLink()) {
		err = refuse(syscall.EINVAL, "it is no symbolic link")
	}
	if err != nil {
		return nil, c.status(err)
	}
	t, _, err := fs.linkTarget(c, s, at)
	return []byte(t), c.status(err)
}

// openControl opens a control file for reading.
func (fs *FS) openControl(c *call, s *stream, p place, in *fuse.OpenIn) (handle, uint32, error) {
	switch p.control() {
	case mapping.ControlLog:
		return fs.openLog(c, s, in)
	case mapping.ControlConfig:
		return fs.openConfig(s, in)
	case mapping.ControlCtl:
		return fs.openCtl(s, in)
	}
	if in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY || in.Flags&syscall.O_TRUNC != 0 {
		return nil, 0, refuse(syscall.EPERM, "it can only be read")
	}
	switch p.control() {
	case mapping.ControlReadme:
		return &bytesHandle{content: []byte(readme)}, fuse.FOPEN_DIRECT_IO, nil
	case mapping.ControlVersion:
		return &bytesHandle{content: []byte(fs.opt.Version + "\n")}, fuse.FOPEN_DIRECT_IO, nil
	case mapping.ControlInfo:
		content, _, err := fs.info(c, s)
		return &bytesHandle{content: content}, fuse.FOPEN_DIRECT_IO, err
	case mapping.ControlMetrics:
		content, err := fs.metrics()
		return &bytesHandle{content: content}, fuse.FOPEN_DIRECT_IO, err
	case mapping.ControlErrors:
		start, _ := fs.errors.extent()
		return &errorsHandle{start: start}, fuse.FOPEN_DIRECT_IO, nil
	}
	return nil, 0, errStale
}

// errorsHandle is an open errors file. Its offset 0 is the oldest line that was held
// when it was opened, so that tail -f can follow it.
type errorsHandle struct {
	readHandle
	start int64
}

func (h *errorsHandle) read(c *call, p []byte, off int64) (int, error) {
	return c.fs.errors.readAt(p, h.start+off), nil
}
