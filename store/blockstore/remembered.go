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
	first, err := s.firstAfter(since)
	if err != nil {
		return fmt.Errorf("times of the messages: %w", err)
	}
	err = s.eachHeader(first, func(v *view, i int, m *store.Msg) {
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
// messages that are damaged it takes the time of those before them.
func (s *Stream) firstAfter(ns int64) (uint64, error) {
	n := s.cur.Load()
	for b := range n.blocks {
		v := n.view(b)
		if v.count == 0 {
			continue
		}
		if t, err := s.timeAt(&v, v.count-1); err != nil {
			return 0, err
		} else if t <= ns {
			continue
		}
		lo, hi := 0, v.count-1 // the message is between, both included
		for lo < hi {
			mid := int(uint(lo+hi) / 2)
			if t, err := s.timeAt(&v, mid); err != nil {
				return 0, err
			} else if t <= ns {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		return v.seqOf(lo), nil
	}
	return n.last + 1, nil
}

// timeAt returns the time of message i of v, or of the next one before it that is not damaged; that of the
// block if there is none.
func (s *Stream) timeAt(v *view, i int) (int64, error) {
	if t := v.block.trailer; t != nil && i == v.count-1 {
		return t.LastTime, nil
	}
	for ; i >= 0; i-- {
		h, err := s.readHead(v, i)
		if err == nil {
			return h.Time, nil
		}
		if !isCorrupt(err) {
			return 0, err // it would be taken for older than it is
		}
	}
	return v.hdr.Time, nil
}
