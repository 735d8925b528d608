package blockstore

import (
	"context"
	"errors"
	"slices"
	"sort"
	"sync"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// seekRead is what is read at once to learn the times of a group of messages.
const seekRead = 16 << 10

var seekBuffers = sync.Pool{New: func() any { return new([seekRead]byte) }}

// timesOf returns what is remembered of the times of v's messages.
func (s *Stream) timesOf(v *view) *blockTimes {
	n := groupsOf(v.count)
	x := v.times.Load()
	if x != nil && len(x.first) >= n {
		if !x.used.Load() {
			x.used.Store(true)
		}
		return x
	}
	if v.known && (x == nil || !x.counted) { // the tail grows: so do they, and are gone when it is sealed
		y := x.grown(n + n/2 + 64)
		if v.times.CompareAndSwap(x, y) {
			if now := s.cur.Load(); !now.open || now.tail.block != v.block {
				v.times.CompareAndSwap(y, nil) // it was sealed meanwhile, and who did that may have looked before
			}
		}
		return y
	}
	return s.cache.addTimes(v.block, x.grown(n))
}

// SeekTime implements [store.Finder]. Times do not go backwards, so it searches by halves: the blocks, the groups of one's
// messages, and in a group what is remembered of the times. Only what that does not tell apart is read.
func (s *Stream) SeekTime(ctx context.Context, ns int64) (store.Seq, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	n := s.cur.Load()
	var failed error
	// The first block whose last message is late enough.
	b := sort.Search(len(n.blocks), func(b int) bool {
		if failed != nil {
			return true
		}
		late, err := s.endsAt(n, b, ns)
		failed = err
		return late
	})
	if failed != nil {
		return 0, failed
	}
	if b == len(n.blocks) {
		return store.Seq(n.last + 1), nil
	}
	v := n.view(b)
	i, err := s.seekIn(&v, ns)
	if err != nil {
		return 0, err
	}
	if i >= v.count { // only messages that can't be read are late enough
		return store.Seq(n.nextLive(v.next)), nil
	}
	return store.Seq(n.nextLive(v.seqOf(i))), nil
}

// endsAt says whether a message of block b, or of the ones before it as far as they can't tell, has the time ns or later. A
// block without messages says what the one before it does. The tail, which comes last, may say so and have none.
func (s *Stream) endsAt(n *snapshot, b int, ns int64) (bool, error) {
	for ; b >= 0; b-- {
		if n.open && b == len(n.blocks)-1 {
			if n.tail.count > 0 {
				return true, nil
			}
			continue
		}
		v := n.view(b)
		if f := v.trailer; f != nil && v.count > 0 {
			return f.LastTime >= ns, nil
		}
		for i := v.count - 1; i >= 0; i-- {
			t, ok, err := s.timeOf(&v, i)
			if ok || err != nil {
				return t >= ns, err
			}
		}
	}
	return false, nil
}

// seekIn returns the first message of v with the time ns or later, or count. A message that can't be read
// is as late as the next one that can.
func (s *Stream) seekIn(v *view, ns int64) (int, error) {
	times := s.timesOf(v)
	var failed error
	sure := true
	// The first group that begins late enough: the message is its first one, or in the group before.
	g := sort.Search(groupsOf(v.count), func(g int) bool {
		if failed != nil || !sure {
			return true
		}
		t, ok := times.get(g)
		if !ok {
			if t, ok, failed = s.timeOf(v, g*timeGroup); ok {
				times.put(g, t)
			}
			sure = ok
		}
		return t >= ns
	})
	switch {
	case failed != nil:
		return 0, failed
	case !sure:
		return s.seekSlowly(v, ns, 0, v.count)
	case g == 0:
		return 0, nil
	}
	return s.seekInGroup(v, times, g-1, ns)
}

// seekInGroup returns the first message of group g of v, or behind it, with the time ns or later, which the first one of the
// group does not have.
func (s *Stream) seekInGroup(v *view, times *blockTimes, g int, ns int64) (int, error) {
	start, end := g*timeGroup, min((g+1)*timeGroup, v.count)
	lo, hi := start+1, end
	near, far, known := times.seek(g, ns)
	if known {
		lo, hi = min(start+near, end), min(start+far, end)
	}
	if lo == hi {
		return lo, nil
	}
	var a [timeGroup]int64
	read := a[:hi-lo]
	ok, err := s.readTimes(v, lo, read)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return s.seekSlowly(v, ns, lo, hi)
	case !known && (end-start == timeGroup || !v.known): // else the group grows
		times.learn(g, read)
	}
	i, _ := slices.BinarySearch(read, ns)
	return lo + i, nil
}

// readTimes reads the times of the messages from lo on, with one read. ok is false if they do not stand close together, or
// if one of them can't be read.
func (s *Stream) readTimes(v *view, lo int, times []int64) (ok bool, err error) {
	offs, err := s.indexOf(v)
	if err != nil {
		return false, err
	}
	start, end := offs.at(lo), min(offs.at(lo+len(times)-1)+record.MaxHead, v.end)
	if start == 0 || end <= start || end-start > seekRead {
		return false, nil
	}
	buf := seekBuffers.Get().(*[seekRead]byte)
	defer seekBuffers.Put(buf)
	b := buf[:end-start]
	if s.readAt(v.block, b, start) != nil {
		return false, nil // the messages one by one have a better error
	}
	for k := range times {
		off := offs.at(lo + k)
		if off < start || off >= end {
			return false, nil
		}
		h, err := v.coder.Head(b[off-start:], off)
		if err != nil || h.Seq != v.seqOf(lo+k) {
			return false, nil
		}
		times[k] = h.Time
	}
	return true, nil
}

// seekSlowly returns the first message of v from lo to before hi with the time ns or later, or hi.
func (s *Stream) seekSlowly(v *view, ns int64, lo, hi int) (int, error) {
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		// The time of mid, or of the next one that can be read.
		at := mid
		t, ok, err := s.timeOf(v, at)
		for err == nil && !ok && at+1 < hi {
			at++
			t, ok, err = s.timeOf(v, at)
		}
		switch {
		case err != nil:
			return 0, err
		case !ok || t >= ns:
			hi = mid
		default:
			lo = at + 1
		}
	}
	return lo, nil
}

// timeOf returns the time of message i of v. ok is false if damage has taken it.
func (s *Stream) timeOf(v *view, i int) (t int64, ok bool, err error) {
	h, err := s.readHead(v, i)
	var corrupt *store.CorruptError
	if errors.As(err, &corrupt) {
		return 0, false, nil
	}
	return h.Time, err == nil, err
}
