package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// OS is a directory of the operating system. It never reaches outside of it.
type OS struct {
	root     *os.Root
	dir      syscall.RawConn // root's directory
	opened   *os.File        // what dir is of
	slowly   atomic.Bool     // there is no openat2(2)
	readOnly bool
}

var _ FS = (*OS)(nil)

// NewOS opens the directory at path, which must exist.
func NewOS(path string) (*OS, error) { return newOS(path, false) }

// NewOSReadOnly opens the directory at path so that nothing below it can be changed:
// every change gives EROFS, and files are opened for reading.
func NewOSReadOnly(path string) (*OS, error) { return newOS(path, true) }

func newOS(path string, readOnly bool) (*OS, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	o := &OS{root: root, readOnly: readOnly}
	if o.opened, err = root.Open("."); err == nil {
		o.dir, err = o.opened.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// Close frees the directory. Files and locks that are open stay so.
func (o *OS) Close() error {
	err := o.root.Close()
	if o.opened != nil {
		err = errors.Join(err, o.opened.Close())
	}
	return err
}

func (o *OS) refuse(op, name string) error {
	if o.readOnly {
		return &fs.PathError{Op: op, Path: name, Err: syscall.EROFS}
	}
	return nil
}

// Create implements [FS].
func (o *OS) Create(name string) (File, error) {
	if err := o.refuse("create", name); err != nil {
		return nil, err
	}
	f, err := o.openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Open implements [FS]. What is no regular file is refused: opening a pipe would wait for somebody at its other end.
func (o *OS) Open(name string) (File, error) {
	flag := os.O_RDWR
	if o.readOnly {
		flag = os.O_RDONLY
	}
	f, err := o.openRegular(name, flag, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// openRegular opens a regular file, and waits for nobody.
func (o *OS) openRegular(name string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := o.openFile(name, flag|syscall.O_NONBLOCK, perm)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	switch {
	case err != nil:
	case st.IsDir():
		err = &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
	case !st.Mode().IsRegular():
		err = &fs.PathError{Op: "open", Path: name, Err: errNoFile}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

var errNoFile = errors.New("it is no regular file")

// openDir opens a directory, and waits for nobody.
func (o *OS) openDir(dir string) (*os.File, error) {
	return o.openFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
}

// Mkdir implements [FS].
func (o *OS) Mkdir(name string) error {
	if err := o.refuse("mkdir", name); err != nil {
		return err
	}
	return o.mkdir(name, 0o700)
}

// Rename implements [FS].
func (o *OS) Rename(from, to string) error {
	if err := o.refuse("rename", from); err != nil {
		return err
	}
	return o.rename(from, to)
}

// Remove implements [FS].
func (o *OS) Remove(name string) error {
	if err := o.refuse("remove", name); err != nil {
		return err
	}
	return o.remove(name)
}

// List implements [FS].
func (o *OS) List(dir string) ([]string, error) {
	d, err := o.openDir(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements [FS].
func (o *OS) SyncDir(dir string) error {
	if err := o.refuse("syncdir", dir); err != nil {
		return err
	}
	d, err := o.openDir(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// Usage implements [FS].
func (o *OS) Usage() (Usage, error) {
	d, err := o.openDir(".")
	if err != nil {
		return Usage{}, err
	}
	defer d.Close()
	var st unix.Statfs_t
	for {
		if err = unix.Fstatfs(int(d.Fd()), &st); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return Usage{}, &fs.PathError{Op: "statfs", Path: ".", Err: err}
	}
	unit := uint64(st.Bsize) //nolint:gosec // a block size is above 0
	return Usage{Total: st.Blocks * unit, Free: st.Bavail * unit, BlockSize: uint32(unit)}, nil
}

// BootID implements [FS].
func (o *OS) BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// osFile adds to os.File what File asks for.
type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f osFile) ModTime() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.ModTime().UnixNano(), nil
}

func (f osFile) WillNeed(off, n int64) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), off, n, unix.FADV_WILLNEED) })
}

var _ io.Closer = osFile{}
