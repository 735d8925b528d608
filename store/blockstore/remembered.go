package blockstore

import (
	"errors"
	"fmt"

	"jsfs/store"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/record"
)

// findIDsLocked makes the window from the messages that are younger than since, removed ones included:
// who sends a message again does not know that it was removed.
func (s *Stream) findIDsLocked(since int64) error {
	ids := policy.NewWindow()
	err := s.eachHeader(s.firstAfter(since), func(v *view, i int, m *store.Msg) {
		if id := policy.IDOf(m.Header); id != "" {
			ids.Add(id, m.Seq, m.Time)
		}
	})
	if err != nil {
		return fmt.Errorf("ids of the messages: %w", err)
	}
	s.lim.ids = ids
	return nil
}

// findDeadlinesLocked notes when the live messages go that have a TTL.
func (s *Stream) findDeadlinesLocked() error {
	s.lim.ttls = policy.Deadlines{}
	err := s.eachHeader(s.cur.Load().first, func(v *view, i int, m *store.Msg) {
		if !v.isDeleted(i) {
			s.lim.ttls.Add(m.Seq, m.Time, policy.TTLOf(m.Header))
		}
	})
	if err != nil {
		return fmt.Errorf("TTLs of the messages: %w", err)
	}
	return nil
}

// eachHeader calls f for the messages from seq on that have a header, removed ones included, in order. What
// can't be read any more is passed over. m is good until the next call.
func (s *Stream) eachHeader(seq uint64, f func(v *view, i int, m *store.Msg)) error {
	n := s.cur.Load()
	var buf []byte
	for b := max(n.blockOf(seq), 0); b < len(n.blocks); b++ {
		v := n.view(b)
		for i, _ := v.place(seq); i < v.count; i++ {
			h, err := s.readHead(&v, i)
			if err == nil && h.Flags&record.FlagHeader == 0 {
				continue
			}
			var m store.Msg
			if err == nil {
				m, err = s.load(&v, i, buf)
			}
			switch {
			case record.IsVersion(err):
				return err
			case isCorrupt(err), errors.Is(err, store.ErrNotFound):
				continue
			case err != nil:
				return err
			}
			f(&v, i, &m)
			if cap(m.Data) > cap(buf) {
				buf = m.Data[:0]
			}
		}
	}
	return nil
}

// firstAfter returns the lowest sequence of a message, removed or not, with a time above ns; Last + 1 if there is none. Of
// messages whose time can't be read it takes that of those before them.
func (s *Stream) firstAfter(ns int64) uint64 {
	n := s.cur.Load()
	for b := range n.blocks {
		v := n.view(b)
		if v.count == 0 || s.timeAt(&v, v.count-1) <= ns {
			continue
		}
		lo, hi := 0, v.count-1 // the message is between, both included
		for lo < hi {
			if mid := int(uint(lo+hi) / 2); s.timeAt(&v, mid) <= ns {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		return v.seqOf(lo)
	}
	return n.last + 1
}

// timeAt returns the time of message i of v, or of the next one before it that can be read; that of the
// block if there is none.
func (s *Stream) timeAt(v *view, i int) int64 {
	if t := v.block.trailer; t != nil && i == v.count-1 {
		return t.LastTime
	}
	for ; i >= 0; i-- {
		if h, err := s.readHead(v, i); err == nil {
			return h.Time
		}
	}
	return v.hdr.Time
}
