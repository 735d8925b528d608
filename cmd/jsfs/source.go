package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"jsfs/store/blockstore"
)

// source is what a SOURCE on the command line names.
type source struct {
	// name is what mountinfo shows: the store's directory, symbolic links resolved, or "mem:".
	name string
	// dir is the store's directory; "" for a memory store.
	dir string
}

// memorySource is the SOURCE that is a memory store.
const memorySource = "mem:"

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+-]*:`)

// parseSource reads a SOURCE. It looks at the disk and changes nothing.
func parseSource(arg string) (source, error) {
	switch s := scheme.FindString(arg); s {
	case "":
	case memorySource:
		if arg != memorySource {
			return source{}, fmt.Errorf("source %s: a memory store has no name; write mem: alone", arg)
		}
		return source{name: arg}, nil
	case "nats:", "tls:":
		return source{}, fmt.Errorf("source %s: this version can't mount a NATS server yet; it mounts mem: and directories", arg)
	case "natsdir:":
		return source{}, fmt.Errorf("source %s: this version can't read a nats-server's directory yet; it mounts mem: and directories", arg)
	default:
		return source{}, fmt.Errorf("source %s: %s is no kind of source; give a directory, or mem: (a directory of that name is ./%s)", arg, s, arg)
	}
	if arg == "" {
		return source{}, errors.New("the source is empty; give mem: or a directory")
	}
	dir, err := resolve(arg)
	if err != nil {
		return source{}, fmt.Errorf("source %s: %w", arg, explainPath(err))
	}
	if outer := storeAround(dir); outer != "" {
		return source{}, fmt.Errorf("source %s is inside the store %s, which is one store; give that, or a directory outside of it", arg, outer)
	}
	if err := checkNotShown(arg, dir); err != nil {
		return source{}, err
	}
	return source{name: dir, dir: dir}, checkStoreDir(arg, dir)
}

// checkNotShown refuses a path in a mount of ours: it shows the store, and is none.
func checkNotShown(arg, dir string) error {
	all, err := mounts()
	if err != nil {
		return err
	}
	e, ok := mountAround(all, dir)
	switch {
	case !ok || !e.ours():
		return nil
	case e.Source == memorySource:
		return memoryIsGone(arg)
	}
	return fmt.Errorf("source %s is in the mount of %s; run `jsfs umount %s`, and give %s", arg, e.Source, e.Point, e.Source)
}

// memoryIsGone refuses a memory store where a store's directory is needed.
func memoryIsGone(arg string) error {
	return fmt.Errorf("source %s: a memory store is gone when its mount ends; give a store's directory", arg)
}

// storeAround returns the store in whose directory an absolute path lies, "" if it lies in none.
func storeAround(path string) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, blockstore.Marker)); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

// checkStoreDir says what keeps a path from being a store's directory. A missing one is fine.
func checkStoreDir(arg, dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("source %s: %w", arg, explainPath(err))
	case !info.IsDir():
		return fmt.Errorf("source %s is a %s; a store is a directory: give an empty or a new one", arg, kindOf(info.Mode()))
	}
	if _, err := os.ReadDir(dir); err != nil {
		return fmt.Errorf("source %s: %w", arg, explainPath(err))
	}
	return nil
}

// kindOf names a file's type.
func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m.IsRegular():
		return "file"
	case m&fs.ModeDevice != 0:
		return "device"
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "special file"
}

// explainPath turns an error about a path into what to do about it.
func explainPath(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("you (uid %d) may not use it: %w", os.Geteuid(), err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("a part of the path is a file: %w", err)
	case errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("its symbolic links go in a circle: %w", err)
	}
	return err
}

// resolve returns the absolute path that a name leads to, every symbolic link resolved, also
// where the last parts of it do not exist.
func resolve(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(path)
	if err == nil {
		return target, nil
	}
	if _, lerr := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) || lerr == nil {
		return "", err // also: a symbolic link to nothing
	}
	parent, err := resolve(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, filepath.Base(path)), nil
}

// makeDirs makes a directory and its missing parents, and returns those it made, outermost first.
func makeDirs(path string, mode fs.FileMode) ([]string, error) {
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	made, err := makeDirs(filepath.Dir(path), mode)
	if err != nil {
		return made, err
	}
	if err := os.Mkdir(path, mode); err != nil {
		return made, err
	}
	return append(made, path), nil
}

// syncDirs makes durable that directories which makeDirs made are there.
func syncDirs(made []string) error {
	for _, dir := range made {
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return fmt.Errorf("make %s durable: %w", dir, err)
		}
	}
	return nil
}

// unmakeDirs removes again what makeDirs made, as far as it is still empty.
func unmakeDirs(made []string) {
	for i := len(made) - 1; i >= 0; i-- {
		if os.Remove(made[i]) != nil {
			return
		}
	}
}
