package uring

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// maxWorkers is how many requests a queue works on at a time. What is asked meanwhile waits.
	maxWorkers = 4096

	// Entries in reserve: a queue's share of allReserves, within bounds. So many requests may come while one
	// new worker begins.
	allReserves = 64
	minReserve  = 4
	maxReserve  = 16
)

// queue is one of the kernel's queues. Its receiver is a thread that never waits for anything but requests. It holds entries
// in reserve: armed long ago, they are given to requests when no worker's entry is free. The request then gets a worker
// of its own, to which the entry goes over with the answer, and the receiver arms another one.
//
// There must always be an entry that is armed. A request that finds none is given to the next one that comes back
// with an answer, and not to a new one; if all answers wait for something, it would wait as well.
type queue struct {
	conn    *Conn
	cpu     int
	reserve int
	workers atomic.Int64
	busy    atomic.Int64 // of the workers, those that have a request

	// The receiver's alone.
	ring    *ring
	armed   []*worker // by the number that their commands have
	limited bool      // it was said that there are no more workers
}

// pin makes the calling goroutine a thread of its own, on the queue's CPU if that is for us. It ends with
// the goroutine.
func (q *queue) pin() {
	runtime.LockOSThread()
	var only unix.CPUSet
	only.Set(q.cpu)
	_ = unix.SchedSetaffinity(0, &only)
}

// receive is the life of the queue's receiver. What comes of its preparation goes to ready.
func (q *queue) receive(ready chan<- error) {
	defer q.conn.running.Done()
	q.pin()
	err := q.prepare()
	ready <- err
	defer q.free()
	if err != nil || !q.conn.begins() {
		return
	}
	for i := range q.armed {
		q.arm(i)
	}
	for {
		data, failed, err := q.ring.wait()
		switch {
		case err != nil:
			q.conn.opt.Logger.Error("requests wait for each other", "cpu", q.cpu, "error", err)
			return
		case ended(failed):
			return
		case failed != nil: // the kernel has no entry of that
			q.conn.opt.Logger.Error("the kernel takes no more entries for requests", "cpu", q.cpu, "error", failed)
			q.armed[data].free()
			q.armed[data] = nil
			if q.allGone() {
				return
			}
			continue
		}
		w := q.armed[data]
		q.armed[data] = nil
		q.workers.Add(1)
		q.conn.running.Add(1)
		go w.work()
		q.refill()
	}
}

// prepare makes the receiver's ring, and the workers in reserve.
func (q *queue) prepare() (err error) {
	if q.ring, err = newRing(uint32(q.reserve)); err != nil {
		return err
	}
	if err = q.ring.begin(); err != nil {
		return err
	}
	for range q.reserve {
		w, err := q.newWorker()
		if err != nil {
			return err
		}
		q.armed = append(q.armed, w)
	}
	return nil
}

// arm registers the entry of a worker in reserve.
func (q *queue) arm(i int) {
	q.ring.submit(q.conn.opt.FD, cmdRegister, q.armed[i].entry.iovecs(), request{queue: uint16(q.cpu)}, uint64(i))
}

// refill arms entries anew, if too few are. What was armed last is used first, before the entries of idle workers, and then there is one thread more:
// so a request that comes while one other is answered must not lead to a refill each time. As long as workers are idle, some old
// entries are enough: they are used when no worker is.
func (q *queue) refill() {
	armed := 0
	for _, w := range q.armed {
		if w != nil {
			armed++
		}
	}
	idle := int(q.workers.Load() - q.busy.Load())
	if armed >= q.reserve/4 && armed+idle >= q.reserve {
		return
	}
	for i, w := range q.armed {
		if w == nil && !q.replace(i) {
			return
		}
	}
}

// replace puts a worker into the reserve. Without one, requests wait for others to be answered.
func (q *queue) replace(i int) bool {
	var err error
	if q.workers.Load() >= maxWorkers {
		err = fmt.Errorf("there are %d already", maxWorkers)
	} else if q.armed[i], err = q.newWorker(); err == nil {
		q.arm(i)
		return true
	}
	q.armed[i] = nil
	if !q.limited {
		q.limited = true
		q.conn.opt.Logger.Warn("no more threads are made for requests that wait", "cpu", q.cpu, "reason", err)
	}
	return false
}

func (q *queue) allGone() bool {
	for _, w := range q.armed {
		if w != nil {
			return false
		}
	}
	return true
}

// free lets go of the reserve, for whose entries no request can come any more.
func (q *queue) free() {
	if q.ring != nil {
		q.ring.close()
	}
	for _, w := range q.armed {
		if w != nil {
			w.free()
		}
	}
}
