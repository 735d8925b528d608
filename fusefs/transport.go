package fusefs

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/spinner"
	"jsfs/fusefs/uring"
)

// transport carries requests from the kernel to a fuse.ProtocolServer and its answers
// back. What costs most in a round trip is waking a thread on another core. So one
// reader, on a thread of its own, reads a request, answers it and reads the next: a
// program that does one thing after another is served by one thread.
//
// While requests come one after the other it does not even sleep in between: see receive. And on two CPUs the other one is kept
// from idling meanwhile: see package spinner.
//
// Where FUSE goes over io_uring, most requests come there, and only FORGET and INTERRUPT here.
//
// Two things keep a slow request from holding up the others. An operation that had to wait
// lately (as closing a file has where that means a disk sync) gets a goroutine of its own; see pace.
// And a reader that is still busy with one request after maxBusy is deposed: another one begins
// to read, and the deposed one ends when it has answered.
type transport struct {
	fd     int
	server *fuse.ProtocolServer
	log    *slog.Logger
	debug  bool // every request is to be logged

	leader atomic.Pointer[reader] // who reads
	paces  [maxOpcode]pace
	free   chan *exchange // exchanges that nobody uses
	// running counts readers and handlers; watched is poked when requests come after a pause.
	running sync.WaitGroup
	watched chan struct{}
	resting atomic.Bool // nobody watches the reader, since nothing happens
	waiting waiting     // requests that are not in the way of others any more
	ended   chan struct{}
	endOnce sync.Once

	ring *uring.Conn // nil: all requests come here
	spin *spinner.Spinner
}

const (
	// maxBusy is how long a reader may take for one request.
	maxBusy = time.Millisecond
	// The watch ends after so many rounds of maxBusy in which nothing came.
	restAfter = 50

	maxOpcode    = 64
	maxExchanges = 8 // that are kept when nobody uses them

	// What stands around the data of a request and of an answer.
	maxEnvelope = 8 << 10

	// smallAnswer holds the answer to a request that has no data to give.
	smallAnswer = 256

	// Operations in the kernel's numbers (linux/fuse.h). The first four have small requests and answers.
	opRelease   = 18
	opFsync     = 20
	opFlush     = 25
	opFsyncdir  = 30
	opInterrupt = 36
)

// reader is who reads requests. busy is when the request that it works on began, in
// nanoseconds since the program started; 0 while it waits for one.
type reader struct {
	busy  atomic.Int64
	works atomic.Uint64 // the number of that request
	brisk bool          // the last request came soon after the answer before it
}

// exchange has room for a request and its answer.
type exchange struct {
	in, out   []byte
	request   [1][]byte
	answer    [1][]byte
	requested int
}

// newTransport makes a transport on a connection, which it makes non-blocking. With overRing, requests are
// to go over io_uring; where that does not work they come here.
func newTransport(fd int, fs fuse.RawFileSystem, opts *fuse.MountOptions, overRing bool, log *slog.Logger) (*transport, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("the connection to the kernel: %w", err)
	}
	t := &transport{
		fd:      fd,
		log:     log,
		debug:   opts.Debug,
		free:    make(chan *exchange, maxExchanges),
		watched: make(chan struct{}, 1),
		ended:   make(chan struct{}),
	}
	if overRing {
		opts = t.prepareRing(opts)
	}
	t.server = fuse.NewProtocolServer(fs, opts)
	return t, nil
}

// begin answers the kernel's first request, so that the mount works when it returns. agreed is told how requests come,
// and the minor version of the protocol, before the second one does.
func (t *transport) begin(agreed func(Transport, uint32)) error {
	x := t.take()
	defer t.give(x)
	for {
		err := t.receive(&reader{}, x)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		t.answer(x)
		agreed(t.agreedOn(x), (*fuse.InitIn)(unsafe.Pointer(&x.in[0])).Minor)
		if t.ring != nil {
			t.ring.Start()
		}
		return nil
	}
}

// serve answers requests until the mount has ended and all are answered.
func (t *transport) serve() {
	watching := make(chan struct{})
	if t.ring == nil {
		t.spin = spinner.New()
		t.spin.Start()
		defer t.spin.Finish()
	}
	t.start()
	go func() {
		defer close(watching)
		t.watch()
	}()
	<-t.ended
	<-watching // it starts readers
	if t.ring != nil {
		t.ring.Wait()
	}
	t.finish()
}

// start makes a new reader.
func (t *transport) start() {
	r := &reader{}
	t.leader.Store(r)
	t.running.Add(1)
	go t.read(r)
}

