package fusefs

import (
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// What a caller wants of a file, in the bits of access(2) and of a mode.
const (
	mayExecute = 1
	mayWrite   = 2
	mayRead    = 4
)

// kernelChecks says whether the kernel compares callers with owner and mode. It asks for a
// directory's attributes again then after each removal in it. Where only one user gets in, who
// owns everything and may do everything with it, there is nothing to compare but the mode that he
// gave a file of his own, and what access(2) asks; see permitted.
func (o Options) kernelChecks() bool {
	return o.AllowOther || int(*o.UID) != os.Geteuid() || *o.Umask&0o700 != 0
}

// wantedAccess is what the flags of open(2) ask for.
func wantedAccess(flags uint32) uint32 {
	switch flags & syscall.O_ACCMODE {
	case syscall.O_RDONLY:
		if flags&syscall.O_TRUNC != 0 {
			return mayRead | mayWrite
		}
		return mayRead
	case syscall.O_WRONLY:
		return mayWrite
	}
	return mayRead | mayWrite
}

// permitted refuses what the mode of a file does not allow its owner, who calls, if the kernel has
// not seen to it. Root may read and write everything.
func (c *call) permitted(mode, wanted uint32) error {
	if c.fs.opt.kernelChecks() {
		return nil
	}
	allowed := mode >> 6
	if c.hdr.Uid == 0 {
		allowed = mayRead | mayWrite
		if mode&0o111 != 0 {
			allowed |= mayExecute
		}
	}
	if wanted&^allowed&7 != 0 {
		return refuse(syscall.EACCES, "its mode is %04o", mode&0o777)
	}
	return nil
}

// Access is access(2), where the kernel does not answer it itself.
func (fs *FS) Access(cancel <-chan struct{}, in *fuse.AccessIn) (st fuse.Status) {
	c := fs.call("access", &in.InHeader, cancel, "")
	defer c.recover(&st)
	var out fuse.AttrOut
	err := fs.getAttr(c, nil, &out)
	if err == nil {
		err = c.permitted(out.Mode, in.Mask)
	}
	return c.status(err)
}
