package fusefs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
)

// defaultBlock is the unit of df where the engine has none, and what a file is thought
// to take when df asks how many more there could be.
const defaultBlock = 4096

// StatFs is statfs(2).
func (fs *FS) StatFs(cancel <-chan struct{}, hdr *fuse.InHeader, out *fuse.StatfsOut) (st fuse.Status) {
	c := fs.call("statfs", hdr, cancel, "")
	defer c.recover(&st)
	u, err := fs.st.Usage(c)
	if err != nil {
		return c.status(err)
	}
	block := uint64(u.BlockSize)
	if block == 0 {
		block = defaultBlock
	}
	out.Bsize, out.Frsize = uint32(block), uint32(block)
	out.Blocks = u.Total / block
	out.Bfree = u.Free / block
	out.Bavail = out.Bfree
	out.Ffree = u.Free / defaultBlock
	out.Files = u.Messages + out.Ffree
	out.NameLen = mapping.MaxName
	return fuse.OK
}
