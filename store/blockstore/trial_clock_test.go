package blockstore_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

const year = 365 * 24 * time.Hour

// TestTrialTheClockJumps lets the wall clock jump while a store is closed and while it is open (P13). Messages stay in
// order; far ahead, nothing expires for an hour, and nothing at all if the clock is put right.
func TestTrialTheClockJumps(t *testing.T) {
	jumps := map[string]func(now time.Time) time.Duration{
		"ten years ahead": func(time.Time) time.Duration { return 10 * year },
		"a year ahead":    func(time.Time) time.Duration { return year },
		"ten years back":  func(time.Time) time.Duration { return -10 * year },
		"an hour back":    func(time.Time) time.Duration { return -time.Hour },
		"to 1970":         func(now time.Time) time.Duration { return -now.Sub(time.Unix(0, 0)) },
	}
	for seed := range rounds(1000, 10_000) / len(jumps) {
		for name, jump := range jumps {
			synctest.Test(t, func(t *testing.T) {
				c := &clockTrial{T: t, mem: vfs.NewMem(), what: fmt.Sprintf("seed %d, %s", seed, name)}
				c.run(seed, jump)
			})
			if t.Failed() {
				return
			}
		}
	}
}

// clockTrial is a store whose clock is wrong by off.
type clockTrial struct {
	*testing.T
	mem  *vfs.Mem
	what string
	off  atomic.Int64 // how far the clock is off, in nanoseconds; timers look at it
	s    *blockstore.Store
	st   store.Stream
}

// run writes a while, lets the clock jump with the store open or closed, and looks what becomes of the messages. They
// have four weeks, so that only a wrong clock takes them away in the hours that the trial lasts.
func (c *clockTrial) run(seed int, jump func(time.Time) time.Duration) {
	rng := seeded(seed)
	closed, right := rng.IntN(2) == 0, rng.IntN(2) == 0
	c.open()
	_, err := c.s.Create(bg, store.Config{Name: "S", MaxAge: 28 * 24 * time.Hour, AllowMsgTTL: true})
	must(c.T, err)
	c.stream()
	for range 1 + rng.IntN(20) {
		c.append(rng.IntN(3) == 0)
		time.Sleep(time.Duration(rng.Int64N(int64(time.Minute))))
	}
	n := c.live()
	if closed {
		must(c.T, c.s.Close())
	}
	c.off.Store(int64(jump(time.Now())))
	ahead := c.off.Load() > 0
	if closed {
		c.open()
		c.stream()
	}
	c.want(n, "at once")
	for range 5 {
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		c.want(n, "within the hour")
	}
	if right {
		c.off.Store(0)
	}
	time.Sleep(90 * time.Minute)
	synctest.Wait()
	switch {
	case ahead && !right:
		c.want(0, "hours later, as nobody put the clock right")
	default:
		c.want(n, "hours later")
	}
	for range 3 {
		c.append(false)
	}
	c.order()
	must(c.T, c.s.Close())
}

func (c *clockTrial) open() {
	opt := trialOptions(blockstore.SyncInterval)
	opt.Now = func() int64 { return time.Now().UnixNano() + c.off.Load() }
	s, err := blockstore.Open(c.mem, opt)
	must(c.T, err)
	c.s = s
}

func (c *clockTrial) stream() {
	st, err := c.s.Stream(bg, "S")
	must(c.T, err)
	c.st = st
}

func (c *clockTrial) append(ttl bool) {
	e := store.Entry{Subject: "x", Data: []byte("x")}
	if ttl {
		e.Header = []byte("NATS/1.0\r\nNats-TTL: 500h\r\n\r\n")
	}
	_, err := c.st.Append(bg, e)
	must(c.T, err)
}

func (c *clockTrial) live() int64 {
	state, err := c.st.State(bg)
	must(c.T, err)
	return state.Live.Messages
}

func (c *clockTrial) want(n int64, when string) {
	if got := c.live(); got != n {
		c.Errorf("%s: %s %d messages are live, want %d", c.what, when, got, n)
	}
}

// order demands that times never go backwards.
func (c *clockTrial) order() {
	last := store.Meta{}
	for m, err := range c.st.Scan(bg, store.Query{}) {
		must(c.T, err)
		if m.Seq <= last.Seq || m.Time < last.Time {
			c.Errorf("%s: message %d at %d follows %d at %d", c.what, m.Seq, m.Time, last.Seq, last.Time)
		}
		last = m
	}
}
