package fusefs

import (
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// answerNothing answers a request that asks for nothing to be done, and returns how long the answer is; 0 if it is another request.
// That is the RELEASE of a file without a handle, as small messages are: of all requests of who reads many of them it is half.
// A ProtocolServer would come to the same, with a kilobyte allocated for each.
func (t *transport) answerNothing(in, out [][]byte) int {
	const header, answer = int(unsafe.Sizeof(fuse.InHeader{})), int(unsafe.Sizeof(fuse.OutHeader{}))
	if t.debug || len(in[0]) < header || len(out[0]) < answer {
		return 0
	}
	h := (*fuse.InHeader)(unsafe.Pointer(&in[0][0]))
	if h.Opcode != opRelease {
		return 0
	}
	body := in[0][header:]
	if len(body) == 0 && len(in) > 1 {
		body = in[1]
	}
	if len(body) < int(unsafe.Sizeof(fuse.ReleaseIn{}))-header || *(*uint64)(unsafe.Pointer(&body[0])) != 0 {
		return 0
	}
	*(*fuse.OutHeader)(unsafe.Pointer(&out[0][0])) = fuse.OutHeader{Length: uint32(answer), Unique: h.Unique}
	return answer
}
