package uring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is an io_uring. Only the thread that has begun with it uses it.
type ring struct {
	fd    int
	queue []byte // both queues' heads and tails, and the completions
	sqes  []byte

	sqHead, sqTail, cqHead, cqTail *uint32
	sqMask, cqMask                 uint32
	cqes                           uint32 // where the completions begin in queue
}

// newRing makes a ring that has room for so many commands at a time, for the thread that calls begin.
func newRing(commands uint32) (*ring, error) {
	p := params{flags: setupSQE128 | setupSingleIssuer | setupDeferTaskrun | setupNoSQArray | setupDisabled}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(commands), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	r := &ring{fd: int(fd), sqMask: p.sqEntries - 1, cqMask: p.cqEntries - 1, cqes: p.cq.cqes}
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

// begin makes the ring the calling thread's.
func (r *ring) begin() error {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), registerEnableRings, 0, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("io_uring_register: %w", errno)
	}
	return nil
}

// submit submits a FUSE command, which the kernel takes at the next wait; there must be room for it. buffers is where
// the kernel finds the two iovecs of a new entry, 0 for none. What is data comes back when the command is complete.
func (r *ring) submit(fd int, cmd uint32, buffers uintptr, req request, data uint64) {
	tail := *r.sqTail
	slot := r.sqes[tail&r.sqMask*sqeSize:][:sqeSize]
	clear(slot)
	s := (*sqe)(unsafe.Pointer(&slot[0]))
	s.opcode, s.fd, s.cmdOp, s.userData = opUringCmd, int32(fd), cmd, data
	if buffers != 0 {
		s.addr, s.length = uint64(buffers), 2
	}
	*(*request)(unsafe.Pointer(&slot[sqeCmd])) = req
	atomic.StoreUint32(r.sqTail, tail+1)
}

// wait waits until a command is complete, for which its entry gets a request. failed is what came of it; err says
// that the ring does not work.
func (r *ring) wait() (data uint64, failed, err error) {
	for {
		head := *r.cqHead
		if head != atomic.LoadUint32(r.cqTail) {
			c := *(*cqe)(unsafe.Pointer(&r.queue[r.cqes+head&r.cqMask*uint32(unsafe.Sizeof(cqe{}))]))
			atomic.StoreUint32(r.cqHead, head+1)
			if c.res < 0 {
				return c.userData, unix.Errno(-c.res), nil
			}
			return c.userData, nil, nil
		}
		submit := *r.sqTail - atomic.LoadUint32(r.sqHead)
		_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(submit), 1, enterGetEvents, 0, 0)
		if errno != 0 && errno != unix.EINTR && errno != unix.EAGAIN && errno != unix.EBUSY {
			return 0, nil, fmt.Errorf("io_uring_enter: %w", errno)
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
