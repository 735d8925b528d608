package fusefs

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// messageHandle is an open file with what a message has: its payload, or a part of what there is to know of it. It has that to the
// end, whatever becomes of the message, unless that is erased: what is small it holds, what is large is loaded as long as there is
// anything to load (see loadOpen).
type messageHandle struct {
	readHandle
	stream *stream
	seq    store.Seq
	part   mapping.Control // 0 is the payload
	// What the file is, for who asks for its attributes when it is gone.
	node        uint64
	size, mtime int64
	readOnly    bool // its mode says so

	content atomic.Pointer[[]byte] // nil if it is larger than maxStateless, or was erased
	key     uint64                 // in payloads, of what is larger
	erased  atomic.Bool
}

// opened makes h, of which all is set but content and key, an open file. The bytes of content are the handle's; they may be missing
// if the file has more than maxStateless. erasures is what openFiles.erasures was before they were loaded.
func (fs *FS) opened(c *call, h *messageHandle, content []byte, erasures uint64) *messageHandle {
	if h.size <= maxStateless {
		h.content.Store(&content)
	} else {
		h.key = h.node
		if id, ok := h.stream.message(h.seq); ok && h.part == 0 {
			h.key = id // whatever name it has
		}
		fs.big.open(h.key)
	}
	fs.shown.add(h)
	if fs.shown.erasures.Load() != erasures { // maybe of this message, and who erased it did not see h
		if _, err := fs.loadOpen(c, h.stream, h.seq, nil); errors.Is(err, errStale) {
			fs.erase(h)
		}
	}
	return h
}

// openPayload opens the file node, which has the payload of a message. readOnly is what its mode says.
func (fs *FS) openPayload(c *call, s *stream, m store.Meta, node uint64, readOnly bool) (*messageHandle, error) {
	var data []byte
	erasures := fs.shown.erasures.Load()
	if m.Size <= maxStateless {
		loaded, err := fs.loadOpen(c, s, m.Seq, nil)
		if err != nil {
			return nil, err
		}
		data = loaded.Data
	}
	return fs.opened(c, &messageHandle{stream: s, seq: m.Seq, node: node, size: m.Size, mtime: m.Time, readOnly: readOnly}, data, erasures), nil
}

func (h *messageHandle) write(*call, []byte, int64, bool) (int, error) {
	return 0, refuse(syscall.EPERM, "messages never change")
}

func (h *messageHandle) read(c *call, p []byte, off int64) (int, error) {
	content := h.content.Load() // before erased, which is set before it is taken
	if h.erased.Load() {
		return 0, errStale
	}
	if content != nil {
		if off >= int64(len(*content)) {
			return 0, nil
		}
		return copy(p, (*content)[off:]), nil
	}
	return c.fs.big.read(c, h.key, h.size, func() ([]byte, error) {
		m, err := c.fs.loadOpen(c, h.stream, h.seq, nil)
		if err != nil || h.part == 0 {
			return m.Data, err
		}
		return mapping.MessagePart(h.part, m), nil
	}, p, off)
}

func (h *messageHandle) fsync(c *call) error {
	if err := h.stream.Sync(c); !errors.Is(err, store.ErrClosed) {
		return err
	}
	return nil // a stream that was removed has nothing to be synced
}

func (h *messageHandle) release(c *call) {
	c.fs.shown.remove(h)
	if h.key != 0 {
		c.fs.big.close(h.key)
	}
}

// attr fills in the attributes of a file that nobody finds any more.
func (h *messageHandle) attr(fs *FS, a *fuse.Attr) {
	fs.fileAttr(a, h.node, h.size, h.mtime)
	if v := fs.views.get(h.node); v != nil {
		a.Ino = v.ino()
	}
	a.Nlink = 0
	if h.readOnly {
		a.Mode &^= 0o222
	}
}

// openFiles are the open files that show a message, by their nodes: fstat(2) tells a node, and no handle.
type openFiles struct {
	// erasures counts what was erased, each before it is taken from those below.
	erasures atomic.Uint64

	// mu guards m. It is a leaf.
	mu sync.Mutex
	m  map[uint64][]*messageHandle
}

func (t *openFiles) add(h *messageHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[uint64][]*messageHandle{}
	}
	t.m[h.node] = append(t.m[h.node], h)
}

func (t *openFiles) remove(h *messageHandle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := slices.DeleteFunc(t.m[h.node], func(o *messageHandle) bool { return o == h })
	if t.m[h.node] = rest; len(rest) == 0 {
		delete(t.m, h.node)
	}
}

// last returns the handle on a node that was opened last, nil if there is none, or its message was erased.
func (t *openFiles) last(node uint64) *messageHandle {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range slices.Backward(t.m[node]) {
		if !h.erased.Load() {
			return h
		}
	}
	return nil
}

// erased takes from whoever has it open, or is in the middle of it in a log, a follow or a next, what a message had that was erased, in s or before its stream was truncated: what has
// that time in an earlier stream of the name is the same message.
func (fs *FS) erased(s *stream, seq store.Seq, time int64) {
	s.erasures.Add(seq, time)
	fs.big.dropMessages(seq) // who writes over it reads from there, too
	fs.shown.erasures.Add(1)
	fs.heads.forget()
	fs.shown.mu.Lock()
	defer fs.shown.mu.Unlock()
	for _, handles := range fs.shown.m {
		for _, h := range handles {
			same := h.stream.Incarnation() == s.Incarnation() // it may have been removed and brought back
			if h.seq == seq && (same || h.stream.name == s.name && h.mtime == time) {
				fs.erase(h)
			}
		}
	}
}

// erase takes from an open file what it has.
func (fs *FS) erase(h *messageHandle) {
	h.erased.Store(true)
	h.content.Store(nil)
	fs.big.drop(h.key)
}
