package publish

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// count implements descriptors.
func (p ProcFS) count(tid uint32) int {
	var st unix.Stat_t
	if err := unix.Stat(p.path(int(tid), "fd"), &st); err != nil {
		return 0
	}
	return int(st.Size)
}

// list implements descriptors.
func (p ProcFS) list(tid uint32, f func(fd int)) error {
	dir, err := os.Open(p.path(int(tid), "fdinfo"))
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(4096)
		for _, name := range names {
			fd, err := strconv.Atoi(name)
			if err != nil {
				return errProc
			}
			f(fd)
		}
		if len(names) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// look implements descriptors.
func (p ProcFS) look(tid uint32, fd int, wanted func(inode uint64) bool, mounts map[string]lead) (lead, error) {
	name := strconv.Itoa(fd)
	var buf [1024]byte
	b, err := readSmall(unix.AT_FDCWD, p.path(int(tid), "fdinfo/"+name), buf[:])
	if errors.Is(err, unix.ENOENT) {
		return lead{}, nil
	}
	if err != nil {
		return lead{}, err
	}
	ino, _ := field(b, "\nino:")
	inode, err := strconv.ParseUint(string(ino), 10, 64)
	if err != nil {
		return lead{}, errProc
	}
	if !wanted(inode) || !opensForWriting(b) {
		return lead{open: true, inode: inode}, nil
	}
	mount, ok := field(b, "\nmnt_id:")
	if !ok {
		return lead{open: true, writable: true, inode: inode}, nil
	}
	l, asked := mounts[string(mount)]
	if !asked {
		l.writable, l.certain = p.ours(tid, mount)
		l.certain = l.certain && l.writable
		mounts[string(mount)] = l
	}
	l.open, l.inode = true, inode
	return l, nil
}
