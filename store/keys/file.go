package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"jsfs/store"
)

// maxKeyFile is more than a key's file may have.
const maxKeyFile = 256

// ReadFile reads a key from a file. It must be a regular file that belongs to this user, with no mode bit for
// anybody else, and in none of the directories notIn: a key beside what it unlocks protects nothing. ErrKey otherwise.
func ReadFile(path string, notIn ...string) (*Secret, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0) // a pipe must not block
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrKey, err)
	}
	defer func() { _ = f.Close() }()
	if err := checkFile(f, path, notIn); err != nil {
		return nil, err
	}
	return readKey(f)
}

func checkFile(f *os.File, path string, notIn []string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrKey, err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is no regular file", store.ErrKey, path)
	case !ok || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%w: %s belongs to another user", store.ErrKey, path)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w: others may use %s, its mode is %#o; make it 0600", store.ErrKey, path, info.Mode().Perm())
	}
	target, err := filepath.Abs(path)
	if err == nil {
		target, err = filepath.EvalSymlinks(target)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrKey, err)
	}
	for _, dir := range notIn {
		if within(target, dir) {
			return fmt.Errorf("%w: %s is in %s, which it is to protect; keep it elsewhere", store.ErrKey, path, dir)
		}
	}
	return nil
}

// within says whether the resolved path is in a directory, which may not exist.
func within(path, dir string) bool {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		abs = target
	}
	rel, err := filepath.Rel(abs, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// ReadDescriptor reads a key from an open descriptor, to its end, and closes it.
func ReadDescriptor(fd uintptr) (*Secret, error) {
	f, err := descriptor(fd)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return readKey(f)
}

// ReadPhraseDescriptor reads a passphrase from an open descriptor, to its end, and closes it.
func ReadPhraseDescriptor(fd uintptr) (*Secret, error) {
	f, err := descriptor(fd)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := readAll(f, MaxPassphrase+2)
	if err != nil {
		return nil, err
	}
	return OfPassphrase(b)
}

func descriptor(fd uintptr) (*os.File, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(fd), &st); err != nil {
		return nil, fmt.Errorf("%w: descriptor %d: %w", store.ErrKey, fd, err)
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return nil, fmt.Errorf("%w: descriptor %d is a directory", store.ErrKey, fd)
	}
	return os.NewFile(fd, fmt.Sprintf("descriptor %d", fd)), nil
}

func readKey(r io.Reader) (*Secret, error) {
	b, err := readAll(r, maxKeyFile)
	if err != nil {
		return nil, err
	}
	return OfKey(b)
}

// readAll reads at most limit bytes, into memory that nothing else was read into.
func readAll(r io.Reader, limit int) ([]byte, error) {
	b := make([]byte, limit+1)
	n, err := io.ReadFull(r, b)
	switch {
	case err == nil:
		clear(b)
		return nil, fmt.Errorf("%w: it has more than %d bytes", store.ErrKey, limit)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, fs.ErrClosed):
		return b[:n], nil
	}
	clear(b)
	return nil, fmt.Errorf("%w: %w", store.ErrKey, err)
}
