package fusefs

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"jsfs/fusefs/uring"
)

// Transport says how requests come from the kernel.
type Transport string

// The ways that requests come. The zero Transport is TransportAuto.
const (
	// TransportAuto is io_uring where it is possible, else /dev/fuse.
	TransportAuto Transport = "auto"
	// TransportDev is /dev/fuse.
	TransportDev Transport = "dev"
	// TransportUring is io_uring, or an error.
	TransportUring Transport = "uring"
)

// overRing decides whether requests are to go over io_uring.
func (o Options) overRing() (bool, error) {
	if o.Transport == TransportDev {
		return false, nil
	}
	err := uring.Available()
	if err != nil && o.Transport == TransportUring {
		return false, err
	}
	if err != nil {
		o.Logger.Debug("requests come through /dev/fuse", "reason", err)
	}
	return err == nil, nil
}

const (
	// Between two looks at /dev/fuse for FORGETs, so that many come at a time.
	forgetPause = time.Millisecond

	opForget      = 2
	opBatchForget = 42

	// A request may be interrupted before its worker has it. It is tried again after interruptPause, and then after
	// twice as long, up to interruptTries times.
	interruptPause = time.Millisecond
	interruptTries = 10
)

// prepareRing gets ready what requests over io_uring need, and returns the options that ask the kernel
// for it.
func (t *transport) prepareRing(opts *fuse.MountOptions) *fuse.MountOptions {
	ring, err := uring.Prepare(uring.Options{
		FD:         t.fd,
		MaxPayload: maxWrite,
		Handle:     t.handle,
		Interrupt:  func(unique uint64) { t.interrupt(unique) },
		Logger:     t.log,
	})
	if err != nil {
		t.log.Warn("requests come through /dev/fuse", "reason", err)
		return opts
	}
	t.ring = ring
	with := *opts
	with.ExtraCapabilities |= fuse.CAP_OVER_IO_URING
	return &with
}

// agreedOn says how requests come, by the answer to INIT.
func (t *transport) agreedOn(x *exchange) Transport {
	if t.ring == nil {
		return TransportDev
	}
	out := (*fuse.InitOut)(unsafe.Pointer(&x.out[unsafe.Sizeof(fuse.OutHeader{})]))
	if out.Flags64()&fuse.CAP_OVER_IO_URING == 0 {
		t.log.Warn("requests come through /dev/fuse", "reason", "the kernel did not offer io_uring")
		t.ring.Cancel()
		t.ring = nil
		return TransportDev
	}
	t.log.Debug("requests come over io_uring")
	return TransportUring
}

// handle answers a request that came over io_uring.
func (t *transport) handle(in, out [][]byte) int {
	if n := t.answerNothing(in, out); n > 0 {
		return n
	}
	n, _ := t.server.HandleRequest(in, out)
	return n
}

// interrupt tells the handler of a request that its caller was interrupted. It says whether there is one.
func (t *transport) interrupt(unique uint64) bool {
	in := make([]byte, unsafe.Sizeof(fuse.InterruptIn{}))
	*(*fuse.InHeader)(unsafe.Pointer(&in[0])) = fuse.InHeader{Length: uint32(len(in)), Opcode: opInterrupt, Unique: unique | 1}
	binary.NativeEndian.PutUint64(in[unsafe.Sizeof(fuse.InHeader{}):], unique)
	n, _ := t.server.HandleRequest([][]byte{in}, [][]byte{make([]byte, smallAnswer)})
	return n == 0
}

// interruptLater tries again to interrupt a request that no handler had.
func (t *transport) interruptLater(x *exchange) {
	unique := (*fuse.InterruptIn)(unsafe.Pointer(&x.in[0])).Unique
	t.running.Add(1)
	go func() {
		defer t.running.Done()
		pause := interruptPause
		for range interruptTries {
			select {
			case <-t.ended:
				return
			case <-time.After(pause):
			}
			if t.interrupt(unique) {
				return
			}
			pause *= 2
		}
	}()
}

// pauseAfter lets FORGETs gather: each would wake a thread for nothing.
func (t *transport) pauseAfter(op uint32) {
	if op == opForget || op == opBatchForget {
		pause := unix.NsecToTimespec(int64(forgetPause))
		_ = unix.Nanosleep(&pause, nil) // woken early is well, too
	}
}

func (v Transport) validate() error {
	switch v {
	case TransportAuto, TransportDev, TransportUring:
		return nil
	}
	return fmt.Errorf("transport=%s: it must be auto, dev or uring", v)
}
