package uring

import "unsafe"

// What the kernel calls things in linux/io_uring.h, as far as it is used here.
const (
	opUringCmd = 46 // IORING_OP_URING_CMD

	setupDisabled     = 1 << 6  // it is of the thread that enables it
	setupSQE128       = 1 << 10 // submissions of 128 bytes: FUSE's commands need the room
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13 // the kernel does its part when the worker asks, and never interrupts it
	setupNoSQArray    = 1 << 16

	featSingleMmap = 1 << 0

	enterGetEvents      = 1 << 0
	registerEnableRings = 12

	offsetRings = 0          // IORING_OFF_SQ_RING, of both queues
	offsetSQEs  = 0x10000000 // IORING_OFF_SQES

	sqeSize = 128
	sqeCmd  = 48 // where the command of a submission begins
)

// params is struct io_uring_params.
type params struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     sqOffsets
	cq                                                                     cqOffsets
}

// sqOffsets is struct io_sqring_offsets.
type sqOffsets struct {
	head, tail, mask, entries, flags, dropped, array, _ uint32
	_                                                   uint64
}

// cqOffsets is struct io_cqring_offsets.
type cqOffsets struct {
	head, tail, mask, entries, overflow, cqes, flags, _ uint32
	_                                                   uint64
}

// sqe is the beginning of struct io_uring_sqe.
type sqe struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	cmdOp, _      uint32
	addr          uint64
	length        uint32
	rwFlags       uint32
	userData      uint64
}

// cqe is struct io_uring_cqe.
type cqe struct {
	userData uint64
	res      int32
	flags    uint32
}

// What the kernel calls things in linux/fuse.h.
const (
	cmdRegister       = 1 // FUSE_IO_URING_CMD_REGISTER
	cmdCommitAndFetch = 2 // FUSE_IO_URING_CMD_COMMIT_AND_FETCH

	inHeaderSize  = 40 // struct fuse_in_header
	outHeaderSize = 16 // struct fuse_out_header

	headerSize = 288 // struct fuse_uring_req_header
)

// request is struct fuse_uring_cmd_req, in a submission's command.
type request struct {
	flags, commitID uint64
	queue           uint16
	_               [6]uint8
}

// header is struct fuse_uring_req_header: the header of a request, or of its answer; the
// operation's own header; and what belongs to the ring.
type header struct {
	inOut, op [128]byte
	flags     uint64
	commitID  uint64
	payload   uint32 // size of what is in the payload's buffer
	_         uint32
	_         uint64
}

// iovec is struct iovec.
type iovec struct {
	base unsafe.Pointer
	len  uintptr
}
