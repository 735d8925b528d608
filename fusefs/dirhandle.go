package fusefs

import (
	"sync/atomic"
	"syscall"
)

// beginner is a directory's handle that wants to know when a listing begins: whenever the directory is read
// from its beginning, and when it is first read from anywhere else.
type beginner interface {
	begin(c *call, s *stream) error
	hasBegun() bool
}

// begun is what the handles of directories know about their listings.
type begun struct {
	last  atomic.Uint64 // the stream's last sequence when the listing began
	known atomic.Bool
}

func (b *begun) hasBegun() bool { return b.known.Load() }

// begin notes that a listing begins. s is nil for a directory that is no stream's.
func (b *begun) begin(c *call, s *stream) error {
	if s != nil {
		st, err := s.State(c)
		if err != nil {
			return err
		}
		b.last.Store(uint64(st.Last))
	}
	b.known.Store(true)
	return nil
}

// dirHandle is an open message directory. A listing ends at the message that was the
// last one when it began, or it would never end while somebody writes.
type dirHandle struct {
	readHandle
	begun

	// given is how many messages were listed with their attributes since somebody looked one up or used
	// one, uses is how many of the stream were then, and most how many get them so.
	given, uses, most atomic.Uint64
}

const (
	// maxGiven is how many messages get their attributes in a listing although nobody looks any up or uses any:
	// the kernel may forget as much as that before somebody uses it, and who lists millions of names
	// and nothing else must not fill its memory with their inodes.
	maxGiven = 128 << 10
	// fewGiven is how many get them before anybody did, where names are read ahead for who looks them up after the listing: attributes
	// are most of what a name costs in a listing.
	fewGiven = 4 << 10
)

// newDirHandle returns an open directory of s.
func (fs *FS) newDirHandle(s *stream) *dirHandle {
	h := &dirHandle{}
	h.uses.Store(s.uses())
	h.most.Store(maxGiven)
	if fs.names.reader.Load() != nil {
		h.most.Store(fewGiven)
	}
	return h
}

// uses counts the messages that were looked up, and those that were opened, read or removed.
func (s *stream) uses() uint64 { return s.lookups.Load() + s.used.Load() }

// wantsAttributes says whether the next message is to be listed with its attributes, and counts it if not, unless it is read ahead for who
// looks it up.
func (h *dirHandle) wantsAttributes(s *stream) bool {
	if n := s.uses(); n != h.uses.Load() {
		h.uses.Store(n)
		h.given.Store(0)
		h.most.Store(maxGiven)
	}
	most := h.most.Load()
	if h.given.Add(1) <= most {
		return true
	}
	if most == maxGiven {
		s.bare.Add(1)
	}
	return false
}

func (*dirHandle) read(*call, []byte, int64) (int, error) {
	return 0, refuse(syscall.EISDIR, "it is a directory")
}
