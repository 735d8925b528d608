package blockstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// copying copies the messages of one stream to another, with what is known of the sequences that have none. Both are
// locked against changes. Of removed messages of which nothing is left the copy says what blocks that are written anew do: nothing, in
// blocks that say that they are such.
type copying struct {
	from, to *Stream
	n        *snapshot // of from
	now      int64     // when it began
	times    removalTimes
	instead  map[int64]int64 // which times of removals are written in the place of these
	next     uint64          // the sequence that comes next, of those that are looked at
	buf      []byte
	gone     []alike // what is encoded and still to be removed
	marked   *block  // the last one that says that it is like one that was written anew
}

// how is how a message was removed.
type how struct {
	at   int64 // when
	over bool  // it need not be kept: then nobody knows when
}

// alike is messages that were removed in the same way.
type alike struct {
	how
	ranges []store.Range
}

// copyMessages copies what from has up to last, removed messages included. from takes no change from then on if there is no error.
func (s *Stream) copyMessages(ctx context.Context, from *Stream, last uint64) error {
	from.wmu.Lock()
	defer from.wmu.Unlock()
	if err := from.writableLocked(); err != nil {
		return err
	}
	c := copying{from: from, to: s, n: from.cur.Load(), now: s.opt.Now(), next: uint64(s.config.Load().First())}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := c.run(ctx, last); err != nil {
		return err
	}
	from.w.failed = fmt.Errorf("stream was truncated, and another one has its name: %w", store.ErrClosed)
	return nil
}

