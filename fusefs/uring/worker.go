package uring

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// worker answers one request after the other. It is one thread.
type worker struct {
	queue *queue
	ring  *ring
	entry *entry
	spare bool // it was added when all others were busy
	task  task
}

// work is the life of a worker. What comes of its preparation goes to ready, unless that is nil.
func (q *queue) work(ready chan<- error) {
	defer q.conn.running.Done()
	defer q.workers.Add(-1)
	runtime.LockOSThread() // and never unlocked: the thread ends with the worker
	var only unix.CPUSet
	only.Set(q.cpu)
	_ = unix.SchedSetaffinity(0, &only) // where that CPU is not for us, anywhere else will do

	w, err := q.newWorker()
	if ready != nil {
		ready <- err
	} else if err != nil {
		q.conn.opt.Logger.Error("requests wait for each other", "reason", err)
	}
	if err != nil {
		return
	}
	w.spare = ready == nil
	defer w.free()
	if !q.conn.begins() {
		return
	}
	q.conn.watch.add(&w.task)
	defer q.conn.watch.remove(&w.task)
	w.serve()
}

func (q *queue) newWorker() (*worker, error) {
	e, err := newEntry(q.conn.opt.MaxPayload)
	if err != nil {
		return nil, err
	}
	r, err := newRing()
	if err != nil {
		e.free()
		return nil, err
	}
	return &worker{queue: q, ring: r, entry: e}, nil
}

func (w *worker) free() {
	w.ring.close()
	w.entry.free()
}

// serve answers requests until the connection ends.
func (w *worker) serve() {
	q := w.queue
	command, req, buffers := uint32(cmdRegister), request{queue: uint16(q.cpu)}, w.entry.iovecs()
	for {
		q.idle.Add(1)
		err := w.ring.do(q.conn.opt.FD, command, buffers, req)
		idle := q.idle.Add(-1)
		switch {
		case err == nil:
		case ended(err):
			return
		case command == cmdRegister:
			q.conn.opt.Logger.Error("the kernel takes no more entries for requests", "queue", q.cpu, "error", err)
			return
		default: // the entry is lost
			q.conn.opt.Logger.Error("an answer did not reach the kernel", "queue", q.cpu, "error", err)
			command, req, buffers = cmdRegister, request{queue: uint16(q.cpu)}, w.entry.iovecs()
			continue
		}
		q.taken(idle)
		w.handle()
		q.served.Add(1)
		command, req, buffers = cmdCommitAndFetch, request{commitID: w.entry.commitID, queue: uint16(q.cpu)}, 0
	}
}

// handle has the request answered that is in the entry.
func (w *worker) handle() {
	e, opt := w.entry, &w.queue.conn.opt
	unique := e.unique()
	w.queue.conn.watch.begin(&w.task, unique, e.pid())
	defer w.task.end()
	if err := e.take(); err != nil {
		opt.Logger.Error("the kernel's request is not understood", "error", err)
		e.fail(unique, unix.EIO)
		return
	}
	n := opt.Handle(e.in[:], e.out[:])
	if n == 0 {
		e.fail(unique, unix.EIO)
		return
	}
	e.answer(n)
}
