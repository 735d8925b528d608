package blockstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

const (
	// backgroundBytes is how many bytes a second are written by what is in no hurry, all streams together.
	backgroundBytes = 16 << 20
	// reclaimEvery is how often at most, and reclaimOften how often at least, a store looks for space to give back.
	reclaimEvery, reclaimOften = time.Second, time.Minute
	// lowBlocks is how many blocks' space should be free, and lowShare which share of the disk if that is less.
	lowBlocks, lowShare = 4, 32
	// releaseWait is how long to wait for the space of files that nobody reads any more.
	releaseWait = 100 * time.Millisecond
)

// reclaimer gives space back in the background.
type reclaimer struct {
	st   *Store
	ctx  context.Context // ends when the store is closed
	stop context.CancelFunc
	done sync.WaitGroup

	// roomMu is held by who makes room at once. made counts how often there was any, and changes under it.
	roomMu sync.Mutex
	made   atomic.Uint64
}

// startReclaiming begins to look for space to give back every now and then.
func (st *Store) startReclaiming() {
	r := &st.reclaimer
	r.st = st
	r.ctx, r.stop = context.WithCancel(context.Background())
	if st.opt.ReadOnly || st.opt.asked {
		return
	}
	every := min(max(st.opt.KeepDeleted/8, reclaimEvery), reclaimOften)
	if st.opt.KeepDeleted < 0 {
		every = reclaimOften
	}
	r.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-r.ctx.Done():
				return
			case <-tick.C:
				r.look()
			}
		}
	})
}

// stopReclaiming waits for who gives space back to stop, which is soon.
func (st *Store) stopReclaiming() {
	st.closing.Store(true)
	if st.reclaimer.stop != nil {
		st.reclaimer.stop()
		st.reclaimer.done.Wait()
	}
}

// wait waits for who makes room for a draft, which is no call on a stream. He stops soon, and nobody begins any more.
func (r *reclaimer) wait() {
	r.roomMu.Lock()
	defer r.roomMu.Unlock()
}

// look gives back what is worth it, and more if the disk is getting full.
func (r *reclaimer) look() {
	if r.st.originMu.TryLock() { // else the next look does it
		r.st.setOutdatedAside()
		r.st.originMu.Unlock()
	}
	n, err := r.st.reclaim(r.ctx, effort{asOf: r.st.opt.Now()})
	if r.ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
		return
	}
	log := r.st.opt.Logger
	if err != nil {
		log.Warn("space could not be given back", "cause", err)
	}
	if n > 0 {
		log.Debug("space given back", "bytes", n)
	}
	for r.low(lowBlocks) && r.makeRoom(r.ctx, effort{urgent: r.low(1)}) {
	}
}

// low says whether less of the disk is free than so many blocks take, and than a share of it.
func (r *reclaimer) low(blocks int64) bool {
	u, err := r.st.fs.Usage()
	return err == nil && u.Free < min(uint64(blocks*r.st.opt.BlockSize), u.Total/lowShare)
}

// makeRoom gives back space at once, what was removed first first, also what should still be kept, and says whether
// any was. Who waited while somebody else made room is told so. Of e urgent, limited and removing count.
func (r *reclaimer) makeRoom(ctx context.Context, e effort) bool {
	if r.stop == nil || r.st.opt.ReadOnly {
		return false
	}
	before := r.made.Load()
	r.roomMu.Lock()
	defer r.roomMu.Unlock()
	if r.made.Load() != before {
		return true
	}
	if r.ctx.Err() != nil {
		return false
	}
	there, known := r.st.leftovers(), &r.st.account.onDisk
	if e.limited {
		known = &r.st.account.belowLimit
	}
	if e.urgent && known.is(there, r.st.opt.Now()) || e.limited && there.dead == 0 {
		return false
	}
	if e.urgent {
		r.st.reserve.Borrow()
		defer r.st.reserve.Return()
	}
	made, failed := false, false
	for e.asOf, e.thorough = r.st.opt.Now(), true; ; {
		n, err := r.st.reclaim(ctx, e)
		if n > 0 {
			made = true
			r.made.Add(1)
			r.release()
			r.st.opt.Logger.LogAttrs(ctx, slog.LevelInfo, "removed messages are forgotten to make room", slog.Int64("bytes", n))
			if !e.removing || !r.st.reserve.Lacks(r.st.room(true)) {
				return true
			}
		}
		if ctx.Err() != nil || r.ctx.Err() != nil {
			return made
		}
		if n > 0 {
			continue
		}
		if err != nil {
			r.st.opt.Logger.Warn("space could not be given back", "cause", err)
			failed = true
		}
		next, ok := r.st.nextDue(e.asOf)
		if !ok {
			if e.urgent && !failed && !made {
				*known = futile{there, r.st.opt.Now()}
			}
			return made
		}
		e.asOf = next
	}
}

// release waits a little until the files are closed that held the space.
func (r *reclaimer) release() {
	if r.st.held.Load() == 0 {
		return
	}
	runtime.GC()
	for end := time.Now().Add(releaseWait); r.st.held.Load() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// nextDue returns the earliest time after asOf until when something is kept.
func (st *Store) nextDue(asOf int64) (int64, bool) {
	next := int64(math.MaxInt64)
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, s := range st.streams {
		for _, b := range s.cur.Load().blocks {
			for _, e := range b.batches() {
				if e.due > asOf && b.dead.Load() > 0 {
					next = min(next, e.due)
				}
			}
		}
	}
	if removed, err := st.lookLocked(); err == nil {
		for _, r := range removed {
			if due := policy.KeptUntil(r.at, st.opt.KeepDeleted); due > asOf {
				next = min(next, due)
			}
		}
	}
	return next, next < math.MaxInt64
}

// withRoom does something inside the gate, and again for as long as the disk is full, or the store's limit is reached, and room can be made.
// Where the reserve is not whole, and there is no room for it, the disk is full for others.
func (s *Stream) withRoom(ctx context.Context, do func() error) error {
	for err := s.settled(do); ; {
		e, full := wantsRoom(err)
		if !full {
			return err
		}
		s.gate.pause()
		made := s.st.reclaimer.makeRoom(ctx, e)
		s.gate.resume()
		if !made {
			return err
		}
		if _, stored := errors.AsType[*replacesError](err); stored { // it must not be again
			err = s.rollUpAgain()
		} else {
			err = s.settled(do)
		}
	}
}

// settled does something that takes room, unless the reserve needs all of it.
func (s *Stream) settled(do func() error) error {
	if !s.st.reserve.Settle() {
		return fmt.Errorf("stream %s: what is free is kept for removals: %w", s.config.Load().Name, store.ErrNoSpace)
	}
	return do()
}

// roomForRemovals makes room after a removal that gave err, if the reserve is short or not enough, and says whether the removal is to
// be tried again. The caller is inside the gate.
func (s *Stream) roomForRemovals(ctx context.Context, err error) bool {
	full := err != nil && errors.Is(err, store.ErrNoSpace)
	if !full && (err != nil || !s.st.reserve.Short()) {
		return false
	}
	s.gate.pause()
	defer s.gate.resume()
	return s.st.reclaimer.makeRoom(ctx, effort{urgent: true, removing: true}) && full
}

// wantsRoom says whether something failed that room helps, and what is to be done for it.
func wantsRoom(err error) (effort, bool) {
	_, limited := errors.AsType[*storageError](err)
	return effort{urgent: true, limited: limited}, limited || errors.Is(err, store.ErrNoSpace)
}
