package fusefs

import (
	"container/list"
	"context"
	"sync"
	"time"

	"jsfs/mapping"
	"jsfs/store"
)

const (
	// maxPayloads is how many bytes of large messages are kept for their readers. A
	// message that is larger than that is kept alone.
	maxPayloads = 64 << 20
	// payloadIdle is how long after its last READ a payload is still wanted: who needs room for another one waits for
	// that, as two who read by turns would else load all of their messages anew for each READ.
	payloadIdle = 20 * time.Millisecond
	// payloadWait is how long he waits at most: others may be slow, or hang.
	payloadWait = time.Second
)

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
	freed chan struct{} // closed when there is room again; nil if nobody waits
}

// payload is a message that is loaded, or being loaded.
type payload struct {
	node   uint64
	size   int64     // what it counts in payloads.bytes
	begun  time.Time // when it was made, to be loaded
	loaded untilDone
	data   []byte
	err    error

	// Guarded by payloads.mu.
	readers int       // that are reading from it now
	used    time.Time // when the last one was done; zero while it is being loaded for the first one
}

// open notes a handle on a message.
func (t *payloads) open(node uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refs == nil {
		t.refs, t.m = map[uint64]int{}, map[uint64]*list.Element{}
	}
	t.refs[node]++
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

// read reads from the payload of a message of that size, which it loads if it is not there. Callers
// that come while it is being loaded wait for it, unless ctx ends.
func (t *payloads) read(ctx context.Context, node uint64, size int64, load func() ([]byte, error), b []byte, off int64) (int, error) {
	p := t.enter(node, size)
	loaded := false
	defer func() { t.leave(p, loaded) }()
	err := p.loaded.do(ctx, func() (err error) {
		p.data, err = load()
		p.err = err
		return err
	})
	if err != nil {
		return 0, err
	}
	loaded = true
	if p.err != nil || off >= int64(len(p.data)) {
		return 0, p.err
	}
	return copy(b, p.data[off:]), nil
}

// enter returns the payload of a message, and makes room for it if it is not there.
func (t *payloads) enter(node uint64, size int64) *payload {
	last := time.Now().Add(payloadWait)
	for {
		t.mu.Lock()
		if e := t.m[node]; e != nil {
			t.lru.MoveToFront(e)
			p := e.Value.(*payload)
			p.readers++
			t.mu.Unlock()
			return p
		}
		now := time.Now()
		wait := t.makeRoomLocked(size, now, !now.Before(last))
		if wait == 0 {
			p := &payload{node: node, size: size, begun: now, loaded: newUntilDone(), readers: 1}
			t.m[node] = t.lru.PushFront(p)
			t.bytes += size
			t.mu.Unlock()
			return p
		}
		if t.freed == nil {
			t.freed = make(chan struct{})
		}
		freed := t.freed
		t.mu.Unlock()
		select {
		case <-freed:
		case <-time.After(wait):
		}
	}
}

// makeRoomLocked drops payloads that nobody wants any more until another one has room, and returns how long to wait before that is
// tried again, 0 if there is room. At last what is wanted is dropped, too, and loads that hang count for nothing.
func (t *payloads) makeRoomLocked(size int64, now time.Time, last bool) time.Duration {
	for t.bytes+size > maxPayloads && t.lru.Len() > 0 {
		p, hang := t.oldestLocked(now, last)
		if p == nil && last && hang {
			return 0
		}
		if p == nil {
			return payloadIdle
		}
		if idle := now.Sub(p.used); idle < payloadIdle && !last {
			return payloadIdle - idle
		}
		t.dropLocked(p.node)
	}
	return 0
}

// oldestLocked returns the payload that was used least recently of those that may be dropped: at last these are all that are loaded, as
// who reads one goes on without it. If there is none, hang says whether all are being loaded and none of these loads is a new one.
func (t *payloads) oldestLocked(now time.Time, last bool) (oldest *payload, hang bool) {
	hang = true
	for e := t.lru.Back(); e != nil; e = e.Prev() {
		p := e.Value.(*payload)
		loaded := !p.used.IsZero()
		if p.readers == 0 || last && loaded {
			return p, false
		}
		hang = hang && !loaded && now.Sub(p.begun) >= payloadIdle
	}
	return nil, hang
}

// leave ends what enter began. loaded says that the payload was loaded, or could not be. What could not be loaded is dropped, and so is what
// nobody loads any more: the next one tries again.
func (t *payloads) leave(p *payload, loaded bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.readers--
	if loaded {
		p.used = time.Now()
	}
	failed := loaded && p.err != nil || p.readers == 0 && p.used.IsZero()
	if e := t.m[p.node]; failed && e != nil && e.Value == p {
		t.dropLocked(p.node)
	}
}

// drop drops a payload. Who reads it loads it again.
func (t *payloads) drop(node uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropLocked(node)
}

// dropMessages drops the payloads of the messages of a sequence, in whatever stream, as drop does.
func (t *payloads) dropMessages(seq store.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for node := range t.m {
		if kind, _, n := mapping.SplitNode(node); kind == mapping.KindMessage && n == uint64(seq) {
			t.dropLocked(node)
		}
	}
}

func (t *payloads) dropLocked(node uint64) {
	e := t.m[node]
	if e == nil {
		return
	}
	t.bytes -= e.Value.(*payload).size
	t.lru.Remove(e)
	delete(t.m, node)
	if t.freed != nil {
		close(t.freed)
		t.freed = nil
	}
}
