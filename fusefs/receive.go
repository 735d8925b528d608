package fusefs

import (
	"errors"
	"syscall"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const (
	// brisk is how soon after the last answer a request has to come for the reader to wait for the
	// next one without going to sleep. Waking a thread on a core that idles costs more than all
	// else in a round trip, a multiple of it on a virtual machine.
	brisk = 200 * time.Microsecond
	// spinFor is how long it waits so at most, before it sleeps. Others that want the core get it
	// between any two looks.
	spinFor = 50 * time.Microsecond
)

// receive reads a request. It is r's only while r reads.
func (t *transport) receive(r *reader, x *exchange) error {
	begun := sinceStart()
	for {
		n, err := syscall.Read(t.fd, x.in)
		waited := time.Duration(sinceStart() - begun)
		switch {
		case err == nil && n < int(unsafe.Sizeof(fuse.InHeader{})):
			return syscall.EIO
		case err == nil:
			x.requested = n
			r.brisk = waited < brisk && t.ring == nil
			return nil
		case !errors.Is(err, syscall.EAGAIN):
			return err
		case r.brisk && waited < spinFor:
			_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
			continue
		}
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, -1); err != nil {
			return err
		}
	}
}
