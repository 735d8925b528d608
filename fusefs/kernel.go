package fusefs

import (
	"encoding/binary"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// connection is the kernel, as a FUSE connection takes notifications.
type connection int

// notify writes one notification: a header whose error is the code, then its parts;
// bytes come last.
func (c connection) notify(code int32, parts ...any) fuse.Status {
	const header = 16 // length, code, and a 0 where answers name their request
	var data []byte
	b := make([]byte, header, 128)
	for _, p := range parts {
		switch p := p.(type) {
		case uint32:
			b = binary.NativeEndian.AppendUint32(b, p)
		case uint64:
			b = binary.NativeEndian.AppendUint64(b, p)
		case string:
			b = append(append(b, p...), 0)
		case []byte:
			data = p
		}
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)+len(data)))
	binary.NativeEndian.PutUint32(b[4:], uint32(code))
	var err error
	if data == nil {
		_, err = unix.Write(int(c), b)
	} else {
		_, err = unix.Writev(int(c), [][]byte{b, data})
	}
	if err != nil {
		return fuse.ToStatus(err)
	}
	return fuse.OK
}

// InodeNotify is kernel's.
func (c connection) InodeNotify(node uint64, off, length int64) fuse.Status {
	return c.notify(-fuse.NOTIFY_INVAL_INODE, node, uint64(off), uint64(length))
}

// EntryNotify is kernel's.
func (c connection) EntryNotify(parent uint64, name string) fuse.Status {
	return c.notify(-fuse.NOTIFY_INVAL_ENTRY, parent, uint32(len(name)), uint32(0), name)
}

// DeleteNotify is kernel's.
func (c connection) DeleteNotify(parent, child uint64, name string) fuse.Status {
	return c.notify(-fuse.NOTIFY_DELETE, parent, child, uint32(len(name)), uint32(0), name)
}

// EpochNotify is kernel's. Linux has it from 6.16 on.
func (c connection) EpochNotify() fuse.Status {
	return c.notify(-fuse.NOTIFY_INC_EPOCH)
}

// PruneNotify is kernel's. Linux has it from 6.18 on.
func (c connection) PruneNotify(nodes []uint64) fuse.Status {
	parts := []any{uint32(len(nodes)), uint32(0), uint64(0)}
	for _, n := range nodes {
		parts = append(parts, n)
	}
	return c.notify(-fuse.NOTIFY_PRUNE, parts...)
}

// StoreNotify is kernel's.
func (c connection) StoreNotify(node uint64, data []byte) fuse.Status {
	return c.notify(-fuse.NOTIFY_STORE_CACHE, node, uint64(0), uint32(len(data)), uint32(0), data)
}
