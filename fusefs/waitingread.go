package fusefs

import (
	"bytes"
	"encoding/binary"
)

// What a READ says, behind the header, in the kernel's layout (linux/fuse.h): of which
// handle, and how many bytes.
const (
	opRead       = 15
	readHandleAt = 40
	readSizeAt   = 56
	readEnd      = 60

	// maxWaiting is how many bytes a read that waits is answered with at most. Each that is under way takes
	// room for as many.
	maxWaiting = 32 << 10
)

// waits says whether the request is a READ of a handle whose reads wait. Nobody must wait for it.
func (x *exchange) waits() bool {
	return x.opcode() == opRead && x.requested >= readEnd &&
		binary.NativeEndian.Uint64(x.in[readHandleAt:])&waitsBit != 0
}

// answerApart has a READ that waits answered by a goroutine of its own, with little memory.
func (t *transport) answerApart(x *exchange) {
	own := &exchange{in: bytes.Clone(x.in[:x.requested]), out: make([]byte, maxWaiting+maxEnvelope), requested: x.requested}
	t.give(x)
	size := own.in[readSizeAt:readEnd]
	binary.NativeEndian.PutUint32(size, min(binary.NativeEndian.Uint32(size), maxWaiting))
	unique := own.header().Unique
	t.waiting.add(unique)
	t.running.Go(func() {
		defer t.waiting.remove(unique)
		t.answer(own)
	})
}
