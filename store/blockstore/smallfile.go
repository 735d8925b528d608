package blockstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"syscall"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// maxSmallFile bounds what is read of a file that is read whole.
const maxSmallFile = 10 << 20

// readFile returns the content of a small file.
func readFile(fsys vfs.FS, name string) ([]byte, error) {
	f, size, err := openSized(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxSmallFile {
		return nil, fmt.Errorf("%s of %d bytes: %w", name, size, record.ErrBad)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// openSized opens a file and says how long it is.
func openSized(fsys vfs.FS, name string) (vfs.File, int64, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
}

// replaceFile puts a file in place, whole or not at all, and durably.
func replaceFile(fsys vfs.FS, name string, content []byte) error {
	if err := writeBeside(fsys, name, content); err != nil {
		return err
	}
	return putInPlace(fsys, name)
}

// writeBeside makes the file that is to be put in the place of another one. That is not touched.
func writeBeside(fsys vfs.FS, name string, content []byte) error {
	temp := name + ".new"
	if err := removeIfThere(fsys, temp); err != nil {
		return err
	}
	if err := writeNewFile(fsys, temp, content); err != nil {
		_ = removeIfThere(fsys, temp)
		return err
	}
	return nil
}

// putInPlace replaces a file by the one that was made beside it. After an error either may be there.
func putInPlace(fsys vfs.FS, name string) error {
	if err := fsys.Rename(name+".new", name); err != nil {
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

// writeNewFile makes a file with that content, durable but for its name.
func writeNewFile(fsys vfs.FS, name string, content []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func removeIfThere(fsys vfs.FS, name string) error {
	err := fsys.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// mkdirIfMissing makes a directory and says whether it had to.
func mkdirIfMissing(fsys vfs.FS, name string) (bool, error) {
	err := fsys.Mkdir(name)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// diskError turns a full disk into the contract's error.
func diskError(err error) error {
	if isNoSpace(err) {
		return fmt.Errorf("%w: %w", store.ErrNoSpace, err)
	}
	return err
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// freeName returns a name in dir that is free: base, or base and a number.
func freeName(fsys vfs.FS, dir, base string) (string, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return "", err
	}
	name := base
	for i := 2; slices.Contains(names, name); i++ {
		name = fmt.Sprintf("%s.%d", base, i)
	}
	return dir + "/" + name, nil
}

// withReserve does something that needs little space, and makes room for it as long as
// the disk is full and there is a reserve.
func (s *Stream) withReserve(do func() error) error {
	for {
		err := do()
		if err == nil || !isNoSpace(err) || s.w.failed != nil || !s.st.reserve.Give() {
			return err
		}
	}
}
