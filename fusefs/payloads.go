package fusefs

import (
	"container/list"
	"sync"
	"syscall"

	"jsfs/store"
)

// maxPayloads is how many bytes of large messages are kept for their readers. A
// message that is larger than that is kept alone.
const maxPayloads = 64 << 20

// payloads keeps the payloads of the large messages that are open, so that a message
// is loaded and checked once, and not for each of its READs. What was used least
// recently goes first; whoever reads it again loads it again.
type payloads struct {
	// mu guards all below. It is not held while a message is loaded.
	mu    sync.Mutex
	refs  map[uint64]int // handles by node
	m     map[uint64]*list.Element
	lru   list.List // of *payload, most recently used first
	bytes int64
}

// payload is a message that is loaded, or being loaded.
type payload struct {
	node uint64
	once sync.Once
	data []byte
	err  error
	size int64 // what it counts in payloads.bytes
}

// open notes a handle on a message, and returns its key.
func (t *payloads) open(node uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refs == nil {
		t.refs, t.m = map[uint64]int{}, map[uint64]*list.Element{}
	}
	t.refs[node]++
	return node
}

// close notes that a handle is gone. With the last one the payload goes.
func (t *payloads) close(node uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refs[node]--; t.refs[node] == 0 {
		delete(t.refs, node)
		t.dropLocked(node)
	}
}

// get returns the payload of a message, which it loads if it is not there. Callers
// that come while it is being loaded wait for it.
func (t *payloads) get(node uint64, load func() ([]byte, error)) ([]byte, error) {
	p := t.enter(node)
	p.once.Do(func() { p.data, p.err = load() })
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.m[node]
	if e == nil || e.Value != p {
		return p.data, p.err // dropped meanwhile
	}
	if p.err != nil {
		t.dropLocked(node) // the next one tries again
		return nil, p.err
	}
	if p.size == 0 {
		p.size = int64(len(p.data))
		t.bytes += p.size
	}
	for t.bytes > maxPayloads && t.lru.Len() > 1 {
		t.dropLocked(t.lru.Back().Value.(*payload).node)
	}
	return p.data, nil
}

func (t *payloads) enter(node uint64) *payload {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.m[node]; e != nil {
		t.lru.MoveToFront(e)
		return e.Value.(*payload)
	}
	p := &payload{node: node}
	t.m[node] = t.lru.PushFront(p)
	return p
}

func (t *payloads) dropLocked(node uint64) {
	if e := t.m[node]; e != nil {
		t.bytes -= e.Value.(*payload).size
		t.lru.Remove(e)
		delete(t.m, node)
	}
}

// messageHandle is an open large message.
type messageHandle struct {
	readHandle
	key    uint64
	stream *stream
	seq    store.Seq
}

func (h *messageHandle) write(*call, []byte, int64, bool) (int, error) {
	return 0, refuse(syscall.EPERM, "messages never change")
}

func (h *messageHandle) read(c *call, p []byte, off int64) (int, error) {
	data, err := c.fs.big.get(h.key, func() ([]byte, error) {
		m, err := loadOpen(c, h.stream, h.seq, nil)
		return m.Data, err
	})
	if err != nil {
		return 0, err
	}
	if off >= int64(len(data)) {
		return 0, nil
	}
	return copy(p, data[off:]), nil
}

func (h *messageHandle) fsync(c *call) error { return h.stream.Sync(c) }

func (h *messageHandle) release(c *call) { c.fs.big.close(h.key) }
