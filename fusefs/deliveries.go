package fusefs

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// openDir has a file for each message whose delivery is open, named by its sequence.
type openDir struct{}

func (openDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	seq, err := c.fs.parseOpen(name)
	if err != nil {
		return errAbsent
	}
	p, err := openPlace(s, at, seq, mapping.FormatSeq(seq, c.fs.opt.SeqWidth))
	if err != nil {
		return err
	}
	return c.fs.placeEntry(c, s, p, out)
}

func (openDir) list(c *call, s *stream, at place, _ *namesHandle, off uint64, l *listing) error {
	consumer, err := at.consumer(c, s)
	if err != nil {
		return err
	}
	open, err := consumer.Pending(c)
	if err != nil {
		return err
	}
	for _, d := range open {
		cookie := uint64(d.Seq) + cookieParent
		if cookie <= off || cookie < cookieParent {
			continue
		}
		name := mapping.FormatSeq(d.Seq, c.fs.opt.SeqWidth)
		p, err := openPlace(s, at, d.Seq, name)
		if err != nil || !l.place(s, p, name, syscall.S_IFREG, cookie) {
			return err
		}
	}
	return nil
}

// takingDir is a directory into which files of an openDir are moved. It shows none of them.
type takingDir struct{ unlisted }

func (takingDir) lookup(*call, *stream, place, string, *fuse.EntryOut) error { return errAbsent }

// parseOpen returns the sequence that a name in an openDir is.
func (fs *FS) parseOpen(name string) (store.Seq, error) {
	n, err := mapping.ParseName(name, fs.opt.SeqWidth)
	if err != nil || n.Kind != mapping.NameSeq {
		return 0, refuse(syscall.EINVAL, "%s is no message's number", name)
	}
	return n.Seq, nil
}

// openPlace is the place of a message in an openDir.
func openPlace(s *stream, at place, seq store.Seq, name string) (place, error) {
	return at.below(s, uint64(mapping.ControlOpenMessage), name, mapping.Filter{}, at.view.arg+"/"+strconv.FormatUint(uint64(seq), 10))
}

// openSeq is the sequence of the message at a place in an openDir.
func (p place) openSeq() store.Seq {
	n, _ := strconv.ParseUint(p.view.arg[strings.LastIndexByte(p.view.arg, '/')+1:], 10, 64) // openPlace wrote it
	return store.Seq(n)
}

// openMeta returns what is known of the message at a place in an openDir; errStale if its delivery is not open any more.
func (fs *FS) openMeta(c *call, s *stream, p place, consumer store.Consumer) (store.Meta, error) {
	if _, err := consumer.PendingOf(c, p.openSeq()); err != nil {
		return store.Meta{}, gone(err)
	}
	m, err := s.Stat(c, p.openSeq())
	return m, gone(err)
}

// openOpen opens a message whose delivery is open. Opening it for writing is allowed to touch(1), and writing refused.
func (fs *FS) openOpen(c *call, s *stream, p place, consumer store.Consumer, in *fuse.OpenIn) (handle, uint32, error) {
	if in.Flags&syscall.O_TRUNC != 0 {
		return nil, 0, errNoWrite
	}
	m, err := fs.openMeta(c, s, p, consumer)
	if err != nil {
		return nil, 0, err
	}
	h, err := fs.openPayload(c, s, m, p.node(s), false)
	if err != nil {
		return nil, 0, err
	}
	return &openHandle{h}, fuse.FOPEN_DIRECT_IO, nil
}

var errNoWrite = refuse(syscall.EPERM, "messages never change: rm acknowledges this delivery, touch extends it")

// openHandle is an open file of an openDir.
type openHandle struct{ *messageHandle }

func (*openHandle) write(*call, []byte, int64, bool) (int, error) { return 0, errNoWrite }

// extendOpen is utimens on a message whose delivery is open: it lets the time begin anew in which it must be acknowledged.
func (fs *FS) extendOpen(c *call, s *stream, p place, in *fuse.SetAttrIn) error {
	if _, ok := in.GetSize(); ok {
		return errNoWrite
	}
	if _, ok := in.GetMTime(); !ok {
		return nil // chmod and chown are accepted, and change nothing
	}
	consumer, err := p.consumer(c, s)
	if err == nil {
		err = consumer.InProgress(c, p.openSeq())
	}
	return gone(err)
}

// changeOpen does something with an open delivery, whose file has that name in an openDir.
func (fs *FS) changeOpen(c *call, s *stream, at place, name string, do func(store.Consumer, store.Seq) error) error {
	seq, err := fs.parseOpen(name)
	if err != nil {
		return err
	}
	consumer, err := at.consumer(c, s)
	if err != nil {
		return err
	}
	if _, err := consumer.PendingOf(c, seq); errors.Is(err, store.ErrNotFound) {
		return errAbsent
	} else if err != nil {
		return err
	}
	if err := do(consumer, seq); errors.Is(err, store.ErrNotFound) {
		return errAbsent // somebody else was faster
	} else if err != nil {
		return err
	}
	return nil
}

// renameOpen gives a delivery back, or ends it, whose file is moved to nak or term.
func (fs *FS) renameOpen(c *call, s *stream, at place, in *fuse.RenameIn, oldName, newName string) error {
	if err := fs.writable(s); err != nil {
		return err
	}
	to, target, err := fs.split(in.Newdir)
	if err != nil {
		return err
	}
	if at.control() != mapping.ControlOpen || to != s || !target.inConsumers() || target.view == nil || target.view.arg != at.view.arg {
		return refuse(syscall.EPERM, "only a file in pending can be moved, and only to nak or term of the same consumer")
	}
	if seq, err := fs.parseOpen(newName); err != nil {
		return err
	} else if old, err := fs.parseOpen(oldName); err != nil || old != seq {
		return refuse(syscall.EINVAL, "a message's name is its number")
	}
	switch target.control() {
	case mapping.ControlNak:
		return fs.changeOpen(c, s, at, oldName, func(consumer store.Consumer, seq store.Seq) error { return consumer.Nak(c, seq, 0) })
	case mapping.ControlTerm:
		return fs.changeOpen(c, s, at, oldName, func(consumer store.Consumer, seq store.Seq) error { return consumer.Term(c, seq) })
	}
	return refuse(syscall.EPERM, "a delivery that is open is in pending, and nowhere else")
}
