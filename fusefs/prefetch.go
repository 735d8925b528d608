package fusefs

import (
	"context"
	"sync"

	"jsfs/mapping"
	"jsfs/store"
)

const (
	// A reader that goes from message to message gets minPrefetch of the next ones at first, and
	// then four times as many each time, up to maxPrefetch.
	minPrefetch = 16
	maxPrefetch = 256
	// maxPrefetched is the largest payload that is sent ahead, which is as much as the kernel itself reads ahead.
	// maxPrefetchBytes is when enough was sent at a time.
	maxPrefetched    = maxStateless
	maxPrefetchBytes = 2 << 20
	// Whoever begins to read a message of up to maxFirstRead is followed; of a larger one he must come to its end: who looks at the
	// beginning of many asks for less than would be sent.
	maxFirstRead = 32 << 10
	// prefetchGap is how many sequences may be missing between two messages that are read in order.
	prefetchGap = 16
	// prefetchRest is how many messages are read before it is tried again with a reader whose next
	// message the kernel did not know.
	prefetchRest = 64

	maxCursors = 4 // readers that are followed at a time
)

// prefetcher puts payloads into the kernel's page cache before they are asked for. Who reads
// messages in order, as grep -r does, then needs no request for most of them. It works for what the
// kernel knows already, so for what was listed with READDIRPLUS.
type prefetcher struct {
	kernel kernel // nil prefetches nothing
	// inLine sends while the reader waits. The kernel may wait meanwhile for requests that ask for what is sent,
	// so these must have threads of their own; they wait only for what is behind them.
	inLine bool

	// mu guards cursors. It is a leaf, and not held while anything is sent.
	mu      sync.Mutex
	cursors [maxCursors]*cursor // most recently used first

	running sync.WaitGroup
}

// cursor is where a reader is.
type cursor struct {
	stream *stream
	last   store.Seq // what was read last
	next   store.Seq // the first that was not sent: it will be asked for
	window int       // how many were sent the last time
	rest   int       // so many reads are let pass
	busy   bool      // something is being sent
}

// follows says whether message seq is what a reader at c would read next.
func (c *cursor) follows(s *stream, seq store.Seq) bool {
	return c != nil && c.stream == s && c.last < seq && seq <= c.next+prefetchGap
}

// open notes that a message is opened. Who has come to the middle of what was sent gets more.
func (p *prefetcher) open(s *stream, m store.Meta) {
	if p.kernel == nil || m.Size > maxPrefetched {
		return
	}
	if c, from := p.ahead(s, m.Seq); c != nil {
		p.running.Add(1)
		go func() {
			defer p.running.Done()
			p.advance(c, from, maxPrefetch)
		}()
	}
}

// ahead finds the reader who opens a message. If it is to be sent more, ahead returns it, marked as busy, and from where on.
func (p *prefetcher) ahead(s *stream, seq store.Seq) (*cursor, store.Seq) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.cursors {
		if !c.follows(s, seq) {
			continue
		}
		c.last = seq - 1 // it will be asked for
		if c.busy || c.window == 0 || seq+store.Seq(c.window/2) < c.next {
			return nil, 0
		}
		c.window, c.busy = maxPrefetch, true
		return c, c.next
	}
	return nil, 0
}

// read notes that a message was asked for from off up to end, and sends the next ones if that was in order.
func (p *prefetcher) read(s *stream, m store.Meta, off, end int64) {
	counts := off == 0
	if m.Size > maxFirstRead {
		counts = end == m.Size
	}
	if p.kernel == nil || m.Size > maxPrefetched || !counts {
		return
	}
	seq := m.Seq
	c, count := p.follow(s, seq)
	if c == nil {
		return
	}
	if p.inLine {
		p.advance(c, seq+1, count)
		return
	}
	p.running.Add(1)
	go func() {
		defer p.running.Done()
		p.advance(c, seq+1, count)
	}()
}

// follow finds the reader that has come to a message. If it is to be sent the next ones, it returns it, marked as
// busy, and how many.
func (p *prefetcher) follow(s *stream, seq store.Seq) (c *cursor, count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := 0
	for i < maxCursors-1 && !p.cursors[i].follows(s, seq) {
		i++
	}
	c = p.cursors[i]
	copy(p.cursors[1:], p.cursors[:i])
	if !c.follows(s, seq) {
		p.cursors[0] = &cursor{stream: s, last: seq, next: seq + 1}
		return nil, 0
	}
	p.cursors[0] = c
	c.last = seq
	if c.rest > 0 {
		c.rest--
		c.next = seq + 1
	}
	if c.busy || c.rest > 0 || seq < c.next {
		return nil, 0
	}
	c.window = min(max(4*c.window, minPrefetch), maxPrefetch)
	c.busy, c.next = true, seq+1
	return c, c.window
}

// advance sends a reader the next messages.
func (p *prefetcher) advance(c *cursor, from store.Seq, count int) {
	next, known := p.send(c, from, count)
	p.mu.Lock()
	defer p.mu.Unlock()
	c.busy, c.next = false, max(next, c.last+1)
	switch {
	case !known:
		c.rest, c.window = prefetchRest, 0
	case next == from:
		c.window = 0 // there are no more
	}
}

// reached returns the message that a reader asked for last.
func (p *prefetcher) reached(c *cursor) store.Seq {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.last
}

// send sends a reader up to count payloads from message from on, but those that he has asked for meanwhile. It returns the first
// sequence that was not sent, and whether the kernel knew the first one.
func (p *prefetcher) send(c *cursor, from store.Seq, count int) (next store.Seq, known bool) {
	s := c.stream
	scratch := largePool.Get().(*[]byte)
	defer largePool.Put(scratch)
	ctx, bytes := context.Background(), int64(0)
	next = from
	before, err := s.State(ctx)
	if err != nil {
		return next, true
	}
	sent := make([]store.Seq, 0, count)
	defer func() { p.takeBack(ctx, s, before, sent) }()
	for m, err := range s.Scan(ctx, store.Query{From: from}) {
		if err != nil || count == 0 || bytes > maxPrefetchBytes {
			break
		}
		count--
		next = m.Seq + 1
		if m.Size == 0 || m.Size > maxPrefetched || m.Seq <= p.reached(c) {
			continue
		}
		id, ok := mapping.Node(mapping.KindMessage, s.num, uint64(m.Seq))
		if !ok {
			break
		}
		msg, err := s.Load(ctx, m.Seq, *scratch)
		if err != nil {
			continue // its reader will be told
		}
		if !p.kernel.StoreNotify(id, msg.Data).Ok() {
			return m.Seq, known
		}
		known = true
		sent = append(sent, m.Seq)
		bytes += int64(len(msg.Data))
	}
	return next, true
}

// takeBack has the kernel drop what was sent and is gone: it may have been erased after it was loaded, and the notification of that
// have come before the bytes.
func (p *prefetcher) takeBack(ctx context.Context, s *stream, before store.State, sent []store.Seq) {
	after, err := s.State(ctx)
	if err == nil && after.Rev-before.Rev == uint64(after.Appended.Messages-before.Appended.Messages) {
		return // nothing was removed meanwhile
	}
	for _, seq := range sent {
		if _, err := s.Stat(ctx, seq); err != nil {
			id, _ := s.message(seq)
			p.kernel.InodeNotify(id, 0, 0)
		}
	}
}

// wait returns when nothing is being sent any more.
func (p *prefetcher) wait() { p.running.Wait() }
