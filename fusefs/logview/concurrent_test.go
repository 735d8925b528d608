package logview_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

// storm lets writers append and removers remove everything odd, in the middle and at the front, while
// readers read; numbered lines tell what they must have met.
type storm struct {
	t    *testing.T
	s    store.Stream
	log  *logview.Log
	last int // the highest number that is written
}

// write appends the numbers from 1 to last, of which the odd ones are to be removed.
func (x *storm) write(ctx context.Context) {
	for i := 1; i <= x.last; i++ {
		text := fmt.Sprintf("%d %s\n", i, strings.Repeat("x", i%37))
		if _, err := x.s.Append(ctx, store.Entry{Subject: "s", Data: []byte(text)}); err != nil {
			x.t.Error(err)
			return
		}
	}
}

// remove takes out the odd sequences, keeping a distance behind the writer.
func (x *storm) remove(ctx context.Context, from, step, distance int) {
	for i := from; i <= x.last-distance; i += step {
		for ctx.Err() == nil {
			st, err := x.s.State(ctx)
			if err != nil {
				x.t.Error(err)
				return
			}
			if int(st.Last) >= i+distance {
				break
			}
			time.Sleep(10 * time.Microsecond)
		}
		if _, err := x.s.Remove(ctx, store.Seq(i)); err != nil {
			x.t.Error(err)
			return
		}
	}
}

// follow reads on from the beginning until it has met the last number, the way tail -f
// does: it also looks at the size, which must never be less than its position or shrink.
func (x *storm) follow(ctx context.Context, chunk int) {
	h, err := x.log.Open(ctx)
	if err != nil {
		x.t.Error(err)
		return
	}
	defer h.Close()
	var text []byte
	var off, size int64
	p := make([]byte, chunk)
	for prev := 0; prev < x.last; {
		n, err := h.ReadAt(ctx, p, off)
		if err != nil && err != io.EOF {
			x.t.Error(err)
			return
		}
		off += int64(n)
		now, err := x.log.Size(ctx)
		if err != nil || now < off || now < size {
			x.t.Errorf("the size is %d, %v; it was %d, and the reader is at %d", now, err, size, off)
			return
		}
		size = now
		text = append(text, p[:n]...)
		for {
			line, rest, ok := strings.Cut(string(text), "\n")
			if !ok {
				break
			}
			text = append(text[:0], rest...)
			if !x.check(line, &prev) {
				return
			}
		}
	}
}

// check looks at a line that was read: whole, in order, and no even one is missing.
func (x *storm) check(line string, prev *int) bool {
	var i int
	if _, err := fmt.Sscanf(line, "%d ", &i); err != nil || line != fmt.Sprintf("%d %s", i, strings.Repeat("x", i%37)) {
		x.t.Errorf("after %d comes the line %q", *prev, line)
		return false
	}
	if i <= *prev || i > *prev+2 || i == *prev+2 && i%2 == 1 {
		x.t.Errorf("after %d comes %d", *prev, i)
		return false
	}
	*prev = i
	return true
}

func TestReadersInAStorm(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) { testStorm(t, newStream(t)) })
}

func testStorm(t *testing.T, s store.Stream) {
	x := &storm{t: t, s: s, log: logview.New(s, store.Query{}, logview.Payloads), last: 6000}
	x.log.SetLimits(64, 256)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // who waits for what never comes ends then
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { x.write(ctx) })
	wg.Go(func() { x.remove(ctx, 1, 4, 10) })
	wg.Go(func() { x.remove(ctx, 3, 4, 500) })
	for _, chunk := range []int{7, 4096, 1 << 20} {
		wg.Go(func() { x.follow(ctx, chunk) })
	}
	wg.Go(func() { // others come and go, and look around
		for off := int64(0); ctx.Err() == nil; off = (off*7919 + 13) % 100_000 {
			h, err := x.log.Open(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			n, err := h.ReadAt(ctx, make([]byte, 4096), off)
			if err != nil && err != io.EOF {
				t.Error(err)
			}
			h.Close()
			if st, err := s.State(ctx); err != nil || int(st.Last) == x.last && n > 0 {
				return
			}
		}
	})
	wg.Wait()
	if ctx.Err() != nil {
		t.Error("it does not end")
	}
}
