package blockstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// effort says how much is to be done for space.
type effort struct {
	asOf     int64 // what is kept until then at most need not be kept
	thorough bool  // give back all of it, also where that means to write much anew
	urgent   bool  // at once, and with the reserve
	limited  bool  // it is for the store's limit, and not for the disk
	removing bool  // until there is what the reserve should be able to lend: removals go on
}

// onDisk says whether it is whole pages of a full disk that count.
func (e *effort) onDisk() bool { return e.urgent && !e.limited }

// reclaim gives the space of removed messages back that are not kept, as far as it is worth it, and returns how many
// bytes that were. Blocks that can't be written anew now don't keep the others from it; the error tells of them.
func (s *Stream) reclaim(ctx context.Context, e effort) (gained int64, err error) {
	if e.urgent { // who is in no hurry gives way
		s.wanted.Add(1)
	}
	s.reclaimMu.Lock()
	if e.urgent {
		s.wanted.Add(-1)
	}
	defer s.reclaimMu.Unlock()
	if s.unsure != nil {
		return 0, s.unsure
	}
	s.release(false)
	if err := s.removeLeft(); err != nil {
		return 0, err
	}
	if e.urgent { // to seal the newest block takes room
		if gained, err = s.renew(ctx, e); gained > 0 || s.unsure != nil {
			return gained, err
		}
	}
	if rerr := s.rotateForSpace(e); rerr != nil {
		return gained, errors.Join(err, rerr)
	}
	n, rerr := s.renew(ctx, e)
	return gained + n, errors.Join(err, rerr)
}

// enoughRoom is how many blocks' space is enough when room is needed at once, enoughTime for how long somebody waits for it where
// there is less, once enoughWork bytes were written, and tooLong where there is none. A small disk is gone through to its end however slow it
// is: where others take the room before all blocks had a use of it, the rest can't be written anew.
const (
	enoughRoom = 4
	enoughTime = time.Second
	enoughWork = 8 << 20
	tooLong    = 10 * time.Second
)

// begunWork is when space began to be given back, and how much the store had written anew by then.
type begunWork struct {
	time.Time
	rewritten int64
}

func (st *Store) beginWork() begunWork { return begunWork{time.Now(), st.rewritten.Load()} }

// isEnough says whether so many bytes that were given back since then are enough for who waits for room.
func (st *Store) isEnough(e *effort, gained int64, since begunWork) bool {
	return e.urgent && gained > 0 && (gained >= enoughRoom*st.opt.BlockSize ||
		st.rewritten.Load()-since.rewritten >= enoughWork && time.Since(since.Time) > enoughTime)
}

// renew writes blocks anew for which it is worth it. If room is needed at once, it ends when there is some.
func (s *Stream) renew(ctx context.Context, e effort) (gained int64, err error) {
	groups, err := s.plan(&e)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", s.config.Load().Name, err)
	}
	begun := s.st.beginWork()
	var errs []error
	for i := range groups {
		old := groups[i].old
		if groups[i].need > s.st.room(e.urgent) {
			unjudge(old)
			continue
		}
		groups[i].old = nil // who keeps a replaced block keeps its space
		n, err := s.rewrite(ctx, &rewriting{old: old, asOf: e.asOf, urgent: e.urgent, inPages: e.onDisk()})
		gained += n
		stop := s.mayReclaim(ctx, e.urgent && gained == 0) != nil || s.unsure != nil
		if err != nil && (stop || errors.Is(err, store.ErrNoSpace) && !e.urgent) {
			unjudge(old)
		}
		if e.onDisk() {
			s.st.reclaimer.release()
		}
		if err != nil && !errors.Is(err, errBusy) {
			errs = append(errs, err)
		}
		if stop || e.urgent && time.Since(begun.Time) > tooLong || s.st.isEnough(&e, gained, begun) {
			for _, g := range groups[i+1:] {
				unjudge(g.old)
			}
			break
		}
	}
	return gained, errors.Join(errs...)
}

// room is for how many bytes the disk has room, with what the reserve can lend if they are needed at once.
func (st *Store) room(urgent bool) int64 {
	u, err := st.fs.Usage()
	if err != nil {
		return math.MaxInt64
	}
	if urgent {
		return int64(u.Free) + st.reserve.Lendable()
	}
	return int64(u.Free) - st.reserve.Owed()
}

// mayReclaim says whether space may still be given back: not when the stream is being closed, or somebody waits
// for reclaimMu, unless others wait for the room that is to be made.
func (s *Stream) mayReclaim(ctx context.Context, awaited bool) error {
	if s.stopping.Load() || s.st.closing.Load() {
		return store.ErrClosed
	}
	if s.wanted.Load() > 0 && !awaited {
		return errBusy
	}
	return ctx.Err()
}

