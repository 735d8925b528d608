package watch

import (
	"slices"
	"sync"
	"sync/atomic"

	"jsfs/store"
)

// Hub hands events to its subscriptions. The zero Hub is ready and has no parent.
//
// Lock order: a hub's mu before its children's, before any Sub's mu.
type Hub struct {
	parent *Hub

	// listening is how many subscriptions there are here and at the parents, so that
	// posting to nobody costs one load. It is changed under mu of the hub that it is of.
	listening atomic.Int32

	mu       sync.Mutex // guards subs and children
	subs     []*Sub
	children []*Hub
}

// NewHub returns a hub that passes everything on to parent, unless that is nil. Close
// it when it is no longer used.
func NewHub(parent *Hub) *Hub {
	h := &Hub{parent: parent}
	if parent != nil {
		parent.adopt(h)
	}
	return h
}

func (h *Hub) adopt(child *Hub) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.children = append(h.children, child)
	child.listening.Add(h.listening.Load())
}

// Close takes the hub away from its parent. Its subscriptions stay, and get nothing more
// unless something is posted here.
func (h *Hub) Close() {
	if h.parent == nil {
		return
	}
	h.parent.mu.Lock()
	defer h.parent.mu.Unlock()
	h.parent.children = slices.DeleteFunc(h.parent.children, func(c *Hub) bool { return c == h })
}

// Listening says whether anybody would get an event that is posted now. Whoever
// posts may use it to save making the event.
func (h *Hub) Listening() bool { return h.listening.Load() != 0 }

// Post hands events to every subscription, here and at the parents. It never waits
// for who takes them, so it may be called with a writer's lock held; that
// keeps events in the order of the changes. The events are copied.
func (h *Hub) Post(events ...store.Event) {
	for ; h != nil && h.Listening(); h = h.parent {
		h.mu.Lock()
		for _, s := range h.subs {
			s.add(events)
		}
		h.mu.Unlock()
	}
}

// Lose tells every subscription, here and at the parents, that events were lost: for a change of
// more messages than anybody wants to be told of one by one. Otherwise it is as Post.
func (h *Hub) Lose() {
	for ; h != nil && h.Listening(); h = h.parent {
		h.mu.Lock()
		for _, s := range h.subs {
			s.lose()
		}
		h.mu.Unlock()
	}
}

// addLocked changes the number of subscriptions, here and below. mu is held.
func (h *Hub) addLocked(n int32) {
	h.listening.Add(n)
	for _, c := range h.children {
		c.mu.Lock()
		c.addLocked(n)
		c.mu.Unlock()
	}
}

// Watch returns a subscription to what is posted from now on.
func (h *Hub) Watch() *Sub { return h.WatchN(DefaultSize) }

// WatchN is Watch with a queue of at most size events.
func (h *Hub) WatchN(size int) *Sub {
	s := &Sub{hub: h, size: size, c: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs = append(h.subs, s)
	h.addLocked(1)
	return s
}

func (h *Hub) remove(s *Sub) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.subs, s); i >= 0 {
		h.subs = slices.Delete(h.subs, i, i+1)
		h.addLocked(-1)
	}
}
