package uring

import (
	"errors"
	"log/slog"
	"sync"

	"golang.org/x/sys/unix"

	"jsfs/fusefs/spinner"
)

// Handler answers a request, given in parts, into the parts of out, and returns how many bytes the
// answer has with its header; 0 if it could make nothing of the request, which is EIO then. It is called
// concurrently, may take as long as it likes, and must not keep in or out.
type Handler func(in, out [][]byte) int

// Options say what is to be served.
type Options struct {
	// FD is the connection to the kernel, of /dev/fuse. It must stay open until Wait has returned.
	FD int
	// MaxPayload is the largest data of a request or an answer, in bytes: what INIT agreed on, at least.
	MaxPayload int
	// Handle answers requests.
	Handle Handler
	// Interrupt is told that the caller of a request has a signal waiting. The kernel says so on
	// /dev/fuse, but not always. It may be told more than once, and when the request is answered.
	Interrupt func(unique uint64)
	// Logger gets what goes wrong.
	Logger *slog.Logger
}

// Conn is a FUSE connection that is served over io_uring.
type Conn struct {
	opt    Options
	queues []*queue

	started chan struct{}  // closed by Start
	given   chan struct{}  // closed by Cancel: nothing is to be served
	running sync.WaitGroup // receivers and workers

	watch   *watch
	spinner *spinner.Spinner
}

// Prepare gets all ready that may fail. Then the kernel's INIT is to be answered, with FUSE_OVER_IO_URING among
// its flags, and Start called; or Cancel.
func Prepare(opt Options) (*Conn, error) {
	cpus, err := possibleCPUs()
	if err != nil {
		return nil, err
	}
	c := &Conn{opt: opt, started: make(chan struct{}), given: make(chan struct{}), watch: newWatch(opt.Interrupt), spinner: spinner.New()}
	ready := make(chan error)
	for cpu := range cpus {
		q := &queue{conn: c, cpu: cpu, reserve: min(max(allReserves/cpus, minReserve), maxReserve)}
		c.queues = append(c.queues, q)
		c.running.Add(1)
		go q.receive(ready)
	}
	for range c.queues {
		err = errors.Join(err, <-ready)
	}
	if err != nil {
		c.Cancel()
		return nil, err
	}
	return c, nil
}

// Start begins to serve. The kernel holds all requests back until each queue has entries.
func (c *Conn) Start() {
	go c.watch.run()
	c.spinner.Start()
	close(c.started)
}

// Cancel undoes Prepare.
func (c *Conn) Cancel() {
	close(c.given)
	c.running.Wait()
}

// Wait is called when the connection has ended. Whoever still works on a request is told that nobody
// waits for it, and when all are done Wait returns.
func (c *Conn) Wait() {
	c.watch.close()
	c.running.Wait()
	c.watch.finish()
	c.spinner.Finish()
}

// begins says whether there is something to serve, once it is known.
func (c *Conn) begins() bool {
	select {
	case <-c.started:
		return true
	case <-c.given:
		return false
	}
}

// ended says whether err is how a connection ends.
func ended(err error) bool {
	for _, errno := range []unix.Errno{unix.ENOTCONN, unix.ECONNABORTED, unix.ECANCELED, unix.ENODEV} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