// removeLeft removes files that others stand for, durably: what is erased from now on must not be in them. The caller
// holds reclaimMu.
func (s *Stream) removeLeft() error {
	for _, left := range []*[]string{&s.left, &s.leftLast} {
		for _, name := range *left {
			if err := removeIfThere(s.fs, name); err != nil {
				return fmt.Errorf("remove %s, which another block stands for: %w", name, err)
			}
		}
		if len(*left) == 0 {
			continue
		}
		if err := s.fs.SyncDir(s.dir); err != nil {
			s.unsure = fmt.Errorf("remove blocks of stream %s: %w", s.config.Load().Name, err)
			return s.unsure
		}
		*left = nil
	}
	return nil
}

// oneFileEach returns nil if a message that is erased now is in one file only, whatever a crash brings back. The caller
// holds reclaimMu.
func (s *Stream) oneFileEach() error {
	switch {
	case s.opt.ReadOnly:
		return nil // nothing will be erased
	case s.unsure != nil:
		return s.unsure
	}
	return s.removeLeft()
}

const (
	// leastRotated is the least that is given back by sealing the tail before it has its size.
	leastRotated = 64 << 10
	// leastSealed is the same on a full disk, where more is given back than the seal and the next block take.
	leastSealed = 4 * diskPage
	// idleTail is for how long, in nanoseconds, nothing was stored in a tail that is sealed because of less.
	idleTail = 10 * 60 * 1e9
)

// rotateForSpace seals the tail and begins another one, if most of it is messages that need not be kept: only
// sealed blocks are written anew.
func (s *Stream) rotateForSpace(e effort) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	n := s.cur.Load()
	if s.w.next == 0 || s.writableLocked() != nil {
		return nil
	}
	if !n.open && e.thorough && n.newestWastes(e.asOf) { // nobody has stored anything since the stream was opened
		if err := s.withReserve(s.prepareLocked); err != nil {
			return err
		}
		n = s.cur.Load()
	}
	if !n.open {
		return nil
	}
	v, dead := n.tail, int64(0)
	for at := v.nextDeleted(0); at < v.count; at = v.nextDeleted(at + 1) {
		if v.stays(at, e.asOf) {
			continue
		}
		end := v.end
		if at+1 < len(v.tail) {
			end = int64(v.tail[at+1])
		}
		dead += end - int64(v.tail[at])
	}
	total := v.end - record.DataStart
	idle := s.opt.Now()-n.lastTime > idleTail
	if e.onDisk() && dead+v.controlBytes(s.w.notes.controls.Size(), s.w.notes.controls.Len()) < leastSealed {
		return nil
	}
	if dead == 0 && (!e.urgent || e.limited) || !e.thorough && (2*dead < total || dead < leastRotated || 4*dead < s.opt.BlockSize && !idle) {
		return nil
	}
	if err := s.withReserve(s.prepareLocked); err != nil {
		return err
	}
	if s.cur.Load().tail.block != v.block || len(s.w.buf) > 0 {
		return nil // preparing began a new one
	}
	err := s.withReserve(s.rotateLocked)
	if err != nil {
		return fmt.Errorf("seal the newest block of stream %s: %w", s.config.Load().Name, err)
	}
	return nil
}

// newestWastes says whether the newest block has messages that need not be kept after asOf.
func (n *snapshot) newestWastes(asOf int64) bool {
	if len(n.blocks) == 0 {
		return false
	}
	v := n.view(len(n.blocks) - 1)
	for i := v.nextDeleted(0); i < v.count; i = v.nextDeleted(i + 1) {
		if !v.stays(i, asOf) {
			return true
		}
	}
	return false
}

// Reclaim gives back at once the space of all messages and streams that were removed and are not kept, which otherwise
// happens in the background and only where it is worth it. It is bounded in what it writes a second.
func (st *Store) Reclaim(ctx context.Context) error {
	if err := st.enter(ctx); err != nil {
		return err
	}
	defer st.gate.leave()
	_, err := st.reclaim(ctx, effort{asOf: st.opt.Now(), thorough: true})
	return err
}

// reclaim gives space back in all streams, and returns how many bytes.
func (st *Store) reclaim(ctx context.Context, e effort) (gained int64, err error) {
	if st.opt.ReadOnly {
		return 0, fmt.Errorf("reclaim: %w", store.ErrReadOnly)
	}
	st.mu.RLock()
	streams := slices.SortedFunc(maps.Values(st.streams), func(a, b *Stream) int { return cmp.Compare(a.inc, b.inc) })
	st.mu.RUnlock()
	begun := st.beginWork()
	var errs []error
	for _, s := range streams {
		n, err := s.reclaim(ctx, e)
		gained += n
		if err != nil && !errors.Is(err, store.ErrClosed) {
			errs = append(errs, err)
		}
		if st.isEnough(&e, gained, begun) {
			return gained, errors.Join(errs...)
		}
		if st.closing.Load() || ctx.Err() != nil {
			break
		}
	}
	n, err := st.takeRemoved(ctx, e.asOf)
	return gained + n, errors.Join(append(errs, err)...)
}
