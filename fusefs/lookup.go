package fusefs

import (
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// Lookup finds a name in a directory. ENOENT is never cached.
func (fs *FS) Lookup(cancel <-chan struct{}, hdr *fuse.InHeader, name string, out *fuse.EntryOut) (st fuse.Status) {
	c := fs.call("lookup", hdr, cancel, name)
	defer c.recover(&st)
	return c.status(fs.lookup(c, name, out))
}

func (fs *FS) lookup(c *call, name string, out *fuse.EntryOut) error {
	s, at, err := fs.split(c.hdr.NodeId)
	if err != nil {
		return err
	}
	if len(name) > mapping.MaxName {
		return refuse(syscall.ENAMETOOLONG, "a name has at most %d bytes, this one has %d", mapping.MaxName, len(name))
	}
	switch at.kind {
	case 0:
		return fs.lookupStream(c, name, out)
	case mapping.KindStream:
		return fs.lookupIn(c, s, at, name, out)
	case mapping.KindControl:
		return fs.lookupControl(c, s, at, name, out)
	}
	return errNotDir
}

// lookupStream finds a name at the root.
func (fs *FS) lookupStream(c *call, name string, out *fuse.EntryOut) error {
	if name == mapping.DirName {
		return fs.controlEntry(c, nil, place{kind: mapping.KindControl, n: uint64(mapping.ControlRootDir)}, out)
	}
	if store.CheckName(name) != nil {
		return errAbsent
	}
	s, err := fs.streams.named(c, name)
	if errors.Is(err, store.ErrNotFound) {
		return errAbsent
	}
	if err != nil {
		return err
	}
	return fs.streamEntry(c, s, out)
}

// lookupIn finds a name in a message directory.
func (fs *FS) lookupIn(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	n, err := fs.parseName(at, name)
	if err != nil {
		return errAbsent // what a name must look like is said to whoever makes one
	}
	switch n.Kind {
	case mapping.NameSeq:
		return fs.lookupMessage(c, s, at, n, out)
	case mapping.NameControl:
		return fs.lookupShort(c, s, at, n.Control, out)
	}
	if _, ok := at.subject(); at.view != nil && !ok {
		return errAbsent
	}
	id, obj, err := fs.lookupObject(c, s, n, name)
	if err != nil {
		return err
	}
	return fs.objectEntry(c, id, obj, nil, out)
}

// lookupShort finds a control that has a name in a message directory.
func (fs *FS) lookupShort(c *call, s *stream, at place, control mapping.Control, out *fuse.EntryOut) error {
	n := uint64(control)
	if control.IsLink() {
		n |= shortLink
	}
	if at.view == nil {
		return fs.controlEntry(c, s, place{kind: mapping.KindControl, n: n}, out)
	}
	if _, ok := mapping.ControlDir.Child(control.String(), false); !ok && control != mapping.ControlDir {
		return errAbsent
	}
	name := control.Short()
	if control == mapping.ControlDir {
		name = mapping.DirName
	}
	p, err := at.below(s, n, name, at.filter(), "")
	if err != nil {
		return err
	}
	return fs.placeEntry(c, s, p, out)
}

// subject is what messages that are written to a view have as their subject, if they can be: the view must be that of all
// messages on one subject.
func (p place) subject() (string, bool) {
	if p.view == nil {
		return "", false
	}
	return p.view.filter.Literal()
}

// parseName says what a name in a message directory stands for.
func (fs *FS) parseName(at place, name string) (mapping.Name, error) {
	if subject, ok := at.subject(); ok {
		return mapping.ParseFile(name, fs.opt.SeqWidth, subject)
	}
	return mapping.ParseName(name, fs.opt.SeqWidth)
}

func (fs *FS) lookupMessage(c *call, s *stream, at place, n mapping.Name, out *fuse.EntryOut) error {
	s.lookups.Add(1)
	id, ok := s.message(n.Seq)
	if !ok {
		return errAbsent
	}
	if at.view != nil {
		m, err := fs.shownMessage(c, s, at.filter(), n.Seq)
		if err == nil {
			fs.messageEntry(out, id, m, fresh)
		}
		return err
	}
	held := s.restores.Holds(n.Seq)
	m, err := s.Stat(c, n.Seq)
	if errors.Is(err, store.ErrBeyond) {
		id, obj, err := fs.lookupPending(s, n.Seq)
		if err != nil {
			return err
		}
		return fs.objectEntry(c, id, obj, nil, out)
	}
	if errors.Is(err, store.ErrNotFound) {
		return errAbsent
	}
	if err != nil {
		return err
	}
	timeout := fresh
	if n.Listed && !held {
		timeout = keep
		fs.names.lookedUp(s, n.Seq)
	}
	fs.messageEntry(out, id, m, timeout)
	if held {
		out.SetAttrTimeout(fresh) // it may be given up, and another one restored in its place
	}
	return nil
}

// objectEntry answers for an object that was entered in the table for this answer.
// h is the handle that was opened with it, or nil.
func (fs *FS) objectEntry(c *call, id uint64, obj object, h handle, out *fuse.EntryOut) error {
	out.NodeId = id
	out.SetEntryTimeout(fresh)
	out.SetAttrTimeout(attrTimeout(obj))
	fs.fileAttr(&out.Attr, id, 0, fs.started.UnixNano())
	if err := obj.stat(c, h, &out.Attr); err != nil {
		fs.objects.forget(id, 1)
		*out = fuse.EntryOut{}
		return err
	}
	return nil
}

// Forget is how the kernel says that it does not know a node any more.
func (fs *FS) Forget(id, n uint64) {
	switch kind, _, _ := mapping.SplitNode(id); kind {
	case mapping.KindSubject, mapping.KindDraft:
		fs.objects.forget(id, n)
	case mapping.KindView:
		fs.views.forget(id, n)
	}
}
