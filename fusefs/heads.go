package fusefs

import (
	"slices"
	"strings"
	"sync"

	"jsfs/mapping"
	"jsfs/store"
)

const (
	// keptHeads is of how many messages subject and header are kept: some programs may copy at the same time.
	keptHeads = 8
	// headFrom is from which size on a message is loaded for its extended attributes no more than once, and maxHead how many bytes of
	// subject and header are kept of one at most.
	headFrom = 4 << 10
	maxHead  = 64 << 10
)

// heads has what the messages have besides their payloads whose extended attributes were asked for last. Who copies a file asks for
// some of them, one after the other, and a large message is loaded and checked in whole for any.
type heads struct {
	// mu guards the rest. It is a leaf.
	mu     sync.Mutex
	recent [keptHeads]head
	next   int // which one goes next
}

// head is a message without its payload.
type head struct {
	node     uint64
	erasures uint64 // what openFiles.erasures was before it was loaded
	msg      store.Msg
}

func (t *heads) get(node, erasures uint64) (store.Msg, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.recent {
		if h := &t.recent[i]; h.node == node && h.erasures == erasures && h.msg.Seq != 0 {
			return h.msg, true
		}
	}
	return store.Msg{}, false
}

// put keeps m without its payload, for which it holds no memory.
func (t *heads) put(node, erasures uint64, m store.Msg) {
	m.Data, m.Subject, m.Header = nil, strings.Clone(m.Subject), slices.Clone(m.Header)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent[t.next] = head{node, erasures, m}
	t.next = (t.next + 1) % keptHeads
}

// forget drops all, as a message was erased.
func (t *heads) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.recent[:])
}

// loadHead reads the message that a node is, as loadNode does, but for its payload.
func (fs *FS) loadHead(c *call) (store.Msg, error) {
	node, erasures := c.hdr.NodeId, fs.shown.erasures.Load()
	if m, ok := fs.heads.get(node, erasures); ok && fs.isLive(c, m.Meta) {
		return m, nil
	}
	_, m, err := fs.loadNode(c, nil)
	if err == nil && m.Size >= headFrom && len(m.Subject)+len(m.Header) <= maxHead {
		fs.heads.put(node, erasures, m)
		if fs.shown.erasures.Load() != erasures { // maybe of this message, and who erased it came before
			fs.heads.forget()
		}
	}
	return m, err
}

// isLive says whether the node that the call is about still is that message, and live.
func (fs *FS) isLive(c *call, m store.Meta) bool {
	s, at, err := fs.split(c.hdr.NodeId)
	if err != nil || at.kind != mapping.KindMessage {
		return false
	}
	now, err := s.Stat(c, m.Seq)
	return err == nil && now == m
}
