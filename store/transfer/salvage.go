package transfer

import (
	"context"
	"errors"
	"slices"

	"jsfs/store"
)

// salvage is for the origin of a rescue, whose disk may lose more and more: what an earlier call has copied, and the origin can't
// give any more, stays in the copy. Nil is for an origin that gives what it gave before.
type salvage struct {
	from store.Stream
	lost []Lost      // what from was known to have lost when that was looked at last
	kept []store.Seq // what the copy has of that, in order
}

// lacks says whether the origin had a message and can't give it any more.
func (s *salvage) lacks(ctx context.Context, seq store.Seq) (bool, error) {
	if s.isLost(seq) {
		return true, nil
	}
	_, err := s.from.Load(ctx, seq, nil)
	switch {
	case errors.As(err, new(*store.CorruptError)):
		return true, nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrBeyond): // with all of a block, for example
		s.lost, err = lostOf(ctx, s.from, ^store.Seq(0))
		return s.isLost(seq), err
	}
	return false, err
}

func (s *salvage) isLost(seq store.Seq) bool {
	return slices.ContainsFunc(s.lost, func(l Lost) bool { return l.First <= seq && seq <= l.Last })
}

// passKept goes on in what the copy has, up to before a message, as far as that is what the origin lacks; t counts it.
func (s *salvage) passKept(ctx context.Context, c *comparison, before store.Seq, t *tally) error {
	for s != nil {
		got, err := c.peek()
		if err != nil || got == nil || got.Seq >= before {
			return err
		}
		if lacks, err := s.lacks(ctx, got.Seq); err != nil || !lacks {
			return err
		}
		s.kept = append(s.kept, got.Seq)
		t.add(got)
		c.msgs = c.msgs[1:]
	}
	return nil
}

// many is how many messages the copy has that the origin lacks.
func (s *salvage) many() int64 {
	if s == nil {
		return 0
	}
	return int64(len(s.kept))
}

// without leaves out of what is lost what the copy has.
func (s *salvage) without(lost []Lost) []Lost {
	if s == nil || len(s.kept) == 0 {
		return lost
	}
	var left []Lost
	for _, l := range lost {
		i, _ := slices.BinarySearch(s.kept, l.First)
		for ; i < len(s.kept) && s.kept[i] <= l.Last; i++ {
			if seq := s.kept[i]; seq > l.First {
				left = append(left, Lost{l.First, seq - 1})
			}
			l.First = s.kept[i] + 1
		}
		if l.First <= l.Last {
			left = append(left, l)
		}
	}
	return left
}
