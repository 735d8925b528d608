package fusefs

import (
	"math"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// How long the kernel may use what it was told. keep is for what never changes, or
// is notified when it does; fresh for what may change any moment; brief for what changes by requests of the
// kernel alone, which knows then. SEMANTICS.md says which is used where.
const (
	keep  = time.Hour
	fresh = time.Duration(0)
	brief = time.Second
)

const (
	blockSize = 512 // the unit of st_blocks
	// What a program should read at once: of a log as much as one request brings.
	fileBlksize = 4096
	logBlksize  = 128 << 10
)

// fileAttr fills in the attributes of a regular file.
func (fs *FS) fileAttr(a *fuse.Attr, id uint64, size, mtime int64) {
	fs.anyAttr(a, id, syscall.S_IFREG|0o666, mtime)
	a.Size = uint64(size)
	a.Blocks = uint64(size+blockSize-1) / blockSize
}

// dirAttr fills in the attributes of a directory. Its link count says nothing about
// what is in it, as on other file systems where counting would cost too much.
func (fs *FS) dirAttr(a *fuse.Attr, id uint64, mtime int64) {
	fs.anyAttr(a, id, syscall.S_IFDIR|0o777, mtime)
}

func (fs *FS) linkAttr(a *fuse.Attr, id uint64, target string, mtime int64) {
	fs.anyAttr(a, id, syscall.S_IFLNK, mtime)
	a.Mode |= 0o777
	a.Size = uint64(len(target))
}

func (fs *FS) anyAttr(a *fuse.Attr, id uint64, mode uint32, mtime int64) {
	a.Ino = id
	a.Mode = mode &^ *fs.opt.Umask
	a.Nlink = 1
	a.Uid, a.Gid = *fs.opt.UID, *fs.opt.GID
	a.Blksize = fileBlksize
	setTimes(a, mtime)
}

// setTimes sets all times of a file to ns, in nanoseconds since the Unix epoch.
func setTimes(a *fuse.Attr, ns int64) {
	sec, nsec := ns/int64(time.Second), ns%int64(time.Second)
	if nsec < 0 {
		sec, nsec = sec-1, nsec+int64(time.Second)
	}
	a.Atime, a.Mtime, a.Ctime = uint64(sec), uint64(sec), uint64(sec)
	a.Atimensec, a.Mtimensec, a.Ctimensec = uint32(nsec), uint32(nsec), uint32(nsec)
}

// askedTime is the time that utimens(2) asks for, in nanoseconds since the Unix epoch; where they can't count it, before 1678 or after 2262, the
// nearest one that they can.
func (fs *FS) askedTime(in *fuse.SetAttrIn) int64 {
	if in.Valid&fuse.FATTR_MTIME_NOW != 0 {
		return fs.now().UnixNano()
	}
	const beyond = 2 * (math.MaxInt64 / int64(time.Second)) // and time.Time can count it
	asked := time.Unix(min(max(int64(in.Mtime), -beyond), beyond), int64(in.Mtimensec))
	switch first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64); {
	case asked.Before(first):
		return math.MinInt64
	case asked.After(last):
		return math.MaxInt64
	}
	return asked.UnixNano()
}

func (fs *FS) messageAttr(a *fuse.Attr, id uint64, m store.Meta) {
	fs.fileAttr(a, id, m.Size, m.Time)
}

// messageEntry answers for a message under a name that may be cached, or not.
func (fs *FS) messageEntry(out *fuse.EntryOut, id uint64, m store.Meta, timeout time.Duration) {
	out.NodeId = id
	out.SetEntryTimeout(timeout)
	out.SetAttrTimeout(keep)
	fs.messageAttr(&out.Attr, id, m)
}

// streamEntry answers for a stream's directory.
func (fs *FS) streamEntry(c *call, s *stream, out *fuse.EntryOut) error {
	mtime, err := fs.streamTime(c, s)
	if err != nil {
		return err
	}
	out.NodeId, out.Generation = s.node, s.generation
	out.SetEntryTimeout(keep)
	out.SetAttrTimeout(s.dirTimeout())
	fs.dirAttr(&out.Attr, s.node, mtime)
	return nil
}

// dirTimeout is how long the kernel may use the attributes of the stream's directory: nobody tells it when a copy is complete.
func (s *stream) dirTimeout() time.Duration {
	if s.copied.held.Load() != nil {
		return fresh
	}
	return keep
}

// streamTime is when something was stored in the stream, or removed from it, drafts included. Of a copy that is not complete it is
// 1970: rsync sets a directory's time at its end only if that is in another second, and that time completes the copy.
func (fs *FS) streamTime(c *call, s *stream) (int64, error) {
	if s.copied.held.Load() != nil {
		return 0, nil
	}
	st, err := s.State(c)
	if err != nil {
		return 0, err
	}
	s.lowerFloor(st.First)
	return max(fs.modTime(s, st), s.unnamed.Load()), nil
}

// modTime is when a stream's messages changed last as far as it is known. An editor's drafts come and go beside a log that
// it has open, which is not changed by that.
func (fs *FS) modTime(s *stream, st store.State) int64 {
	if mtime := max(st.LastTime, s.changed.Load()); mtime != 0 {
		return mtime
	}
	return fs.started.UnixNano()
}

// GetAttr is stat(2).
func (fs *FS) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) (st fuse.Status) {
	c := fs.call("getattr", &in.InHeader, cancel, "")
	defer c.recover(&st)
	var h handle
	if in.Flags()&fuse.FUSE_GETATTR_FH != 0 {
		h = fs.handles.get(in.Fh())
	}
	return c.status(fs.getOpenAttr(c, h, out))
}

