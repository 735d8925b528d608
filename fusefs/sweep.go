package fusefs

import (
	"sync"
	"syscall"
	"time"

	"jsfs/mapping"
)

// sweep remembers who is removing a whole .jsfs: after what is fixed was refused to it, rm -rf goes on to
// consumers, and to the messages that the views show.
type sweep struct {
	// mu guards what follows. It is a leaf.
	mu     sync.Mutex
	thread uint32 // that was refused something in .jsfs
	at     time.Time
}

// noteSweep remembers a process to which an unlink was refused, if that was in a .jsfs of a stream.
func (fs *FS) noteSweep(c *call) {
	if s, at, err := fs.split(c.hdr.NodeId); err == nil && s != nil && at.kind == mapping.KindControl {
		s.sweep.note(c.hdr.Pid, fs.now())
	}
}

func (w *sweep) note(thread uint32, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.thread, w.at = thread, now
}

// checkSweep refuses to remove a message in a view, or a consumer, to a process that was just refused what is fixed in .jsfs.
func (fs *FS) checkSweep(c *call, s *stream) error {
	if c.hdr.NodeId == s.node {
		return nil
	}
	s.sweep.mu.Lock()
	thread, since := s.sweep.thread, fs.now().Sub(s.sweep.at)
	s.sweep.mu.Unlock()
	if thread == 0 || since > hideFor || !fs.sameProcess(thread, c.hdr.Pid) {
		return nil
	}
	s.sweep.note(c.hdr.Pid, fs.now())
	return refuse(syscall.EPERM, "who removes %s removes no messages or consumers: name those that are to go", mapping.DirName)
}
