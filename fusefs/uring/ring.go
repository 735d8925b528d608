package uring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is an io_uring that carries one command at a time. Only the thread that made it uses it.
type ring struct {
	fd    int
	queue []byte // both queues' heads and tails, and the completions
	sqes  []byte

	sqHead, sqTail, cqHead, cqTail *uint32
	cqMask                         uint32
	cqes                           uint32 // where the completions begin in queue
}

// newRing makes a ring.
func newRing() (*ring, error) {
	p := params{flags: setupSQE128 | setupSingleIssuer | setupDeferTaskrun | setupNoSQArray}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	r := &ring{fd: int(fd), cqMask: p.cqEntries - 1, cqes: p.cq.cqes}
	if p.features&featSingleMmap == 0 {
		r.close()
		return nil, errors.New("io_uring_setup: this kernel's rings are too old")
	}
	err := r.mapMemory(&p)
	if err != nil {
		r.close()
		return nil, fmt.Errorf("map a ring: %w", err)
	}
	return r, nil
}

func (r *ring) mapMemory(p *params) (err error) {
	size := p.cq.cqes + p.cqEntries*uint32(unsafe.Sizeof(cqe{}))
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	if r.queue, err = unix.Mmap(r.fd, offsetRings, int(size), prot, flags); err != nil {
		return err
	}
	if r.sqes, err = unix.Mmap(r.fd, offsetSQEs, int(p.sqEntries)*sqeSize, prot, flags); err != nil {
		return err
	}
	at := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.queue[off])) }
	r.sqHead, r.sqTail, r.cqHead, r.cqTail = at(p.sq.head), at(p.sq.tail), at(p.cq.head), at(p.cq.tail)
	return nil
}

// do submits a FUSE command and waits until it is complete, for which the command's entry gets a request.
// buffers is where the kernel finds the two iovecs of a new entry, 0 for none.
func (r *ring) do(fd int, cmd uint32, buffers uintptr, req request) error {
	tail := *r.sqTail
	clear(r.sqes)
	s := (*sqe)(unsafe.Pointer(&r.sqes[0]))
	s.opcode, s.fd, s.cmdOp = opUringCmd, int32(fd), cmd
	if buffers != 0 {
		s.addr, s.length = uint64(buffers), 2
	}
	*(*request)(unsafe.Pointer(&r.sqes[sqeCmd])) = req
	atomic.StoreUint32(r.sqTail, tail+1)
	for {
		head := *r.cqHead
		if head != atomic.LoadUint32(r.cqTail) {
			c := (*cqe)(unsafe.Pointer(&r.queue[r.cqes+head&r.cqMask*uint32(unsafe.Sizeof(cqe{}))]))
			res := c.res
			atomic.StoreUint32(r.cqHead, head+1)
			if res < 0 {
				return unix.Errno(-res)
			}
			return nil
		}
		submit := *r.sqTail - atomic.LoadUint32(r.sqHead)
		_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(submit), 1, enterGetEvents, 0, 0)
		if errno != 0 && errno != unix.EINTR && errno != unix.EAGAIN && errno != unix.EBUSY {
			return fmt.Errorf("io_uring_enter: %w", errno)
		}
	}
}

// close lets go of the ring. A command that is under way is cancelled.
func (r *ring) close() {
	if r.queue != nil {
		_ = unix.Munmap(r.queue)
	}
	if r.sqes != nil {
		_ = unix.Munmap(r.sqes)
	}
	_ = unix.Close(r.fd)
}
