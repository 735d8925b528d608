package blockstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// commits lets writers that run at the same time share one disk sync: whoever gets the
// lead stores what all of them have brought, and syncs once.
type commits struct {
	once sync.Once
	lead chan struct{} // holds one token; who has it commits

	mu      sync.Mutex // guards the rest; a leaf
	waiting []*op
	crowd   int           // how many the last leader stored for
	cost    time.Duration // of its sync
}

// op is one writer's messages.
type op struct {
	entries []store.Entry
	done    chan struct{} // closed when the rest is set
	n       int           // how many are stored
	last    uint64        // the sequence of the last of them
	err     error
}

func newOp(es []store.Entry) *op { return &op{entries: es, done: make(chan struct{})} }

// commit stores o's messages, durably.
func (s *Stream) commit(o *op) {
	c := &s.commits
	c.once.Do(func() { c.lead = make(chan struct{}, 1) })
	c.mu.Lock()
	c.waiting = append(c.waiting, o)
	c.mu.Unlock()
	select {
	case <-o.done: // somebody else did
	case c.lead <- struct{}{}:
		s.commitWaiting()
		<-c.lead
	}
}

// commitWaiting stores what everybody waits for. The caller has the lead.
func (s *Stream) commitWaiting() {
	c := &s.commits
	c.gather()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	c.mu.Lock()
	ops := c.waiting
	c.waiting, c.crowd = nil, len(ops)
	c.mu.Unlock()
	if len(ops) == 0 {
		return
	}
	was := s.w.failed != nil
	s.storeLocked(ops)
	// Who was here when it failed gets the cause: nobody knows what became of the messages.
	err, start := s.w.failed, time.Now()
	if err == nil {
		err = s.syncLocked()
	}
	c.mu.Lock()
	c.cost = time.Since(start)
	c.mu.Unlock()
	if err == nil {
		s.publishStored()
		rolledUp(ops, s.enforceLocked())
	}
	for _, o := range ops {
		if err != nil && (o.n > 0 || o.err == nil || errors.Is(o.err, store.ErrReadOnly) && !was) {
			o.n, o.err = 0, err
		}
		close(o.done)
	}
}

// rolledUp tells those whose messages are stored and did not replace what they should, because of err.
func rolledUp(ops []*op, err error) {
	for _, o := range ops {
		if o.err == nil {
			o.err = replaced(o.entries, err)
		}
	}
}

// maxYields bounds how often a leader lets others run.
const maxYields = 1000

// gather waits a little for those whom the last sync served, as they are likely to come
// back: a sync costs the same for all of them.
func (c *commits) gather() {
	c.mu.Lock()
	crowd, wait := c.crowd, c.cost/4
	c.mu.Unlock()
	start := time.Now()
	for range maxYields {
		c.mu.Lock()
		n := len(c.waiting)
		c.mu.Unlock()
		if n >= crowd || time.Since(start) > wait {
			return
		}
		runtime.Gosched()
	}
}

// storeLocked writes the messages of ops, where it can with one call for all of them.
func (s *Stream) storeLocked(ops []*op) {
	var single []store.Entry
	for start := 0; start < len(ops); {
		end := start + 1
		if len(ops[start].entries) == 1 {
			for single = single[:0]; end <= len(ops) && len(ops[end-1].entries) == 1; end++ {
				single = append(single, ops[end-1].entries[0])
			}
			end--
			s.storeSinglesLocked(ops[start:end], single)
		} else {
			o := ops[start]
			r := s.writeLocked(o.entries)
			if o.n, o.err = r.n, r.err; o.n > 0 {
				o.last = uint64(s.seqOf(&r, o.n-1))
			}
		}
		start = end
	}
}

// storeSinglesLocked writes one message of each op. One that is refused does not keep
// the others back.
func (s *Stream) storeSinglesLocked(ops []*op, es []store.Entry) {
	for len(ops) > 0 {
		r := s.writeLocked(es)
		n := r.n
		for i, o := range ops[:n] {
			o.n, o.last = 1, uint64(s.seqOf(&r, i))
		}
		if n < len(ops) {
			ops[n].err = r.err
			n++
		}
		ops, es = ops[n:], es[n:]
	}
}

// Sync implements [store.Writer].
func (s *Stream) Sync(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	if err := s.sync(); err != nil {
		return err
	}
	if err := s.consumers.Flush(); err != nil {
		return fmt.Errorf("sync of stream %s: %w", s.config.Load().Name, err)
	}
	return nil
}

