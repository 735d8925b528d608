package blockstore

import (
	"context"
	"errors"
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

// look gives back what is worth it, and more if the disk is getting full.
func (r *reclaimer) look() {
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
	for r.low() && r.makeRoom(r.ctx, effort{}) {
	}
}

// low says whether too little of the disk is free.
func (r *reclaimer) low() bool {
	u, err := r.st.fs.Usage()
	return err == nil && u.Free < min(uint64(lowBlocks*r.st.opt.BlockSize), u.Total/lowShare)
}

// makeRoom gives back space at once, what was removed first first, also what should still be kept, and says whether
// any was. Who waited while somebody else made room is told so. Of e urgent and limited count.
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
	dead := int64(0)
	if e.limited {
		if dead = r.st.dead(); r.st.isFutile(dead) {
			return false
		}
	}
	for e.asOf, e.thorough = r.st.opt.Now(), true; ; {
		n, err := r.st.reclaim(ctx, e)
		if n > 0 {
			r.made.Add(1)
			r.release()
			r.st.opt.Logger.LogAttrs(ctx, slog.LevelInfo, "removed messages are forgotten to make room", slog.Int64("bytes", n))
			return true
		}
		if ctx.Err() != nil || r.ctx.Err() != nil {
			return false
		}
		if err != nil {
			r.st.opt.Logger.Warn("space could not be given back", "cause", err)
		}
		next, ok := r.st.nextDue(e.asOf)
		if !ok {
			if e.limited {
				r.st.noteFutile(dead)
			}
			return false
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

// withRoom does something, and again for as long as the disk is full, or the store's limit is reached, and room can be made.
func (s *Stream) withRoom(ctx context.Context, do func() error) error {
	for {
		err := do()
		_, limited := errors.AsType[*storageError](err)
		if !limited && !errors.Is(err, store.ErrNoSpace) || !s.st.reclaimer.makeRoom(ctx, effort{urgent: true, limited: limited}) {
			return err
		}
	}
}

// reclaimable is about how many bytes of the stream are removed messages in sealed blocks.
func (s *Stream) reclaimable() (sum int64) {
	s.smu.Lock()
	defer s.smu.Unlock()
	n := s.cur.Load()
	for i, b := range n.blocks {
		if n.open && i == len(n.blocks)-1 || b.dead.Load() == 0 {
			continue // nobody but its writer knows what all messages of the tail are
		}
		if all := b.all.JSON; all > 0 {
			share := float64(all-b.live.JSON) / float64(all)
			v := n.view(i)
			sum += int64(share * float64(v.end))
		}
	}
	return sum
}
