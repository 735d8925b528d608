package fusefs

import (
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// Why names can't be made or changed, in places where nothing can.
const (
	onlyStreams = "only streams, which mkdir makes, are in the root"
	noDirs      = "a stream has no directories of its own"
	onlyViews   = "what is in .jsfs is fixed"
	onlyBack    = "what was removed can be brought back with mv, and nothing else is done in deleted: to overwrite a message for good, write erase and its number to ctl"
)

// Mkdir makes a stream, or a consumer.
func (fs *FS) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) (st fuse.Status) {
	c := fs.call("mkdir", &in.InHeader, cancel, name)
	defer c.recover(&st)
	return c.status(fs.mkdir(c, name, out))
}

func (fs *FS) mkdir(c *call, name string, out *fuse.EntryOut) error {
	s, at, err := fs.splitWritable(c.hdr.NodeId)
	if err != nil {
		return err
	}
	switch at.kind {
	case 0:
	case mapping.KindStream:
		return refuse(syscall.EPERM, noDirs)
	case mapping.KindControl:
		if at.control() == mapping.ControlConsumers {
			return fs.makeConsumer(c, s, at, name, out)
		}
		return at.refuseChange()
	default:
		return refuse(syscall.EPERM, onlyViews)
	}
	made, err := fs.st.Create(c, fs.newConfig(name))
	if err != nil {
		return err
	}
	s, err = fs.streams.enter(made)
	if err != nil {
		return err
	}
	fs.changed.Store(fs.now().UnixNano())
	return fs.streamEntry(c, s, out)
}

// Rmdir removes a stream that is empty, or a consumer.
func (fs *FS) Rmdir(cancel <-chan struct{}, hdr *fuse.InHeader, name string) (st fuse.Status) {
	c := fs.call("rmdir", hdr, cancel, name)
	defer c.recover(&st)
	return c.status(fs.rmdir(c, name))
}

func (fs *FS) rmdir(c *call, name string) error {
	s, at, err := fs.split(c.hdr.NodeId)
	if err != nil {
		return err
	}
	if at.inConsumers() {
		if err := fs.checkSweep(c, s); err != nil {
			return err
		}
		return fs.rmdirConsumers(c, s, at, name)
	}
	if at.kind != 0 || name == mapping.DirName {
		return at.refuseChange()
	}
	s, err = fs.streams.named(c, name)
	if err != nil {
		return err
	}
	if err := fs.writable(s); err != nil {
		return err
	}
	fs.streams.rmdirs.add(s.Incarnation())
	if err := fs.st.Remove(c, name); err != nil {
		fs.streams.rmdirs.take(s.Incarnation())
		fs.streams.renew(c, s)
		if errors.Is(err, store.ErrNotEmpty) && s.Config().Sealed {
			return refuse(syscall.ENOTEMPTY, "stream %s is sealed, and its messages can't be removed: echo remove force > %s/.jsfs/ctl removes it with them, once it has no drafts", name, name)
		}
		return err
	}
	fs.streams.dropOnly(s)
	fs.changed.Store(fs.now().UnixNano())
	return nil
}

// Unlink removes a message, or a draft, or acknowledges a delivery.
func (fs *FS) Unlink(cancel <-chan struct{}, hdr *fuse.InHeader, name string) (st fuse.Status) {
	c := fs.call("unlink", hdr, cancel, name)
	defer c.recover(&st)
	return c.status(fs.unlink(c, name))
}

func (fs *FS) unlink(c *call, name string) error {
	if s, at, err := fs.split(c.hdr.NodeId); err == nil && at.inConsumers() {
		if err := fs.checkSweep(c, s); err != nil {
			return err
		}
		return fs.unlinkInConsumer(c, s, at, name)
	}
	s, n, err := fs.nameToChange(c, name)
	if err != nil {
		fs.noteSweep(c)
		return err
	}
	switch n.Kind {
	case mapping.NameSeq:
		if err := fs.checkSweep(c, s); err != nil {
			return err
		}
		if err := fs.changedMessage(c, c.hdr.NodeId, n); err != nil {
			return err
		}
		if err := fs.checkBack(c, s, n.Seq); err != nil {
			return err
		}
		return fs.unlinkMessage(c, s, n)
	case mapping.NameControl:
		return refuse(syscall.EPERM, "%s is a view of the stream: to remove messages, remove their files", name)
	}
	return fs.unlinkObject(c, s, n, name)
}

// nameToChange says what a name stands for that is to be made, removed or renamed in
// a stream's directory, and refuses where that can't be.
func (fs *FS) nameToChange(c *call, name string) (*stream, mapping.Name, error) {
	return fs.nameToChangeIn(c.hdr.NodeId, name)
}

func (fs *FS) nameToChangeIn(dir uint64, name string) (*stream, mapping.Name, error) {
	s, at, err := fs.splitWritable(dir)
	if err != nil {
		return nil, mapping.Name{}, err
	}
	switch at.kind {
	case 0:
		return nil, mapping.Name{}, refuse(syscall.EPERM, onlyStreams)
	case mapping.KindStream:
		n, err := fs.parseName(at, name)
		if err == nil {
			err = at.mayChange(n)
		}
		return s, n, err
	}
	return nil, mapping.Name{}, at.refuseChange()
}

// refuseChange refuses whatever would change what is in a .jsfs.
func (p place) refuseChange() error {
	if p.inDeleted() {
		return refuse(syscall.EPERM, onlyBack)
	}
	return refuse(syscall.EPERM, onlyViews)
}

