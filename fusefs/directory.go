package fusefs

import (
	"errors"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
)

// directory is a control directory whose names are not fixed. Its stream is nil at the root.
type directory interface {
	// lookup answers for a name in the directory.
	lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error
	// list lists what is behind an offset of cookieParent or more.
	list(c *call, s *stream, at place, h *namesHandle, off uint64, l *listing) error
}

// directoryOf returns what stands behind a control directory, nil if its names are fixed.
func directoryOf(c mapping.Control) directory {
	switch c {
	case mapping.ControlSubjects:
		return subjectsDir{}
	case mapping.ControlNewest:
		return newestDir{}
	case mapping.ControlSince:
		return sinceDir{}
	case mapping.ControlRange:
		return rangeDir{}
	case mapping.ControlMsgs:
		return msgsDir{}
	case mapping.ControlMsg:
		return msgDir{}
	case mapping.ControlConsumers:
		return consumersDir{}
	case mapping.ControlOpen:
		return openDir{}
	case mapping.ControlNak, mapping.ControlTerm:
		return takingDir{}
	case mapping.ControlDeleted:
		return deletedDir{}
	case mapping.ControlRemoved:
		return removedDir{}
	}
	return nil
}

// unlisted is a directory of names that are too many to be listed.
type unlisted struct{}

func (unlisted) list(*call, *stream, place, *namesHandle, uint64, *listing) error { return nil }

// lookupControl finds a name in a control directory.
func (fs *FS) lookupControl(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	if d := directoryOf(at.control()); d != nil {
		return d.lookup(c, s, at, name, out)
	}
	child, ok := at.control().Child(name, at.view == nil)
	if !ok {
		if !at.control().IsDir() {
			return errNotDir
		}
		return errAbsent
	}
	p, err := at.controlBelow(s, child)
	if err != nil {
		return err
	}
	return fs.placeEntry(c, s, p, out)
}

// placeEntry answers for a control, or for a message directory that is a view. It enters the view in the
// table. What a message directory shows never changes but by its messages, so that its name may be kept; the
// names of the controls made from it are asked for at each use, and so is one that ends in a hash: it leads nowhere once its subject has no message.
func (fs *FS) placeEntry(c *call, s *stream, p place, out *fuse.EntryOut) error {
	if p.view == nil {
		return fs.controlEntry(c, s, p, out)
	}
	p.view = fs.views.enter(p.view)
	fs.prune.look(&fs.views)
	out.NodeId = p.view.id
	out.SetEntryTimeout(fresh)
	if p.kind == mapping.KindStream && !mapping.IsHashed(p.view.name()) {
		out.SetEntryTimeout(keep)
	}
	err := fs.placeAttr(c, s, p, nil, out)
	if err != nil {
		fs.views.forget(p.view.id, 1)
		*out = fuse.EntryOut{}
	}
	if errors.Is(err, errStale) {
		err = errAbsent // it was not there, rather than known and gone
	}
	return err
}

// placeAttr fills in the attributes of a view.
func (fs *FS) placeAttr(c *call, s *stream, p place, h handle, out *fuse.EntryOut) error {
	if p.kind == mapping.KindControl {
		return fs.controlAttr(c, s, p, h, &out.Attr, out.SetAttrTimeout)
	}
	out.SetAttrTimeout(fresh)
	mtime, err := fs.streamTime(c, s)
	if err == nil {
		fs.dirAttr(&out.Attr, p.view.id, mtime)
	}
	return err
}

// place adds a place to a listing, and says whether it fitted. What has a view is left to LOOKUP.
func (l *listing) place(s *stream, p place, name string, mode uint32, cookie uint64) bool {
	_, ok := l.add(name, p.node(s), mode, cookie)
	return ok
}

func refuseDepth() error {
	return refuse(syscall.ENAMETOOLONG, "a path of views has at most %d bytes", maxViewPath)
}
