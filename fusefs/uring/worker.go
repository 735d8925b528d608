package uring

import "golang.org/x/sys/unix"

// worker answers one request after the other. It is one thread, and has one entry.
type worker struct {
	queue *queue
	ring  *ring
	entry *entry
	many  bool // there are many: it keeps no memory that it does not need
	task  task
}

// manyWorkers is how many workers of a queue keep what large requests took.
const manyWorkers = 4

func (q *queue) newWorker() (*worker, error) {
	e, err := newEntry(q.conn.opt.MaxPayload)
	if err != nil {
		return nil, err
	}
	r, err := newRing(1)
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

// work is the life of a worker whose entry has got its first request.
func (w *worker) work() {
	q := w.queue
	defer q.conn.running.Done()
	defer q.workers.Add(-1)
	defer w.free()
	q.pin()
	w.many = q.workers.Load() > manyWorkers
	q.conn.watch.add(&w.task)
	defer q.conn.watch.remove(&w.task)
	log := q.conn.opt.Logger
	if err := w.ring.begin(); err != nil {
		log.Error("a request is not answered", "cpu", q.cpu, "error", err)
		return
	}
	for {
		w.handle()
		w.ring.submit(q.conn.opt.FD, cmdCommitAndFetch, 0, request{commitID: w.entry.commitID, queue: uint16(q.cpu)}, 0)
		_, failed, err := w.ring.wait()
		if err == nil {
			err = failed
		}
		if err == nil {
			continue
		}
		if !ended(err) { // the entry is lost, and the reserve makes up for it
			log.Error("an answer did not reach the kernel", "cpu", q.cpu, "error", err)
		}
		return
	}
}

// handle has the request answered that is in the entry.
func (w *worker) handle() {
	e, opt := w.entry, &w.queue.conn.opt
	unique := e.unique()
	w.queue.conn.spinner.Request()
	w.queue.busy.Add(1)
	defer w.queue.busy.Add(-1)
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
	if w.many {
		e.trim(n - outHeaderSize)
	}
}
