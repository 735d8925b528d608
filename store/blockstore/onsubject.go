package blockstore

import (
	"math"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
)

// Under wmu, when what was stored is published, the index of subjects does not change, nor the places it points to.

// lastOnLocked returns the highest live sequence on a pattern, 0 if there is none.
func (s *Stream) lastOnLocked(pattern string) (store.Seq, error) {
	c, err := s.subjectStateLocked(bg, pattern) // has the index made
	if err != nil || store.IsLiteral(pattern) {
		return c.Last, err
	}
	m, err := s.lastMatch(bg, subjects.NewFilter(store.Query{Subject: pattern}), 1, math.MaxUint64)
	return store.Seq(m.seq), err
}

// countOnLocked counts the live messages on a literal subject.
func (s *Stream) countOnLocked(subject string) (int64, error) {
	c, err := s.subjectStateLocked(bg, subject)
	return int64(c.Messages), err
}

// oldestOnLocked returns the oldest n live messages on a literal subject, below sequence end if that is not 0.
func (s *Stream) oldestOnLocked(subject string, end uint64, n int64) ([]store.Range, error) {
	c, err := s.subjectStateLocked(bg, subject)
	if err != nil || c.Messages == 0 {
		return nil, err
	}
	if end == 0 {
		end = math.MaxUint64
	}
	var oldest []store.Range
	f, cur := subjects.NewFilter(store.Query{Subject: subject}), s.cur.Load()
	for b := max(cur.blockOf(uint64(c.First)), 0); b < len(cur.blocks); b++ {
		v := cur.view(b)
		if v.hdr.First >= end || v.hdr.First > uint64(c.Last) {
			break
		}
		m, err := s.matcher(v, f)
		if err != nil {
			return nil, err
		}
		for i := m.next(0); i < v.count; i = m.next(i + 1) {
			seq := v.seqOf(i)
			if n == 0 || seq >= end {
				return oldest, nil
			}
			oldest = append(oldest, store.Range{First: store.Seq(seq), Last: store.Seq(seq)})
			n--
		}
	}
	return oldest, nil
}

// touchAllLocked notes the subjects that have more live messages than they may.
func (s *Stream) touchAllLocked(cfg *store.Config) error {
	if _, err := s.subjectStateLocked(bg, ""); err != nil { // has the index made
		return err
	}
	look := func(m *subjects.Map, e *subjects.Subject) bool {
		if e.Count > uint64(cfg.MaxMsgsPerSubject) {
			s.lim.touched = append(s.lim.touched, m.NameOf(e))
		}
		return true
	}
	return s.eachSubject(bg, subjects.NewFilter(store.Query{}), look, func() error { return nil })
}

// all is a number of messages that no stream has.
const all = math.MaxInt64