func (c *copying) run(ctx context.Context, last uint64) error {
	if err := c.timeRemovals(ctx, last); err != nil {
		return err
	}
	for b := range c.n.blocks {
		v := c.n.view(b)
		for i := range v.count {
			seq := v.seqOf(i)
			if seq > last {
				break
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.message(ctx, &v, i, seq); err != nil {
				return err
			}
		}
	}
	if err := c.gapBefore(ctx, last+1); err != nil {
		return err
	}
	return c.end(ctx, last+1)
}

// timeRemovals finds out when the messages up to last were removed that are kept.
func (c *copying) timeRemovals(ctx context.Context, last uint64) (err error) {
	keeps := func(b *block) bool { return b.hdr.First <= last && b.keepsAny(c.now) }
	if c.times, err = c.from.removalTimes(ctx, c.n, keeps); err != nil {
		return err
	}
	var all []int64
	for b, in := range c.times {
		for i := range in {
			if h := c.howGone(&view{block: b}, i); b.isDeleted(i) && !h.over {
				all = addTime(all, h.at)
			}
		}
	}
	c.instead = standIns(all, c.from.opt.KeepDeleted)
	return nil
}

// howGone returns how message i of v was removed.
func (c *copying) howGone(v *view, i int) how {
	e := v.keptWith(i)
	if e == nil || e.due <= c.now {
		return how{over: true}
	}
	at, ok := c.times.since(v.block, i, e, c.from.opt.KeepDeleted)
	if !ok {
		at = e.last.Load()
	}
	if t, ok := c.instead[at]; ok {
		at = t
	}
	return how{at: at}
}

// message takes message i of v.
func (c *copying) message(ctx context.Context, v *view, i int, seq uint64) error {
	if err := c.gapBefore(ctx, seq); err != nil {
		return err
	}
	c.next = seq + 1
	m, err := c.from.load(v, i, c.buf)
	gone := v.isDeleted(i)
	switch {
	case isCorrupt(err) && !gone:
		return c.skip(ctx, seq, seq, record.SkipLost)
	case isCorrupt(err), errors.Is(err, store.ErrNotFound): // it was erased
		return nil
	case err != nil:
		return err
	}
	if n := len(m.Header) + len(m.Data); n > cap(c.buf) && n <= keepBuffer {
		c.buf = make([]byte, 2*n)
	}
	e := store.Entry{Subject: m.Subject, Header: m.Header, Data: m.Data}
	if err := c.reach(ctx, seq, recordSize(&e)); err != nil {
		return err
	}
	s := c.to
	s.encode(&e, seq, max(m.Time, s.w.time))
	if gone {
		c.noteGone(seq, c.howGone(v, i))
	}
	return c.flushIfMuch()
}

// gapBefore accounts for the sequences before seq that no message has.
func (c *copying) gapBefore(ctx context.Context, seq uint64) error {
	for c.next < seq {
		first := c.next
		cause, end, err := c.from.causeAt(c.n, first)
		if err != nil {
			return err
		}
		end = min(end, seq-1)
		c.next = end + 1
		switch cause {
		case store.CauseRemoved:
		case store.CauseLost:
			err = c.skip(ctx, first, end, record.SkipLost)
		default:
			err = c.skip(ctx, first, end, record.SkipUnused)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// skip says why the sequences from first to last have no message.
func (c *copying) skip(ctx context.Context, first, last uint64, why byte) error {
	if err := c.reach(ctx, first, skipSize); err != nil {
		return err
	}
	s := c.to
	if err := s.reserveLocked(last); err != nil {
		return err
	}
	s.encodeSkip(last-first+1, why, s.w.time)
	return c.flushIfMuch()
}

// reach makes seq the sequence that comes next, with n bytes of room in the tail. Those that are passed over were removed.
func (c *copying) reach(ctx context.Context, seq uint64, n int64) error {
	s := c.to
	if err := s.takeLocked(seq, nil); err != nil {
		return err
	}
	if !s.hasRoomLocked(n) {
		if err := c.settle(ctx); err != nil {
			return err
		}
		if err := s.roomLocked(n); err != nil {
			return err
		}
	}
	gap := seq - s.w.coming()
	if gap == 0 {
		return nil
	}
	if c.marked != s.w.tail {
		if err := c.settle(ctx); err != nil {
			return err
		}
		if err := c.mark(s.w.next); err != nil {
			return err
		}
	}
	s.w.skipped += gap
	return nil
}

// mark lets the tail say that what it has no message for was removed, and that next comes next. All that is encoded is written.
func (c *copying) mark(next uint64) error {
	s := c.to
	if err := s.placeControlLocked(); err != nil {
		return err
	}
	ct := record.Control{Kind: record.FlagRemove, Seq: next, Time: s.w.time, Rewritten: true}
	if err := s.writeControlLocked(&ct); err != nil {
		return err
	}
	c.marked, s.w.next = s.w.tail, next
	return nil
}

// flushIfMuch writes what is encoded if it is much.
func (c *copying) flushIfMuch() error {
	if len(c.to.w.buf) < writeSize {
		return nil
	}
	if err := c.to.flushLocked(); err != nil {
		return err
	}
	c.to.publishStored()
	return nil
}

// noteGone notes that a message is to be removed.
func (c *copying) noteGone(seq uint64, h how) {
	i := slices.IndexFunc(c.gone, func(e alike) bool { return e.how == h })
	if i < 0 {
		i = len(c.gone)
		c.gone = append(c.gone, alike{how: h})
	}
	c.gone[i].ranges = append(c.gone[i].ranges, store.Range{First: store.Seq(seq), Last: store.Seq(seq)})
}

// settle writes what is encoded, and removes what is to be: in the block that it is in, as a later one can't say of anything that
// it happened before that began.
func (c *copying) settle(ctx context.Context) error {
	s := c.to
	if err := s.flushLocked(); err != nil {
		return err
	}
	s.publishStored()
	for _, e := range c.gone {
		r := s.newRemoval()
		r.at, r.over, r.here = e.at, e.over, true
		for _, in := range store.MergeRanges(e.ranges) {
			if err := r.addRange(ctx, uint64(in.First), uint64(in.Last)); err != nil {
				return err
			}
		}
		if err := s.removeLocked(r, 0, false); err != nil {
			return err
		}
	}
	c.gone = nil
	return nil
}

// end ends the copy: next comes next. What is stored later must not come into a block that says what a marked one does.
func (c *copying) end(ctx context.Context, next uint64) error {
	s := c.to
	if err := c.settle(ctx); err != nil {
		return err
	}
	if s.w.next < next {
		if err := s.takeLocked(next-1, nil); err != nil {
			return err
		}
		if err := c.mark(next); err != nil {
			return err
		}
	}
	if s.w.tail == nil {
		return nil
	}
	s.publishSkippedLocked()
	if c.marked != s.w.tail {
		return nil
	}
	return s.sealTailLocked()
}
