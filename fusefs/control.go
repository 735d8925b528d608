package fusefs

import (
	"math"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// controlEntry answers for a control file. Most are there as long as their stream
// is, so their names may be cached; the links are there while the stream has messages.
func (fs *FS) controlEntry(c *call, s *stream, p place, out *fuse.EntryOut) error {
	out.NodeId = p.node(s)
	if p.control().IsLink() || p.control() == mapping.ControlRemovedStream {
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
	id := p.node(s)
	timeout(fresh)
	started := fs.started.UnixNano()
	if p.control().IsDir() {
		return fs.controlDirAttr(c, s, p, a, timeout)
	}
	switch p.control() {
	case mapping.ControlReadme:
		timeout(keep)
		fs.fileAttr(a, id, int64(len(readme)), started)
	case mapping.ControlVersion:
		timeout(keep)
		fs.fileAttr(a, id, int64(len(fs.opt.Version)+1), started)
	case mapping.ControlMount:
		timeout(keep)
		fs.fileAttr(a, id, int64(len(fs.opt.config())), started)
	case mapping.ControlErrors:
		return fs.errorsAttr(c, p, h, a)
	case mapping.ControlNewestOf:
		m, err := fs.statNewest(c, s, p)
		if h := fs.shown.last(id); h != nil && m.Seq != h.seq {
			return errStale // it is that one's for who has it open
		}
		if err != nil {
			return err
		}
		fs.fileAttr(a, p.view.ino(), m.Size, m.Time)
	case mapping.ControlConfig:
		fs.configAttr(configContent(s), id, h, a)
		return nil
	case mapping.ControlConsumerConfig, mapping.ControlConsumerInfo, mapping.ControlNext, mapping.ControlNextJSON, mapping.ControlOpenMessage:
		return fs.consumerFileAttr(c, s, p, h, a)
	case mapping.ControlDeletedMessage:
		if err := fs.deletedAttr(c, s, p, a); err != nil {
			return err
		}
	case mapping.ControlCtl:
		fs.fileAttr(a, id, int64(len(ctlHelp)), started)
		return nil
	case mapping.ControlFirst, mapping.ControlLast, mapping.ControlAgo:
		target, mtime, err := fs.linkTarget(c, s, p)
		if err != nil {
			return err
		}
		fs.linkAttr(a, id, target, mtime)
	case mapping.ControlLog, mapping.ControlLogJSON, mapping.ControlFollow, mapping.ControlFollowJSON, mapping.ControlPost:
		if fs.opt.Unchanging {
			timeout(keep)
		}
		return fs.messagesAttr(c, p.messages(s), p.control(), id, h, a)
	default:
		size, mtime, err := fs.madeSize(c, s, p)
		if err != nil {
			return err
		}
		fs.fileAttr(a, id, size, mtime)
	}
	if a.Mode&syscall.S_IFMT == syscall.S_IFREG {
		a.Mode &^= 0o222
	}
	return nil
}

// made is the content of a file that is made when it is opened, and its time.
func (fs *FS) made(c *call, s *stream, p place) (content []byte, mtime int64, err error) {
	if p.control().IsPart() {
		return fs.messagePart(c, s, p)
	}
	switch p.control() {
	case mapping.ControlInfo:
		return fs.info(c, s, p.filter())
	case mapping.ControlMetrics:
		content, err = fs.metrics()
		return content, fs.now().UnixNano(), err
	}
	return nil, 0, errStale
}

// madeSize is the size of a file that is made when it is opened, and its time.
func (fs *FS) madeSize(c *call, s *stream, p place) (size, mtime int64, err error) {
	switch p.control() {
	case mapping.ControlSubject, mapping.ControlTime, mapping.ControlJSON:
		return fs.partSize(c, s, p)
	}
	if !fs.opt.Unchanging {
		content, mtime, err := fs.made(c, s, p)
		return int64(len(content)), mtime, err
	}
	h, giveBack, err := fs.borrowControl(c, s, p)
	if err != nil {
		return 0, 0, err
	}
	defer giveBack()
	switch h := h.(type) {
	case *bytesHandle:
		return int64(len(h.content)), h.mtime, nil
	case *messageHandle:
		return h.size, h.mtime, nil
	}
	return 0, fs.started.UnixNano(), nil
}

// errorsAttr fills in the attributes of the errors file, which h has open or nobody.
func (fs *FS) errorsAttr(c *call, p place, h handle, a *fuse.Attr) error {
	if fs.opt.Unchanging {
		shared, giveBack, err := fs.borrowControl(c, nil, p)
		if err != nil {
			return err
		}
		defer giveBack()
		h = shared
	}
	start, end := fs.errors.extent()
	if h, ok := h.(*errorsHandle); ok {
		start = h.start
	}
	fs.fileAttr(a, p.node(nil), end-start, fs.now().UnixNano())
	a.Mode = syscall.S_IFREG | 0o600
	return nil
}

// controlDirAttr fills in the attributes of a control directory.
func (fs *FS) controlDirAttr(c *call, s *stream, p place, a *fuse.Attr, timeout func(time.Duration)) error {
	if p.view == nil {
		timeout(keep)
	}
	mtime := fs.started.UnixNano()
	switch p.control() {
	case mapping.ControlConsumer, mapping.ControlOpen, mapping.ControlNak, mapping.ControlTerm:
		info, err := fs.consumerInfo(c, s, p)
		if err != nil {
			return gone(err)
		}
		mtime = info.Created
	case mapping.ControlRemovedStream:
		r, err := fs.removedStream(c, p.removedIncarnation())
		if err != nil {
			return gone(err)
		}
		timeout(fresh)
		mtime = r.Time
	case mapping.ControlMsg:
		m, err := s.Stat(c, p.msgSeq())
		if err != nil {
			return gone(err)
		}
		mtime = m.Time
	}
	fs.dirAttr(a, p.node(s), mtime)
	return nil
}

// info is the content of an info file, and its time.
func (fs *FS) info(c *call, s *stream, f mapping.Filter) ([]byte, int64, error) {
	var subjects *uint64
	if f == (mapping.Filter{}) {
		if n, err := s.CountSubjects(c); err == nil { // damage must not keep the rest from being told, and is told with it
			subjects = &n
		}
	}
	st, err := s.State(c)
	if err != nil {
		return nil, 0, err
	}
	if f != (mapping.Filter{}) {
		content, err := fs.viewInfo(c, s, f)
		return content, fs.modTime(s, st), err
	}
	damage, err := s.Damage(c)
	if err != nil {
		return nil, 0, err
	}
	return mapping.Info(s.Config(), st, subjects, damage, s.Origins(), fs.now().UnixNano()), fs.modTime(s, st), nil
}

// metrics is the content of the metrics file.
func (fs *FS) metrics() ([]byte, error) {
	if fs.opt.Metrics == nil {
		return nil, errAbsent
	}
	return fs.opt.Metrics()
}

// viewInfo is the content of the info file of a message directory that is not the stream's own.
func (fs *FS) viewInfo(c *call, s *stream, f mapping.Filter) ([]byte, error) {
	q, err := fs.query(c, s, f)
	if err != nil {
		return nil, err
	}
	n, err := s.Count(c, q)
	if err != nil {
		return nil, err
	}
	var first, last store.Meta
	if n.Messages > 0 {
		if first, err = s.Stat(c, n.First); err == nil {
			last, err = s.Stat(c, n.Last)
		}
	}
	if err != nil {
		return nil, gone(err)
	}
	return mapping.ViewInfo(s.name, f, n, first, last), nil
}

// linkTarget is where a link points to, and the time of the message there.
func (fs *FS) linkTarget(c *call, s *stream, p place) (string, int64, error) {
	var m store.Meta
	var err error
	switch p.control() {
	case mapping.ControlFirst:
		m, err = fs.oldestOf(c, s, p.filter())
	case mapping.ControlLast:
		m, err = fs.newestOf(c, s, p.filter())
	case mapping.ControlAgo:
		when, err := mapping.ParseWhen(p.view.arg)
		now := fs.now().UnixNano()
		return mapping.Before(now, when.Ago), now, err
	}
	if err != nil {
		return "", 0, absent(err)
	}
	target := mapping.FormatSeq(m.Seq, fs.opt.SeqWidth)
	if p.n&shortLink == 0 {
		target = "../" + target
	}
	return target, m.Time, nil
}

// absent is err, or errAbsent if err says that there is no such message.
func absent(err error) error {
	if errno, _ := errnoOf(err); errno == syscall.ENOENT {
		return errAbsent
	}
	return err
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
	case mapping.ControlLog, mapping.ControlLogJSON, mapping.ControlFollow, mapping.ControlFollowJSON, mapping.ControlPost:
		return fs.openMessages(c, p.messages(s), p.control(), in)
	case mapping.ControlConfig:
		return fs.openConfig(s, in)
	case mapping.ControlCtl:
		return fs.openCtl(c, s, in)
	case mapping.ControlConsumerConfig, mapping.ControlConsumerInfo, mapping.ControlNext, mapping.ControlNextJSON, mapping.ControlOpenMessage:
		return fs.openConsumerFile(c, s, p, in)
	}
	if in.Flags&syscall.O_ACCMODE != syscall.O_RDONLY || in.Flags&syscall.O_TRUNC != 0 {
		return nil, 0, refuse(syscall.EPERM, "it can only be read")
	}
	switch p.control() {
	case mapping.ControlReadme:
		return &bytesHandle{content: []byte(readme)}, fuse.FOPEN_DIRECT_IO, nil
	case mapping.ControlVersion:
		return &bytesHandle{content: []byte(fs.opt.Version + "\n")}, fuse.FOPEN_DIRECT_IO, nil
	case mapping.ControlMount:
		return &bytesHandle{content: fs.opt.config()}, fuse.FOPEN_DIRECT_IO, nil
	case mapping.ControlNewestOf:
		return fs.openNewest(c, s, p)
	case mapping.ControlDeletedMessage:
		return fs.openDeleted(c, s, p)
	case mapping.ControlErrors:
		start, _ := fs.errors.extent()
		return &errorsHandle{start: start}, fuse.FOPEN_DIRECT_IO, nil
	}
	erasures := fs.shown.erasures.Load()
	content, mtime, err := fs.made(c, s, p)
	if err != nil {
		return nil, 0, err
	}
	if p.control().IsPart() {
		h := &messageHandle{stream: s, seq: p.msgSeq(), part: p.control(), node: p.node(s), size: int64(len(content)), mtime: mtime, readOnly: true}
		return fs.opened(c, h, content, erasures), fuse.FOPEN_DIRECT_IO, nil
	}
	return &bytesHandle{content: content, mtime: mtime}, fuse.FOPEN_DIRECT_IO, nil
}

// errorsHandle is an open errors file. Its offset 0 is the oldest line that was held
// when it was opened, so that tail -f can follow it.
type errorsHandle struct {
	readHandle
	start int64
}

func (h *errorsHandle) read(c *call, p []byte, off int64) (int, error) {
	if off > math.MaxInt64-h.start {
		return 0, nil
	}
	return c.fs.errors.readAt(p, h.start+off), nil
}
