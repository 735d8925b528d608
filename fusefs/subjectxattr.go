package fusefs

import (
	"errors"

	"jsfs/mapping"
	"jsfs/store"
)

func (n *subjectNode) xattr(c *call, name string) ([]byte, error) {
	m, err := n.loadShown(c)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoAttr
	}
	if err != nil {
		return nil, err
	}
	if value, ok := mapping.Xattr(m, name); ok {
		return value, nil
	}
	return nil, errNoAttr
}

func (n *subjectNode) xattrs(c *call) ([]string, error) {
	m, err := n.loadShown(c)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return mapping.XattrNames(m), nil
}

// setXattr sets an attribute of the message that the caller's process is writing: its headers.
func (n *subjectNode) setXattr(c *call, name string, value []byte, flags uint32) error {
	w := n.openBy(c.hdr.Pid)
	if w == nil || !mapping.CanBeSet(name) {
		return errNoXattr
	}
	return w.meta.setXattr(name, value, flags)
}

func (n *subjectNode) removeXattr(c *call, name string) error {
	w := n.openBy(c.hdr.Pid)
	if w == nil {
		return errNoXattr
	}
	return w.meta.removeXattr(name)
}