// sync makes everything durable that was written before. It holds wmu only before and
// after the disk's work.
func (s *Stream) sync() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	s.wmu.Lock()
	w := &s.w
	err := w.failed
	if err == nil && !w.ready && !w.state.Clean && !s.opt.ReadOnly {
		if perr := s.prepareLocked(); perr != nil && w.failed == nil { // what was stored by a process that was killed
			s.wmu.Unlock()
			return fmt.Errorf("sync: %w", perr)
		}
		err = w.failed
	}
	f, end := w.file, w.end
	last, moves, moved := w.next-1, w.moves, s.moved.Load()
	if err == nil && w.file != nil && w.synced == w.end {
		f = nil
	}
	if err == nil && f == nil && moves == moved && w.ready {
		err = s.settleSpentLocked(last)
	}
	s.wmu.Unlock()
	if err != nil {
		return fmt.Errorf("sync: %w: %w", store.ErrReadOnly, err)
	}
	if f == nil && moves == moved {
		return nil
	}
	if moves != moved { // before the messages can be known to be on disk
		err = s.fs.SyncDir(s.draftDir())
	}
	if err == nil && f != nil {
		err = s.syncTail(f)
	}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	switch {
	case f != nil && w.file != f && isClosed(err): // sealed meanwhile, and that made it durable
	case err != nil:
		return s.failLocked(&syncError{fmt.Errorf("sync of stream %s: %w", s.config.Load().Name, err)})
	case f != nil && w.file == f:
		w.synced = max(w.synced, end)
	}
	s.moved.Store(max(s.moved.Load(), moves))
	if !w.ready {
		return nil
	}
	return s.settleSpentLocked(last)
}

// syncLocked is sync for who holds wmu anyway.
func (s *Stream) syncLocked() error {
	w := &s.w
	if w.failed != nil {
		return fmt.Errorf("sync: %w: %w", store.ErrReadOnly, w.failed)
	}
	if err := s.syncMovesLocked(); err != nil {
		return err
	}
	if w.file == nil || w.synced == w.end {
		return nil
	}
	if err := s.syncTail(w.file); err != nil {
		return s.failLocked(&syncError{fmt.Errorf("sync %s: %w", w.tail.name, err)})
	}
	w.synced = w.end
	return nil
}

// syncTail makes durable what was written to f, the tail's file. The system tells one call only that something is lost: so of two at a time
// one would believe that it is on disk, and so would who asks again, as a stream that could not be removed or truncated goes on.
func (s *Stream) syncTail(f vfs.File) error {
	s.tailMu.Lock()
	defer s.tailMu.Unlock()
	if s.tailLost != nil {
		return s.tailLost
	}
	err := f.Sync()
	if err != nil && !isClosed(err) { // one that is closed was synced by who sealed it
		s.tailLost = err
	}
	return err
}

// syncError says that what was written before may not be on disk.
type syncError struct{ error }

func (e *syncError) Unwrap() error { return e.error }

// planSyncLocked sees to it that what was just written gets to the disk in time.
func (s *Stream) planSyncLocked() {
	if s.opt.Sync != SyncNever && s.w.timer == nil {
		s.planLocked()
	}
}

// planLeft sees to it that what the process before left unsynced gets to the disk in time, as it is shown now.
func (s *Stream) planLeft() {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	w := &s.w
	left := w.tail != nil && w.plan.durable < w.end || w.tail == nil && w.lastBlock > 0
	if w.plan.unclean && w.state.Boot == s.boot && left && !w.ready {
		s.planSyncLocked()
	}
}

// planLocked lets what was written be synced after the interval. Nothing else may be planned.
func (s *Stream) planLocked() {
	if s.lim.closed { // what is written still is synced by who closes
		return
	}
	s.background.Add(1)
	s.w.timer = time.AfterFunc(s.opt.Interval, s.syncInBackground)
}

func (s *Stream) syncInBackground() {
	defer s.background.Done()
	s.wmu.Lock()
	s.w.timer = nil
	s.wmu.Unlock()
	if err := s.sync(); err != nil && !errors.Is(err, store.ErrReadOnly) {
		s.log.Error("sync in the background failed", "stream", s.config.Load().Name, "cause", err)
	}
	s.st.reserve.Refill()
}
