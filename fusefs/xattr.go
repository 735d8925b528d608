package fusefs

import (
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// GetXAttr reads an extended attribute. Whatever is not user.jsfs.* is not
// supported, and that is answered first: ls asks for two of them for each file,
// until it is told so.
func (fs *FS) GetXAttr(cancel <-chan struct{}, hdr *fuse.InHeader, name string, dest []byte) (n uint32, st fuse.Status) {
	if !strings.HasPrefix(name, mapping.XattrPrefix) {
		return 0, fuse.Status(syscall.EOPNOTSUPP)
	}
	c := fs.call("getxattr", hdr, cancel, name)
	defer c.recover(&st)
	value, err := fs.xattr(c, name)
	if err != nil {
		c.name = ""
		return 0, c.status(err)
	}
	return fit(dest, value)
}

func (fs *FS) xattr(c *call, name string) ([]byte, error) {
	s, at, err := fs.split(c.hdr.NodeId)
	if err != nil {
		return nil, err
	}
	var value []byte
	var ok bool
	switch at.kind {
	case mapping.KindControl:
		if at.control() == mapping.ControlDeletedMessage {
			m, err := s.LoadKept(c, at.deletedSeq(), nil)
			if err != nil {
				return nil, gone(err)
			}
			value, ok = mapping.Xattr(m, name)
		}
	case mapping.KindStream:
		if at.view != nil {
			break // the configuration is that of the stream's own directory
		}
		value, ok = mapping.StreamXattr(s.Config(), name)
	case mapping.KindMessage:
		m, err := s.Load(c, store.Seq(at.n), nil)
		if err != nil {
			return nil, gone(err)
		}
		value, ok = mapping.Xattr(m, name)
	case mapping.KindSubject, mapping.KindDraft:
		obj := fs.objects.get(c.hdr.NodeId)
		if obj == nil {
			return nil, errStale
		}
		return obj.xattr(c, name)
	}
	if !ok {
		return nil, errNoAttr
	}
	return value, nil
}

// ListXAttr names the extended attributes.
func (fs *FS) ListXAttr(cancel <-chan struct{}, hdr *fuse.InHeader, dest []byte) (n uint32, st fuse.Status) {
	c := fs.call("listxattr", hdr, cancel, "")
	defer c.recover(&st)
	names, err := fs.xattrs(c)
	if err != nil {
		return 0, c.status(err)
	}
	var list []byte
	for _, name := range names {
		list = append(append(list, name...), 0)
	}
	return fit(dest, list)
}

func (fs *FS) xattrs(c *call) ([]string, error) {
	s, at, err := fs.split(c.hdr.NodeId)
	if err != nil {
		return nil, err
	}
	switch at.kind {
	case mapping.KindControl:
		if at.control() == mapping.ControlDeletedMessage {
			m, err := s.LoadKept(c, at.deletedSeq(), nil)
			if err != nil {
				return nil, gone(err)
			}
			return mapping.XattrNames(m), nil
		}
	case mapping.KindStream:
		if at.view == nil {
			return mapping.StreamXattrNames(), nil
		}
	case mapping.KindMessage:
		m, err := s.Load(c, store.Seq(at.n), nil)
		if err != nil {
			return nil, gone(err)
		}
		return mapping.XattrNames(m), nil
	case mapping.KindSubject, mapping.KindDraft:
		obj := fs.objects.get(c.hdr.NodeId)
		if obj == nil {
			return nil, errStale
		}
		return obj.xattrs(c)
	}
	return nil, nil
}

// fit copies an answer of getxattr or listxattr into dest, ERANGE if it is too small.
func fit(dest, value []byte) (uint32, fuse.Status) {
	if len(dest) < len(value) {
		return uint32(len(value)), fuse.ERANGE
	}
	return uint32(copy(dest, value)), fuse.OK
}

// SetXAttr sets an extended attribute, which only what is no message yet can have set.
func (fs *FS) SetXAttr(cancel <-chan struct{}, in *fuse.SetXAttrIn, name string, value []byte) (st fuse.Status) {
	if !strings.HasPrefix(name, mapping.XattrPrefix) {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	c := fs.call("setxattr", &in.InHeader, cancel, "")
	defer c.recover(&st)
	if kind, _, _ := mapping.SplitNode(in.NodeId); kind == mapping.KindStream {
		return c.status(fs.setStreamXattr(c, name, value))
	}
	obj, err := fs.attributed(c)
	if err == nil {
		err = obj.setXattr(c, name, value, in.Flags)
	}
	return c.status(err)
}

// RemoveXAttr takes an extended attribute away.
func (fs *FS) RemoveXAttr(cancel <-chan struct{}, hdr *fuse.InHeader, name string) (st fuse.Status) {
	if !strings.HasPrefix(name, mapping.XattrPrefix) {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	c := fs.call("removexattr", hdr, cancel, "")
	defer c.recover(&st)
	obj, err := fs.attributed(c)
	if err == nil {
		err = obj.removeXattr(c, name)
	}
	return c.status(err)
}

// attributed returns the object whose attributes are to be changed.
func (fs *FS) attributed(c *call) (object, error) {
	s, at, err := fs.split(c.hdr.NodeId)
	if err != nil {
		return nil, err
	}
	if err := fs.writable(s); err != nil {
		return nil, err
	}
	if at.kind != mapping.KindSubject && at.kind != mapping.KindDraft {
		return nil, refuse(syscall.EPERM, "its attributes never change")
	}
	obj := fs.objects.get(c.hdr.NodeId)
	if obj == nil {
		return nil, errStale
	}
	return obj, nil
}
