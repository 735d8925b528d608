package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// errSlowly says that a name has to be walked step by step, as os.Root does: this kernel, or what watches over
// its calls, has no openat2(2), or the name is none for it.
var errSlowly = errors.New("openat2 is not to be had")

// openBeneath opens what is below the directory, by one call however deep that is. Links may not lead outside, as with
// os.Root, which opens each directory on the way, and asks each whether it is a link.
func (o *OS) openBeneath(name string, flag int, perm fs.FileMode) (fd int, err error) {
	if o.slowly.Load() {
		return 0, errSlowly
	}
	how := unix.OpenHow{
		Flags:   uint64(flag | unix.O_CLOEXEC), //nolint:gosec // flags are not negative
		Mode:    uint64(perm.Perm()),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	err = o.at(func(dir int) error {
		return retried(func() (err error) {
			fd, err = unix.Openat2(dir, name, &how)
			return err
		})
	})
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.ENOSYS):
		o.slowly.Store(true)
		return 0, errSlowly
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EAGAIN):
		return 0, errSlowly
	case errors.Is(err, unix.EXDEV): // it leads outside, as os.Root will say
		return 0, errSlowly
	case errors.Is(err, errSlowly):
		return 0, err
	}
	return 0, &fs.PathError{Op: "openat2", Path: name, Err: err}
}

// at does something with the directory's descriptor, which stays open meanwhile.
func (o *OS) at(do func(dir int) error) (err error) {
	if o.dir.Control(func(fd uintptr) { err = do(int(fd)) }) != nil {
		return errSlowly // it is closed, as os.Root will say
	}
	return err
}

// openFile is os.Root's, but that reads of a file leave its access time alone where that is allowed: to its owner. The kernel's look
// at that time with each read is a twentieth of what a short one costs.
func (o *OS) openFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	var f *os.File
	fd, err := o.openBeneath(name, flag, perm)
	switch {
	case err == nil:
		f = os.NewFile(uintptr(fd), filepath.Join(o.root.Name(), name))
	case errors.Is(err, errSlowly):
		if f, err = o.root.OpenFile(name, flag, perm); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	if flag&unix.O_DIRECTORY == 0 {
		if c, err := f.SyscallConn(); err == nil { // none of the flags that are gone then counts any more
			_ = c.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETFL, unix.O_NOATIME) })
		}
	}
	return f, nil
}

// in does something with a name in its directory: the directory's descriptor, and the name in it.
func (o *OS) in(name string, do func(dir int, base string) error) error {
	dir, base, below := cutLast(name)
	if base == "" || base == "." || base == ".." {
		return errSlowly
	}
	if !below {
		return o.at(func(dir int) error { return do(dir, base) })
	}
	fd, err := o.openBeneath(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	err = do(fd, base)
	_ = unix.Close(fd)
	return err
}

// cutLast cuts a path before its last name; below says that something is before it.
func cutLast(name string) (dir, base string, below bool) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:], true
	}
	return "", name, false
}

// retried calls do again as long as a signal interrupts it.
func retried(do func() error) error {
	for {
		if err := do(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (o *OS) rename(from, to string) error {
	err := o.in(from, func(fromDir int, fromBase string) error {
		rename := func(toDir int, toBase string) error {
			return retried(func() error { return unix.Renameat(fromDir, fromBase, toDir, toBase) })
		}
		dir, base, _ := cutLast(to)
		if old, _, _ := cutLast(from); old == dir && base != "" && base != "." && base != ".." {
			return rename(fromDir, base)
		}
		return o.in(to, rename)
	})
	if errors.Is(err, errSlowly) {
		return o.root.Rename(from, to)
	}
	if errno, ok := err.(unix.Errno); ok { //nolint:errorlint // it was not wrapped
		return &os.LinkError{Op: "renameat", Old: from, New: to, Err: errno}
	}
	return err
}

func (o *OS) remove(name string) error {
	err := o.in(name, func(dir int, base string) error {
		err := retried(func() error { return unix.Unlinkat(dir, base, 0) })
		if err == nil {
			return nil
		}
		// It may be a directory, which EISDIR does not always tell.
		derr := retried(func() error { return unix.Unlinkat(dir, base, unix.AT_REMOVEDIR) })
		if derr == nil || !errors.Is(derr, unix.ENOTDIR) {
			return derr
		}
		return err
	})
	if errors.Is(err, errSlowly) {
		return o.root.Remove(name)
	}
	if errno, ok := err.(unix.Errno); ok { //nolint:errorlint // it was not wrapped
		return &fs.PathError{Op: "unlinkat", Path: name, Err: errno}
	}
	return err
}

func (o *OS) mkdir(name string, perm fs.FileMode) error {
	err := o.in(name, func(dir int, base string) error {
		return retried(func() error { return unix.Mkdirat(dir, base, uint32(perm)) })
	})
	if errors.Is(err, errSlowly) {
		return o.root.Mkdir(name, perm)
	}
	if errno, ok := err.(unix.Errno); ok { //nolint:errorlint // it was not wrapped
		return &fs.PathError{Op: "mkdirat", Path: name, Err: errno}
	}
	return err
}