// mayChange refuses what can't be made, removed or renamed in a message directory other than the stream's own.
func (p place) mayChange(n mapping.Name) error {
	if p.view == nil || n.Kind == mapping.NameSeq || n.Kind == mapping.NameControl {
		return nil
	}
	if _, ok := p.subject(); !ok {
		return refuse(syscall.EPERM, "a message is written to one subject: .jsfs/subjects/SUBJECT, or the stream's own directory; this directory shows a pattern or a range")
	}
	return nil
}

// changedMessage refuses a message that a message directory does not show, or that can't be made in it.
func (fs *FS) changedMessage(c *call, dir uint64, n mapping.Name) error {
	s, at, err := fs.split(dir)
	if err != nil || at.view == nil {
		return err
	}
	_, err = fs.shownMessage(c, s, at.filter(), n.Seq)
	return err
}

// unlinkMessage soft-deletes a message.
func (fs *FS) unlinkMessage(c *call, s *stream, n mapping.Name) error {
	if fs.unlinkPending(s, n.Seq) {
		return nil
	}
	// Of the name in the stream's own directory the kernel knows if it was removed there.
	if n.Listed && c.hdr.NodeId == s.node {
		s.unlinked.add(n.Seq)
	}
	s.used.Add(1)
	fs.names.used(s, n.Seq)
	live, err := s.Remove(c, n.Seq)
	if err == nil && !live {
		err = errAbsent
	}
	if err != nil {
		s.unlinked.take(n.Seq)
		return err
	}
	fs.removedNow(c, s)
	fs.noteUnlink(c, s, n.Seq)
	return nil
}

// removedNow notes the time of a removal that the caller made. Its event comes later, and must not change that again: tar looks at a
// directory's time before and after it reads it.
func (fs *FS) removedNow(c *call, s *stream) {
	st, err := s.State(c)
	s.changed.Store(fs.now().UnixNano())
	if err == nil {
		s.dated.Store(st.Rev)
	}
}

// Rename renames a draft, which may append it, or brings back what was removed.
func (fs *FS) Rename(cancel <-chan struct{}, in *fuse.RenameIn, oldName, newName string) (st fuse.Status) {
	c := fs.call("rename", &in.InHeader, cancel, oldName)
	defer c.recover(&st)
	return c.status(fs.rename(c, in, oldName, newName))
}

func (fs *FS) rename(c *call, in *fuse.RenameIn, oldName, newName string) error {
	if in.NodeId == mapping.Root && in.Newdir == mapping.Root {
		return refuse(syscall.EPERM, "streams can't be renamed")
	}
	if s, at, err := fs.split(in.NodeId); err == nil && at.inConsumers() {
		return fs.renameOpen(c, s, at, in, oldName, newName)
	} else if err == nil && at.inDeleted() {
		return fs.renameDeleted(c, s, at, in, oldName, newName)
	}
	from, old, err := fs.nameToChangeIn(in.NodeId, oldName)
	if err != nil {
		return err
	}
	to, target, err := fs.nameToChangeIn(in.Newdir, newName)
	if err != nil {
		return err
	}
	return fs.renameObject(c, renaming{from, to, old, target, oldName, newName, in.Newdir, in.Flags})
}

// Create makes a file and opens it.
func (fs *FS) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) (st fuse.Status) {
	c := fs.call("create", &in.InHeader, cancel, name)
	defer c.recover(&st)
	return c.status(fs.create(c, in, name, out))
}

func (fs *FS) create(c *call, in *fuse.CreateIn, name string, out *fuse.CreateOut) error {
	s, n, err := fs.nameToChange(c, name)
	if err != nil {
		return err
	}
	if n.Kind == mapping.NameControl {
		return refuse(syscall.EEXIST, "%s is a view of the stream", name)
	}
	id, obj, h, flags, err := fs.createObject(c, s, n, name, in)
	if err != nil {
		return err
	}
	if err := fs.objectEntry(c, id, obj, h, &out.EntryOut); err != nil {
		h.release(c) // it is a draft's: those of others can always be told about
		return err
	}
	out.Fh, out.OpenFlags = fs.handles.add(h), flags
	return nil
}

// Mknod makes a file.
func (fs *FS) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) (st fuse.Status) {
	c := fs.call("mknod", &in.InHeader, cancel, name)
	defer c.recover(&st)
	return c.status(fs.mknod(c, in, name, out))
}

func (fs *FS) mknod(c *call, in *fuse.MknodIn, name string, out *fuse.EntryOut) error {
	if in.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return refuse(syscall.EPERM, "only regular files can be made")
	}
	s, n, err := fs.nameToChange(c, name)
	if err != nil {
		return err
	}
	if n.Kind == mapping.NameControl {
		return refuse(syscall.EEXIST, "%s is a view of the stream", name)
	}
	id, obj, err := fs.mknodObject(c, s, n, name, in)
	if err != nil {
		return err
	}
	return fs.objectEntry(c, id, obj, nil, out)
}

// Link refuses hard links.
func (fs *FS) Link(cancel <-chan struct{}, in *fuse.LinkIn, name string, _ *fuse.EntryOut) (st fuse.Status) {
	c := fs.call("link", &in.InHeader, cancel, name)
	defer c.recover(&st)
	return c.status(refuse(syscall.EPERM, "there are no hard links"))
}

// Symlink refuses symbolic links.
func (fs *FS) Symlink(cancel <-chan struct{}, hdr *fuse.InHeader, _, name string, _ *fuse.EntryOut) (st fuse.Status) {
	c := fs.call("symlink", hdr, cancel, name)
	defer c.recover(&st)
	return c.status(refuse(syscall.EPERM, "symbolic links can't be made"))
}
