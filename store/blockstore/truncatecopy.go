package blockstore

import (
	"context"
	"errors"
	"fmt"

	"jsfs/store"
	"jsfs/store/internal/record"
)

const (
	copyBatch = 4096    // how many messages are copied at once …
	copyBytes = 1 << 20 // … or how many bytes of payload
)

// copying copies the messages of one stream to another, with what is known of the sequences that have none. Both are
// locked against changes.
type copying struct {
	from, to *Stream
	n        *snapshot // of from
	next     uint64    // the sequence that comes next
	msgs     []store.Msg
	removed  []store.Range // of msgs
	bytes    int
}

// copyMessages copies what from has up to last, removed messages included. from takes no change from then on if there is no error.
func (s *Stream) copyMessages(ctx context.Context, from *Stream, last uint64) error {
	from.wmu.Lock()
	defer from.wmu.Unlock()
	if err := from.writableLocked(); err != nil {
		return err
	}
	c := copying{from: from, to: s, n: from.cur.Load(), next: uint64(s.config.Load().First())}
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := c.run(ctx, last); err != nil {
		return err
	}
	from.w.failed = fmt.Errorf("stream was truncated, and another one has its name: %w", store.ErrClosed)
	return nil
}

func (c *copying) run(ctx context.Context, last uint64) error {
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
	return c.flush(ctx)
}

// message takes message i of v.
func (c *copying) message(ctx context.Context, v *view, i int, seq uint64) error {
	if err := c.gapBefore(ctx, seq); err != nil {
		return err
	}
	m, err := c.from.load(v, i, nil)
	gone := v.isDeleted(i)
	switch {
	case isCorrupt(err) && !gone:
		return c.absent(ctx, seq, seq, store.CauseLost)
	case isCorrupt(err), errors.Is(err, store.ErrNotFound): // erased
		return c.absent(ctx, seq, seq, store.CauseRemoved)
	case err != nil:
		return err
	}
	c.msgs, c.bytes, c.next = append(c.msgs, m), c.bytes+len(m.Data), seq+1
	if gone {
		c.removed = append(c.removed, store.Range{First: m.Seq, Last: m.Seq})
	}
	if len(c.msgs) < copyBatch && c.bytes < copyBytes {
		return nil
	}
	return c.flush(ctx)
}

// gapBefore accounts for the sequences before seq that no message has.
func (c *copying) gapBefore(ctx context.Context, seq uint64) error {
	for c.next < seq {
		first := c.next
		cause, end, err := c.from.causeAt(c.n, first)
		for err == nil && end < seq-1 {
			more, to, merr := c.from.causeAt(c.n, end+1)
			if err = merr; more != cause {
				break
			}
			end = to
		}
		if err != nil {
			return err
		}
		if err := c.absent(ctx, first, min(end, seq-1), cause); err != nil {
			return err
		}
	}
	return nil
}

// absent notes why the sequences from first to last, which come next, have no message.
func (c *copying) absent(ctx context.Context, first, last uint64, cause store.Cause) error {
	if err := c.flush(ctx); err != nil {
		return err
	}
	s := c.to
	w := &s.w
	if err := s.takeLocked(last, nil); err != nil {
		return err
	}
	c.next = last + 1
	if cause == store.CauseRemoved {
		if err := s.placeControlLocked(); err != nil {
			return err
		}
		ct := record.Control{Kind: record.FlagRemove, Seq: last + 1, Discard: true, Ranges: []record.Range{{First: first, Count: last - first + 1}}}
		if err := s.writeControlLocked(&ct); err != nil {
			return err
		}
		w.next = last + 1
		s.publishSkippedLocked()
		return nil
	}
	why := byte(record.SkipUnused)
	if cause == store.CauseLost {
		why = record.SkipLost
	}
	if err := s.roomLocked(skipSize); err != nil {
		return err
	}
	s.encodeSkip(last-first+1, why, w.time)
	if err := s.flushLocked(); err != nil {
		return err
	}
	s.publishSkippedLocked()
	return nil
}

// flush stores the messages that were taken, and removes those that were.
func (c *copying) flush(ctx context.Context) error {
	s := c.to
	for i := range c.msgs {
		m := &c.msgs[i]
		if err := s.takeLocked(uint64(m.Seq), nil); err != nil {
			return err
		}
		e := store.Entry{Subject: m.Subject, Header: m.Header, Data: m.Data}
		if err := s.roomLocked(recordSize(&e)); err != nil {
			return err
		}
		s.encode(&e, uint64(m.Seq), max(m.Time, s.w.time))
	}
	if err := s.flushLocked(); err != nil {
		return err
	}
	s.publishStored()
	if len(c.removed) > 0 {
		if _, err := s.removeRangesLocked(ctx, store.MergeRanges(c.removed), false); err != nil {
			return err
		}
	}
	clear(c.msgs)
	c.msgs, c.removed, c.bytes = c.msgs[:0], c.removed[:0], 0
	return nil
}
