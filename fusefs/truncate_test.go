package fusefs

import (
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// truncate(2) by a path works on what the same process is writing, and not on what it has appended, though the kernel has
// not yet told that the file was released.
func TestTruncateByPath(t *testing.T) {
	m := newWritingMount(t)
	node, fh, st := m.open("x", shellCreate, 0o644)
	wantStatus(t, "open", st, 0)
	wantStatus(t, "write", m.write(node, fh, "hello", 0), 0)
	truncate := func(size uint64) fuse.Status {
		in := &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: m.header(node), Valid: fuse.FATTR_SIZE, Size: size}}
		return m.SetAttr(nil, in, &fuse.AttrOut{})
	}
	wantStatus(t, "while it is written", truncate(4), 0)
	wantStatus(t, "close", m.Flush(nil, &fuse.FlushIn{InHeader: m.header(node), Fh: fh}), 0)
	wantStatus(t, "after the close, before the release", truncate(1), syscall.EPERM)
	m.Release(nil, &fuse.ReleaseIn{InHeader: fuse.InHeader{NodeId: node}, Fh: fh})
	wantStatus(t, "after the release", truncate(1), syscall.EPERM)
	m.wantPayloads("1 x hell")
}
