package uring

import (
	"sync/atomic"
	"time"
)

const (
	// maxWorkers is how many requests a queue works on at a time. What is asked meanwhile waits.
	maxWorkers = 4096
	// maxStall is how long a queue's requests may all wait for something before it gets another worker.
	maxStall = time.Millisecond
	// maxGrowth is how many workers a queue gets at a time.
	maxGrowth = 16
)

// queue is one of the kernel's queues. It has a worker for each request that waits for something, and one more
// once all had to wait: a short request is better left to who is awake, who gets it with the same system
// call that brings the answer before it.
type queue struct {
	conn    *Conn
	cpu     int
	workers atomic.Int64
	idle    atomic.Int64  // workers that wait for a request
	served  atomic.Uint64 // requests that were answered
	tight   atomic.Bool   // no worker was idle, and growAsNeeded knows
	poke    chan struct{} // tells growAsNeeded
	full    bool          // it was said that there are no more workers; growAsNeeded's alone
}

func newQueue(c *Conn, cpu int) *queue {
	return &queue{conn: c, cpu: cpu, poke: make(chan struct{}, 1)}
}

// taken notes that a worker was given a request, and how many are idle now.
func (q *queue) taken(idle int64) {
	if idle == 0 && !q.tight.Load() && q.tight.CompareAndSwap(false, true) {
		q.poke <- struct{}{}
	}
}

// growAsNeeded adds workers when all wait, until the connection ends.
func (q *queue) growAsNeeded() {
	defer q.conn.growing.Done()
	for {
		select {
		case <-q.conn.stopped:
			return
		case <-q.poke:
		}
		tick := time.NewTicker(maxStall)
		for served, more := q.served.Load(), 1; q.tight.Load(); {
			select {
			case <-q.conn.stopped:
				tick.Stop()
				return
			case <-tick.C:
			}
			if q.idle.Load() > 0 {
				q.tight.Store(false)
				if q.idle.Load() > 0 || !q.tight.CompareAndSwap(false, true) {
					break // who takes the last one sees that nobody knows
				}
			}
			if now := q.served.Load(); now != served {
				served, more = now, 1
				continue
			}
			for range more {
				q.grow()
			}
			more = min(2*more, maxGrowth)
		}
		tick.Stop()
	}
}

// grow adds a worker.
func (q *queue) grow() {
	if q.workers.Load() >= maxWorkers {
		if !q.full {
			q.full = true
			q.conn.opt.Logger.Warn("so many requests wait for something that no more are taken before one is done", "cpu", q.cpu, "requests", maxWorkers)
		}
		return
	}
	q.workers.Add(1)
	q.conn.running.Add(1)
	go q.work(nil)
}