// read reads and answers requests for as long as r is the leader.
func (t *transport) read(r *reader) {
	defer t.running.Done()
	runtime.LockOSThread() // and never unlocked: the thread ends with the reader
	for t.leader.Load() == r {
		x := t.take()
		err := t.receive(r, x)
		switch {
		case err == nil:
		case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOENT):
			t.give(x)
			continue // ENOENT: the request was interrupted before it was read
		default:
			if !errors.Is(err, syscall.ENODEV) && !errors.Is(err, syscall.ECONNABORTED) {
				t.log.Error("the connection to the kernel broke", "error", err)
			}
			t.endOnce.Do(func() { close(t.ended) })
			return
		}
		unique := x.header().Unique
		r.works.Store(unique)
		r.busy.Store(sinceStart())
		if t.resting.CompareAndSwap(true, false) {
			t.watched <- struct{}{}
		}
		t.spin.Request()
		op := x.opcode()
		if p := &t.paces[op]; x.waits() {
			t.answerApart(x)
		} else if p.waits() {
			x := t.parted(x)
			t.running.Add(1)
			t.waiting.add(unique)
			go func() {
				defer t.running.Done()
				defer t.waiting.remove(unique)
				p.apart(func() { t.answer(x) })
				t.give(x)
			}()
		} else {
			p.inLine(func() { t.answer(x) })
			t.give(x)
		}
		r.busy.Store(0)
		if t.leader.Load() != r {
			t.waiting.remove(unique)
		}
		if t.ring != nil {
			t.pauseAfter(op)
		}
	}
}

// watch deposes readers that take too long.
func (t *transport) watch() {
	tick := time.NewTicker(maxBusy)
	defer tick.Stop()
	idle := 0
	for {
		select {
		case <-t.ended:
			return
		case <-tick.C:
		}
		r := t.leader.Load()
		switch begun := r.busy.Load(); {
		case begun == 0:
			idle++
		case sinceStart()-begun >= int64(maxBusy):
			t.waiting.add(r.works.Load())
			t.start()
			idle = 0
		default:
			idle = 0
		}
		if idle < restAfter {
			continue
		}
		tick.Stop()
		t.resting.Store(true)
		if r.busy.Load() != 0 && t.resting.CompareAndSwap(true, false) {
			tick.Reset(maxBusy) // it came before we rested
			idle = 0
			continue
		}
		select {
		case <-t.ended:
			return
		case <-t.watched:
		}
		tick.Reset(maxBusy)
		idle = 0
	}
}

// answer has a request answered.
func (t *transport) answer(x *exchange) {
	x.request[0], x.answer[0] = x.in[:x.requested], x.out
	n, st := t.answerNothing(x.request[:], x.answer[:]), fuse.OK
	if n == 0 {
		n, st = t.server.HandleRequest(x.request[:], x.answer[:])
	}
	if n == 0 && !st.Ok() { // it could not be made sense of
		out := (*fuse.OutHeader)(unsafe.Pointer(&x.out[0]))
		n = int(unsafe.Sizeof(*out))
		*out = fuse.OutHeader{Length: uint32(n), Status: -int32(st), Unique: x.header().Unique}
	}
	if n == 0 {
		return // no answer is wanted
	}
	if t.ring != nil && x.opcode() == opInterrupt {
		t.interruptLater(x) // the kernel would not understand the answer
		return
	}
	_, err := syscall.Write(t.fd, x.out[:n])
	if err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENODEV) { // nobody waits any more
		t.log.Error("an answer did not reach the kernel", "opcode", x.opcode(), "error", err)
	}
}

func (x *exchange) header() *fuse.InHeader { return (*fuse.InHeader)(unsafe.Pointer(&x.in[0])) }

// opcode is that of the request, 0 if it is none that is known.
func (x *exchange) opcode() uint32 {
	if op := x.header().Opcode; op < maxOpcode {
		return op
	}
	return 0
}

func (t *transport) take() *exchange {
	select {
	case x := <-t.free:
		return x
	default:
		return &exchange{in: make([]byte, maxWrite+maxEnvelope), out: make([]byte, maxWrite+maxEnvelope)}
	}
}

// parted returns an exchange with x's request for a goroutine of its own. Closing and syncing
// is where thousands of writers may wait at once: their requests and answers are small, and
// so is the room that they get.
func (t *transport) parted(x *exchange) *exchange {
	switch x.opcode() {
	case opRelease, opFsync, opFlush, opFsyncdir:
		p := &exchange{in: bytes.Clone(x.in[:x.requested]), out: make([]byte, smallAnswer), requested: x.requested}
		t.give(x)
		return p
	}
	return x
}

// give takes back an exchange that nobody uses any more.
func (t *transport) give(x *exchange) {
	if len(x.out) != maxWrite+maxEnvelope {
		return
	}
	select {
	case t.free <- x:
	default:
	}
}

var programStart = time.Now()

// sinceStart is a clock that never goes back, in nanoseconds; it is never 0.
func sinceStart() int64 { return int64(time.Since(programStart)) + 1 }
