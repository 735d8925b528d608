package blockstore

import (
	"context"
	"errors"
	"sort"
	"sync"
	"sync/atomic"

	"jsfs/store"
	"jsfs/store/internal/record"
)

const (
	// sampleEvery is how far apart the messages are whose times are remembered once they were read.
	sampleEvery = 16
	// seekRead is what is read at once to tell the messages between two samples apart.
	seekRead = 4 << 10
)

var seekBuffers = sync.Pool{New: func() any { return new([seekRead]byte) }}

// timeSamples are the times of each sampleEvery-th message of a block, as far as they were read; 0 is
// not yet.
type timeSamples struct {
	used atomic.Bool // since the cache looked last
	t    []atomic.Int64
}

func (x *timeSamples) get(g int) (int64, bool) {
	t := x.t[g].Load()
	return t, t != 0
}

func (x *timeSamples) put(g int, t int64) { x.t[g].Store(t) }

// samplesOf returns the samples of v's times.
func (s *Stream) samplesOf(v *view) *timeSamples {
	n := (v.count + sampleEvery - 1) / sampleEvery
	x := v.times.Load()
	if x != nil && len(x.t) >= n {
		if !x.used.Load() {
			x.used.Store(true)
		}
		return x
	}
	if v.known { // the tail grows: so do its samples, which are gone when it is sealed
		n += n/2 + 64
	}
	y := &timeSamples{t: make([]atomic.Int64, n)}
	if x != nil {
		for g := range x.t {
			y.t[g].Store(x.t[g].Load())
		}
	}
	if v.known {
		v.times.Store(y)
		return y
	}
	return s.cache.addTimes(v.block, y)
}

// SeekTime implements [store.Finder]. Times do not go backwards, so it searches by halves: the blocks, the samples
// of one's times, and the messages between two of them.
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
// block without messages says what the one before it does.
func (s *Stream) endsAt(n *snapshot, b int, ns int64) (bool, error) {
	for ; b >= 0; b-- {
		v := n.view(b)
		if v.count == 0 {
			continue
		}
		if !v.known && v.trailer != nil {
			return v.trailer.LastTime >= ns, nil
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
	samples := s.samplesOf(v)
	var failed error
	sure := true
	// The first sample that is late enough: the message is that, or between it and the one before.
	g := sort.Search((v.count+sampleEvery-1)/sampleEvery, func(g int) bool {
		if failed != nil || !sure {
			return true
		}
		t, ok := samples.get(g)
		if !ok {
			if t, ok, failed = s.timeOf(v, g*sampleEvery); ok {
				samples.put(g, t)
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
	lo, hi := (g-1)*sampleEvery+1, min(g*sampleEvery, v.count)
	i, ok, err := s.seekNear(v, ns, lo, hi)
	if err == nil && !ok {
		return s.seekSlowly(v, ns, lo, hi)
	}
	return i, err
}

// seekNear is seekSlowly with one read for messages that stand close together. ok is false if they do not, or
// if one of them can't be read.
func (s *Stream) seekNear(v *view, ns int64, lo, hi int) (i int, ok bool, err error) {
	if lo == hi {
		return lo, true, nil
	}
	offs, err := s.indexOf(v)
	if err != nil {
		return 0, false, err
	}
	start, end := int64(offs[lo]), min(int64(offs[hi-1])+record.MaxHead, v.end)
	if start == 0 || end-start > seekRead {
		return 0, false, nil
	}
	buf := seekBuffers.Get().(*[seekRead]byte)
	defer seekBuffers.Put(buf)
	b := buf[:end-start]
	if s.readAt(v.block, b, start) != nil {
		return 0, false, nil // the messages one by one have a better error
	}
	ok = true
	i = lo + sort.Search(hi-lo, func(k int) bool {
		off := int64(offs[lo+k])
		if off < start || off >= end {
			ok = false
			return true
		}
		h, err := v.coder.Head(b[off-start:], off)
		ok = ok && err == nil && h.Seq == v.seqOf(lo+k)
		return h.Time >= ns
	})
	return i, ok, nil
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
