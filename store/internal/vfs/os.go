package vfs

import (
	"cmp"
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
	spare    spare
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
	o.spare.gate.Lock()
	defer o.spare.gate.Unlock()
	o.takeSparesLocked()
	return o, nil
}

// Close frees the directory. Files and locks that are open stay so.
func (o *OS) Close() error {
	err := o.root.Close()
	if o.opened != nil {
		err = errors.Join(err, o.opened.Close())
	}
	o.dropSpares() // none can be taken any more
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
	var f *os.File
	err := o.sparing(keptSpares, func() (err error) {
		f, err = o.openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return nil, err
	}
	return osFile{f, o}, nil
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
	return osFile{f, o}, nil
}

// openRegular opens a regular file, and waits for nobody.
func (o *OS) openRegular(name string, flag int, perm fs.FileMode) (*os.File, error) {
	o.spare.gate.RLock()
	f, err := o.openFile(name, flag|syscall.O_NONBLOCK, perm)
	o.spare.gate.RUnlock()
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

// withDir does something with a directory that is open meanwhile, and waits for nobody to open it.
func (o *OS) withDir(dir string, do func(d *os.File) error) error {
	var did error
	err := o.sparing(0, func() error {
		d, err := o.openFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		did = do(d) // once: a sync that failed must not be tried again
		if err := d.Close(); did == nil {
			did = err
		}
		return nil
	})
	return cmp.Or(err, did)
}

// Mkdir implements [FS].
func (o *OS) Mkdir(name string) error {
	if err := o.refuse("mkdir", name); err != nil {
		return err
	}
	return o.sparing(0, func() error { return o.mkdir(name, 0o700) })
}

// Rename implements [FS].
func (o *OS) Rename(from, to string) error {
	if err := o.refuse("rename", from); err != nil {
		return err
	}
	return o.sparing(0, func() error { return o.rename(from, to) })
}

// Remove implements [FS].
func (o *OS) Remove(name string) error {
	if err := o.refuse("remove", name); err != nil {
		return err
	}
	return o.sparing(0, func() error { return o.remove(name) })
}

// List implements [FS].
func (o *OS) List(dir string) (names []string, err error) {
	err = o.withDir(dir, func(d *os.File) (err error) {
		names, err = d.Readdirnames(-1)
		return err
	})
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
	return o.withDir(dir, (*os.File).Sync)
}

// Usage implements [FS].
func (o *OS) Usage() (Usage, error) {
	var st unix.Statfs_t
	err := o.withDir(".", func(d *os.File) error {
		if err := retried(func() error { return unix.Fstatfs(int(d.Fd()), &st) }); err != nil {
			return &fs.PathError{Op: "statfs", Path: ".", Err: err}
		}
		return nil
	})
	if err != nil {
		return Usage{}, err
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
type osFile struct {
	*os.File
	o *OS
}

// Close implements [File].
func (f osFile) Close() error { return f.o.closeFile(f.File) }

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
