package uring

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// The header and the iovecs of an entry have a page before the payload.
	payloadAt = pageSize
	iovecsAt  = 1024

	pageSize = 64 << 10 // the largest that a machine has

	// keptPayload is how much of an entry's payload stays in memory where many entries are idle.
	keptPayload = 64 << 10
)

// entry is room for one request and its answer, outside of Go's memory: the kernel writes to it as it
// likes while the entry is armed. Pages that were never needed take no memory.
type entry struct {
	memory  []byte
	header  *header
	payload []byte

	commitID uint64
	touched  int // bytes of the payload that the last answer used
	in       [3][]byte
	out      [2][]byte
}

func newEntry(maxPayload int) (*entry, error) {
	m, err := unix.Mmap(-1, 0, payloadAt+maxPayload, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("map a request's buffers: %w", err)
	}
	_ = unix.Madvise(m, unix.MADV_NOHUGEPAGE) // it only saves memory
	e := &entry{memory: m, header: (*header)(unsafe.Pointer(&m[0])), payload: m[payloadAt:]}
	iov := (*[2]iovec)(unsafe.Pointer(&m[iovecsAt]))
	iov[0] = iovec{unsafe.Pointer(&m[0]), headerSize}
	iov[1] = iovec{unsafe.Pointer(&e.payload[0]), uintptr(len(e.payload))}
	e.out = [2][]byte{e.header.inOut[:outHeaderSize], e.payload}
	return e, nil
}

// iovecs is where the kernel finds what the entry's memory is for.
func (e *entry) iovecs() uintptr { return uintptr(unsafe.Pointer(&e.memory[iovecsAt])) }

// take makes e.in of the request that the kernel has put into the entry.
func (e *entry) take() error {
	h := e.header
	e.commitID = h.commitID
	total, payload := int(binary.NativeEndian.Uint32(h.inOut[:])), int(h.payload)
	op := total - inHeaderSize - payload
	if op < 0 || op > len(h.op) || payload > len(e.payload) {
		return fmt.Errorf("a request of %d bytes has %d in its payload", total, payload)
	}
	e.in = [3][]byte{h.inOut[:inHeaderSize], h.op[:op], e.payload[:payload]}
	return nil
}

// unique and pid are the request's number, and the thread that asked.
func (e *entry) unique() uint64 { return binary.NativeEndian.Uint64(e.header.inOut[8:]) }
func (e *entry) pid() uint32    { return binary.NativeEndian.Uint32(e.header.inOut[32:]) }

// answer notes that the answer has n bytes, with its header.
func (e *entry) answer(n int) { e.header.payload = uint32(n - outHeaderSize) }

// fail makes the answer an error.
func (e *entry) fail(unique uint64, errno unix.Errno) {
	h := e.header.inOut[:]
	binary.NativeEndian.PutUint32(h, outHeaderSize)
	binary.NativeEndian.PutUint32(h[4:], uint32(-int32(errno)))
	binary.NativeEndian.PutUint64(h[8:], unique)
	e.answer(outHeaderSize)
}

// trim gives memory back that a large request took, or an answer before it. The answer has so many bytes.
func (e *entry) trim(answer int) {
	used := max(len(e.in[2]), e.touched)
	e.touched = answer
	if keep := max(answer, keptPayload); used > keep {
		keep = (keep + pageSize - 1) &^ (pageSize - 1)
		_ = unix.Madvise(e.payload[min(keep, len(e.payload)):], unix.MADV_DONTNEED)
	}
}

func (e *entry) free() { _ = unix.Munmap(e.memory) }
