package fusefs

import (
	"errors"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// deletedDir has a file for each message that was removed and is kept, named by its sequence.
type deletedDir struct{}

func (deletedDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	n, err := mapping.ParseName(name, c.fs.opt.SeqWidth)
	if err != nil || n.Kind != mapping.NameSeq {
		return errAbsent
	}
	if _, ok := s.message(n.Seq); !ok {
		return errAbsent
	}
	if _, err := s.StatKept(c, n.Seq); errors.Is(err, store.ErrNotFound) {
		return errAbsent
	}
	p, err := deletedPlace(c, s, at, n.Seq)
	if err != nil {
		return err
	}
	return c.fs.placeEntry(c, s, p, out)
}

// list ends at the message that was the stream's last one when the listing began.
func (deletedDir) list(c *call, s *stream, at place, h *namesHandle, off uint64, l *listing) error {
	from, last := store.Seq(off-cookieParent)+1, store.Seq(h.last.Load())
	if from > last {
		return nil
	}
	for m, err := range s.ScanKept(c, from, last) {
		if err != nil {
			return err
		}
		if _, ok := s.message(m.Seq); !ok {
			return nil // it can't be shown, live or not
		}
		p, err := deletedPlace(c, s, at, m.Seq)
		if err != nil || !l.place(s, p, p.view.name(), syscall.S_IFREG, uint64(m.Seq)+cookieParent) {
			return err
		}
	}
	return nil
}

// deletedPlace is the place of a message in a deletedDir. Its inode is another one than that of the live message.
func deletedPlace(c *call, s *stream, at place, seq store.Seq) (place, error) {
	return at.below(s, uint64(mapping.ControlDeletedMessage), mapping.FormatSeq(seq, c.fs.opt.SeqWidth), mapping.Filter{}, strconv.FormatUint(uint64(seq), 10))
}

// deletedSeq is the sequence of the message at a place in a deletedDir.
func (p place) deletedSeq() store.Seq { return p.msgSeq() }

// deletedAttr fills in the attributes of a removed message, for who has it open also when it was brought back.
func (fs *FS) deletedAttr(c *call, s *stream, p place, a *fuse.Attr) error {
	m, err := s.StatKept(c, p.deletedSeq())
	back := errors.Is(err, store.ErrNotFound)
	if back {
		m, err = s.Stat(c, p.deletedSeq())
	}
	if err != nil {
		return gone(err)
	}
	fs.fileAttr(a, p.node(s), m.Size, m.Time)
	if back {
		a.Nlink = 0
	}
	return nil
}

// openDeleted opens a removed message for reading.
func (fs *FS) openDeleted(c *call, s *stream, p place) (handle, uint32, error) {
	m, err := s.StatKept(c, p.deletedSeq())
	if err != nil {
		return nil, 0, gone(err)
	}
	h, err := fs.openPayload(c, s, m, p.node(s), true)
	if err != nil {
		return nil, 0, err
	}
	return h, fuse.FOPEN_DIRECT_IO, nil
}

// inDeleted says whether the place is a directory of what was removed, or below it.
func (p place) inDeleted() bool {
	if p.kind != mapping.KindControl {
		return false
	}
	switch p.control() {
	case mapping.ControlDeleted, mapping.ControlDeletedMessage, mapping.ControlRemoved, mapping.ControlRemovedStream:
		return true
	}
	return false
}

// renameDeleted brings back what is moved out of a directory of what was removed.
func (fs *FS) renameDeleted(c *call, s *stream, at place, in *fuse.RenameIn, oldName, newName string) error {
	if err := fs.writable(s); err != nil {
		return err
	}
	if in.Flags&^renameNoReplace != 0 {
		return refuse(syscall.EINVAL, "files can't be exchanged")
	}
	to, target, err := fs.split(in.Newdir)
	if err != nil {
		return err
	}
	switch at.control() {
	case mapping.ControlDeleted:
		return fs.undelete(c, s, oldName, to, target, newName)
	case mapping.ControlRemoved:
		return fs.revive(c, oldName, in.Newdir == mapping.Root, newName)
	}
	return at.refuseChange()
}

// undelete brings a removed message back, whose file is moved to newName in the directory target of the stream to.
func (fs *FS) undelete(c *call, s *stream, oldName string, to *stream, target place, newName string) error {
	old, err := mapping.ParseName(oldName, fs.opt.SeqWidth)
	if err != nil || old.Kind != mapping.NameSeq {
		return errAbsent
	}
	n, err := mapping.ParseName(newName, fs.opt.SeqWidth)
	if to != s || target.kind != mapping.KindStream || target.view != nil || err != nil || n.Kind != mapping.NameSeq || n.Seq != old.Seq {
		return refuse(syscall.EPERM, "a removed message comes back in the directory of its stream %s, under its own number %d, and nowhere else", s.name, old.Seq)
	}
	if err := s.Undelete(c, old.Seq); errors.Is(err, store.ErrNotFound) {
		return errAbsent
	} else if err != nil {
		return err
	}
	s.changed.Store(fs.now().UnixNano())
	return nil
}
