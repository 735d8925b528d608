package fusefs

import (
	"bytes"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// msgDir is the directory of a message: what there is to know of it, a file each.
type msgDir struct{}

// payloadName is the name of the payload in a message's directory: another name of the message itself.
const payloadName = "data"

// msgSeq is the sequence of the message to which a place in a message's directory belongs.
func (p place) msgSeq() store.Seq {
	n, _ := strconv.ParseUint(p.view.arg, 10, 64) // it was written by FormatSeq
	return store.Seq(n)
}

func (msgDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	if name == payloadName {
		m, err := s.Stat(c, at.msgSeq())
		if err != nil {
			return err
		}
		id, ok := s.message(m.Seq)
		if !ok {
			return errAbsent
		}
		c.fs.messageEntry(out, id, m, fresh)
		return nil
	}
	child, ok := mapping.ControlMsg.Child(name, false)
	if !ok {
		return errAbsent
	}
	p, err := at.inMessage(s, child)
	if err != nil {
		return err
	}
	return c.fs.placeEntry(c, s, p, out)
}

// inMessage is the place of a file in a message's directory. It is the same file whatever view the
// directory belongs to.
func (p place) inMessage(s *stream, child mapping.Control) (place, error) {
	return p.below(s, uint64(child), child.String(), mapping.Filter{}, p.view.arg)
}

func (msgDir) list(c *call, s *stream, at place, _ *namesHandle, off uint64, l *listing) error {
	if _, err := s.Stat(c, at.msgSeq()); err != nil {
		return gone(err)
	}
	cookie := uint64(cookieParent + 1)
	if id, ok := s.message(at.msgSeq()); ok && off < cookie {
		if _, ok := l.add(payloadName, id, syscall.S_IFREG, cookie); !ok {
			return nil
		}
	}
	for _, child := range mapping.ControlMsg.Children(false) {
		if cookie++; cookie <= off {
			continue
		}
		p, err := at.inMessage(s, child)
		if err != nil {
			return err
		}
		if !l.place(s, p, child.String(), syscall.S_IFREG, cookie) {
			break
		}
	}
	return nil
}

// partSize is the size of a file in a message's directory that can be told without the payload, and the
// message's time.
func (fs *FS) partSize(c *call, s *stream, p place) (size, mtime int64, err error) {
	m, err := s.Stat(c, p.msgSeq())
	if err != nil {
		return 0, 0, gone(err)
	}
	switch p.control() {
	case mapping.ControlJSON:
		return m.JSON, m.Time, nil
	case mapping.ControlTime:
		return int64(len(mapping.MessagePart(mapping.ControlTime, store.Msg{Meta: m}))), m.Time, nil
	}
	subject, err := s.SubjectOf(c, m.Seq)
	return int64(len(mapping.MessagePart(p.control(), store.Msg{Subject: subject}))), m.Time, err
}

// messagePart is the content of a file in a message's directory, and the message's time.
func (fs *FS) messagePart(c *call, s *stream, p place) ([]byte, int64, error) {
	scratch := getScratch(0)
	defer putScratch(scratch)
	m, err := s.Load(c, p.msgSeq(), *scratch)
	if err != nil {
		return nil, 0, gone(err)
	}
	return bytes.Clone(mapping.MessagePart(p.control(), m)), m.Time, nil
}