// getOpenAttr is getAttr, also for who has open what is not there any more.
func (fs *FS) getOpenAttr(c *call, h handle, out *fuse.AttrOut) error {
	err := fs.getAttr(c, h, out)
	if errno, _ := errnoOf(err); errno != syscall.ESTALE {
		return err
	}
	*out = fuse.AttrOut{}
	out.SetTimeout(fresh)
	if h := fs.shown.last(c.hdr.NodeId); h != nil {
		h.attr(fs, &out.Attr)
		return nil
	}
	if inc, seq, ok := fs.removedMessage(c.hdr.NodeId, err); ok {
		m, err := fs.loadRemoved(c, inc, seq, nil)
		if err != nil {
			return err
		}
		fs.messageAttr(&out.Attr, c.hdr.NodeId, m.Meta)
		out.Nlink = 0
		return nil
	}
	return err
}

func (fs *FS) getAttr(c *call, h handle, out *fuse.AttrOut) error {
	id := c.hdr.NodeId
	s, at, err := fs.split(id)
	if err != nil {
		return err
	}
	switch at.kind {
	case 0:
		out.SetTimeout(keep)
		fs.dirAttr(&out.Attr, id, fs.changed.Load())
	case mapping.KindStream:
		mtime, err := fs.streamTime(c, s)
		if err != nil {
			return err
		}
		if at.view == nil {
			out.SetTimeout(s.dirTimeout())
		}
		fs.dirAttr(&out.Attr, id, mtime)
	case mapping.KindMessage:
		held := s.restores.Holds(store.Seq(at.n))
		m, removed, err := statOpen(c, s, store.Seq(at.n))
		if err != nil {
			return err
		}
		fs.messageAttr(&out.Attr, id, m)
		if removed {
			out.SetTimeout(fresh)
			out.Nlink = 0
			return nil
		}
		out.SetTimeout(keep)
		if held {
			out.SetTimeout(fresh)
		}
	case mapping.KindControl:
		return fs.controlAttr(c, s, at, h, &out.Attr, out.SetTimeout)
	default:
		obj := fs.objects.get(id)
		if obj == nil {
			return errStale
		}
		out.SetTimeout(attrTimeout(obj))
		fs.fileAttr(&out.Attr, id, 0, fs.started.UnixNano())
		return obj.stat(c, h, &out.Attr)
	}
	return nil
}

// SetAttr is chmod, chown, utimens and truncate.
func (fs *FS) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) (st fuse.Status) {
	c := fs.call("setattr", &in.InHeader, cancel, "")
	defer c.recover(&st)
	var h handle
	if fh, ok := in.GetFh(); ok {
		h = fs.handles.get(fh)
	}
	err := fs.setAttr(c, h, in)
	if err == nil {
		err = fs.getAttr(c, h, out)
	}
	return c.status(err)
}

func (fs *FS) setAttr(c *call, h handle, in *fuse.SetAttrIn) error {
	s, at, err := fs.splitWritable(c.hdr.NodeId)
	if err != nil {
		return err
	}
	if c.hdr.NodeId == mapping.Root {
		return nil // as a stream's directory: whoever copies a whole mount sets its mode and time
	}
	switch at.kind {
	case mapping.KindStream:
		if in.Valid&fuse.FATTR_MTIME != 0 && at.view == nil { // whoever copies a directory sets its time when all is in it
			if err := s.restores.Settle(c); err != nil {
				return err
			}
			return fs.finishCopy(c, s)
		}
		return nil // cp -a and tar set a directory's mode and times; they are what they are
	case mapping.KindMessage:
		if !fs.asItIs(in) {
			return refuse(syscall.EPERM, "messages never change")
		}
		return nil
	case mapping.KindSubject, mapping.KindDraft:
		obj := fs.objects.get(c.hdr.NodeId)
		if obj == nil {
			return errStale
		}
		return obj.setAttr(c, h, in)
	case mapping.KindControl:
		switch at.control() {
		case mapping.ControlLog, mapping.ControlLogJSON:
			return fs.setLogAttr(c, s, h, in)
		case mapping.ControlOpenMessage:
			return fs.extendOpen(c, s, at, in)
		case mapping.ControlConfig, mapping.ControlCtl, mapping.ControlPost, mapping.ControlConsumerConfig:
			return setControlAttr(h, in)
		}
	}
	return refuse(syscall.EPERM, "it can't be changed")
}

// asItIs says whether all that chmod(2) or chown(2) ask for is so already for every message: who walks over a stream to make
// it so, as chown -R, is refused nothing.
func (fs *FS) asItIs(in *fuse.SetAttrIn) bool {
	const size, times = fuse.FATTR_SIZE, fuse.FATTR_MTIME | fuse.FATTR_ATIME
	if in.Valid&(size|times) != 0 {
		return false
	}
	mode, ok := in.GetMode()
	if ok && mode&0o7777 != 0o666&^*fs.opt.Umask {
		return false
	}
	uid, ok := in.GetUID()
	if ok && uid != *fs.opt.UID {
		return false
	}
	gid, ok := in.GetGID()
	return !ok || gid == *fs.opt.GID
}

// gone is err, or errStale if err says that a message is no more: its node was known,
// so the kernel is to look its name up again.
func gone(err error) error {
	if errno, _ := errnoOf(err); errno == syscall.ENOENT {
		return errStale
	}
	return err
}
