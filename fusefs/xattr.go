package fusefs

import (
	"errors"
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
	of, err := fs.attributes(c)
	var value []byte
	if err == nil {
		value, err = of.xattr(c, name)
	}
	if err != nil {
		c.name = ""
		return 0, c.status(err)
	}
	return fit(dest, value)
}

// attributes are the extended attributes of a node.
type attributes interface {
	// xattr returns one; errNoAttr if there is none of that name.
	xattr(c *call, name string) ([]byte, error)
	// xattrs returns the names of all.
	xattrs(c *call) ([]string, error)
}

// attributes finds those of the node that a call is about.
func (fs *FS) attributes(c *call) (attributes, error) {
	if kind, _, _ := mapping.SplitNode(c.hdr.NodeId); kind == mapping.KindMessage {
		m, err := fs.loadHead(c)
		return messageAttributes{m}, err
	}
	s, at, err := fs.split(c.hdr.NodeId)
	if err != nil {
		return nil, err
	}
	switch at.kind {
	case mapping.KindControl:
		if at.control() == mapping.ControlDeletedMessage {
			m, err := s.LoadKept(c, at.deletedSeq(), nil)
			if errors.Is(err, store.ErrNotFound) { // for who has it open
				m, err = s.Load(c, at.deletedSeq(), nil)
			}
			return messageAttributes{m}, gone(err)
		}
	case mapping.KindStream:
		if at.view == nil { // the configuration is that of the stream's own directory
			return streamAttributes{s}, nil
		}
	case mapping.KindSubject, mapping.KindDraft:
		obj := fs.objects.get(c.hdr.NodeId)
		if obj == nil {
			return nil, errStale
		}
		return obj, nil
	}
	return noAttributes{}, nil
}

type messageAttributes struct{ store.Msg }

func (m messageAttributes) xattr(_ *call, name string) ([]byte, error) {
	return attribute(mapping.Xattr(m.Msg, name))
}

func (m messageAttributes) xattrs(*call) ([]string, error) { return mapping.XattrNames(m.Msg), nil }

type streamAttributes struct{ *stream }

func (s streamAttributes) xattr(_ *call, name string) ([]byte, error) {
	return attribute(mapping.StreamXattr(s.Config(), name))
}

func (streamAttributes) xattrs(*call) ([]string, error) { return mapping.StreamXattrNames(), nil }

type noAttributes struct{}

func (noAttributes) xattr(*call, string) ([]byte, error) { return nil, errNoAttr }

func (noAttributes) xattrs(*call) ([]string, error) { return nil, nil }

func attribute(value []byte, ok bool) ([]byte, error) {
	if !ok {
		return nil, errNoAttr
	}
	return value, nil
}

// ListXAttr names the extended attributes.
func (fs *FS) ListXAttr(cancel <-chan struct{}, hdr *fuse.InHeader, dest []byte) (n uint32, st fuse.Status) {
	c := fs.call("listxattr", hdr, cancel, "")
	defer c.recover(&st)
	of, err := fs.attributes(c)
	var names []string
	if err == nil {
		names, err = of.xattrs(c)
	}
	if err != nil {
		return 0, c.status(err)
	}
	var list []byte
	for _, name := range names {
		list = append(append(list, name...), 0)
	}
	return fit(dest, list)
}

// fit copies an answer of getxattr or listxattr into dest, ERANGE if it is too small.
func fit(dest, value []byte) (uint32, fuse.Status) {
	if len(dest) < len(value) {
		return uint32(len(value)), fuse.ERANGE
	}
	return uint32(copy(dest, value)), fuse.OK
}

// SetXAttr sets an extended attribute, which what is no message yet can have set, and a stream that is a copy.
func (fs *FS) SetXAttr(cancel <-chan struct{}, in *fuse.SetXAttrIn, name string, value []byte) (st fuse.Status) {
	if !strings.HasPrefix(name, mapping.XattrPrefix) {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	c := fs.call("setxattr", &in.InHeader, cancel, "")
	defer c.recover(&st)
	if kind, _, _ := mapping.SplitNode(in.NodeId); kind == mapping.KindStream {
		return c.status(fs.setStreamXattr(c, name, value, in.Flags))
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
	if kind, _, _ := mapping.SplitNode(hdr.NodeId); kind == mapping.KindStream {
		return c.status(fs.removeStreamXattr(c, name))
	}
	obj, err := fs.attributed(c)
	if err == nil {
		err = obj.removeXattr(c, name)
	}
	return c.status(err)
}

// attributed returns the object whose attributes are to be changed.
func (fs *FS) attributed(c *call) (object, error) {
	_, at, err := fs.splitWritable(c.hdr.NodeId)
	if err != nil {
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
