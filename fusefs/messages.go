package fusefs

import (
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/logview"
	"jsfs/mapping"
	"jsfs/store"
)

// messages is what the files need that are made from the messages of a message directory: the logs, the
// follows and post. It costs nothing until one of them is used.
type messages struct {
	stream *stream
	filter mapping.Filter

	// mu guards logs. It is taken before the mutex of a log.
	mu   sync.Mutex
	logs [2]queryLog // by their Framing
}

// queryLog is the log of a query that a filter was.
type queryLog struct {
	*logview.Log
	q store.Query
}

// messages are those that a place is about.
func (p place) messages(s *stream) *messages {
	if p.view == nil {
		return s.messages
	}
	return p.view.messages
}

// log is the log in a framing. Where a moment begins in the sequences changes while messages are removed, so
// its log is another one then, unless somebody has it open.
func (m *messages) log(c *call, f logview.Framing) (*logview.Log, error) {
	q, err := c.fs.query(c, m.stream, m.filter)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &m.logs[f]
	if l.Log == nil || l.q.From != q.From && !l.InUse() {
		*l = queryLog{logview.New(m.stream, q, f), q}
	}
	return l.Log, nil
}

// openLog opens the log in a framing for reading.
func (m *messages) openLog(c *call, f logview.Framing) (*logview.Handle, error) {
	for {
		l, err := m.log(c, f)
		if err != nil {
			return nil, err
		}
		h, err := l.Open(c)
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		shown := m.logs[f].Log == l
		m.mu.Unlock()
		if shown {
			return h, nil
		}
		h.Close() // it was not in use yet when another one took its place, whose size everybody is told
	}
}

// subject is the subject of a line that is written to a log, "" if it must say it itself.
func (m *messages) subject() string {
	switch {
	case m.filter.Subject == "":
		return m.stream.Config().DefaultSubject()
	case store.CheckSubject(m.filter.Subject) != nil:
		return ""
	}
	return m.filter.Subject
}

// takes returns why nothing can be appended to the messages, nil if it can.
func (m *messages) takes() error {
	if m.filter.To > 0 {
		return refuse(syscall.EPERM, "a message that is appended is behind all that are there: it can't be in a range that ends")
	}
	return nil
}

// framingOf is the framing of a log or follow.
func framingOf(file mapping.Control) logview.Framing {
	if file == mapping.ControlLogJSON || file == mapping.ControlFollowJSON {
		return logview.JSONLines
	}
	return logview.Payloads
}

// messagesAttr fills in the attributes of a log, a follow or post.
func (fs *FS) messagesAttr(c *call, m *messages, file mapping.Control, id uint64, h handle, a *fuse.Attr) error {
	switch file {
	case mapping.ControlLog, mapping.ControlLogJSON:
		return fs.logAttr(c, m, framingOf(file), id, a)
	case mapping.ControlPost:
		fs.postAttr(id, h, a)
		return nil
	}
	fs.fileAttr(a, id, 0, fs.started.UnixNano())
	a.Mode &^= 0o222
	return nil
}

// openMessages opens a log, a follow or post.
func (fs *FS) openMessages(c *call, m *messages, file mapping.Control, in *fuse.OpenIn) (handle, uint32, error) {
	switch file {
	case mapping.ControlLog, mapping.ControlLogJSON:
		return fs.openLog(c, m, framingOf(file), in)
	case mapping.ControlPost:
		return fs.openPost(c, m, in)
	}
	if wantsWrite(in.Flags) {
		return nil, 0, refuse(syscall.EPERM, "it can only be read")
	}
	return fs.openFollow(c, m, framingOf(file))
}
