package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// answerWithin is how long a mount may take to answer before it counts as hanging.
const answerWithin = 5 * time.Second

// mountPoint is a place to mount at that was looked at and found good.
type mountPoint struct {
	path string // absolute, symbolic links resolved
	// dead is true if a mount of ours without a server lies there and must be detached first.
	dead bool
	// missing is true if the directory has to be made.
	missing bool
}

// checkMountPoint says whether src can be mounted at arg. It changes nothing.
func checkMountPoint(arg string, src source, nonEmpty bool) (mountPoint, error) {
	if arg == "" {
		return mountPoint{}, errors.New("the mount point is empty; give a directory")
	}
	all, err := mounts()
	if err != nil {
		return mountPoint{}, err
	}
	p := mountPoint{}
	if p.path, err = resolveMountPoint(arg, all); err != nil {
		return p, fmt.Errorf("mount point %s: %w", arg, explainPath(err))
	}
	if err := checkApart(arg, p.path, src); err != nil {
		return p, err
	}
	if outer := storeAround(p.path); outer != "" {
		return p, fmt.Errorf("mount point %s is inside the store %s; give a directory outside of it", arg, outer)
	}
	if e, ok := topmost(all, p.path); ok {
		p.dead = e.ours() && nobodyServes(probe(p.path))
		if !p.dead {
			return p, busyError(arg, e)
		}
		return p, nil
	}
	return p, p.checkDirectory(arg, nonEmpty)
}

// checkDirectory looks at what stands at the mount point where nothing is mounted.
func (p *mountPoint) checkDirectory(arg string, nonEmpty bool) error {
	info, err := os.Stat(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.missing = true
		return nil
	case err != nil:
		return fmt.Errorf("mount point %s: %w", arg, explainPath(err))
	case !info.IsDir():
		return fmt.Errorf("mount point %s is a %s; give an empty or a new directory", arg, kindOf(info.Mode()))
	}
	names, err := os.ReadDir(p.path)
	if err != nil {
		return fmt.Errorf("mount point %s: %w", arg, explainPath(err))
	}
	if len(names) > 0 && !nonEmpty {
		return fmt.Errorf("mount point %s is not empty (it has %q); give an empty directory, or -o nonempty to hide what is in it", arg, names[0].Name())
	}
	return nil
}

// resolveMountPoint is resolve for a path that may end in a mount whose server is dead, where
// no symbolic link can be looked at.
func resolveMountPoint(arg string, all []mountEntry) (string, error) {
	path, gone := resolve(arg)
	if !nobodyServes(gone) {
		return path, gone
	}
	abs, err := filepath.Abs(arg)
	if err != nil {
		return "", err
	}
	parent, err := resolve(filepath.Dir(abs))
	if err != nil {
		return "", err
	}
	path = filepath.Join(parent, filepath.Base(abs))
	if _, ok := topmost(all, path); ok {
		return path, nil
	}
	return "", fmt.Errorf("a mount on the way to it is dead; unmount that first: %w", gone)
}

// checkApart refuses a mount point inside its own store and a store inside its mount point.
func checkApart(arg, path string, src source) error {
	switch {
	case src.dir == "":
	case src.dir == path:
		return fmt.Errorf("mount point %s is the store itself; give a directory beside it", arg)
	case within(path, src.dir):
		return fmt.Errorf("mount point %s is inside its own store %s; give a directory outside of it", arg, src.dir)
	case within(src.dir, path):
		return fmt.Errorf("the store %s is inside its own mount point %s, which would hide it; give a directory outside of it", src.dir, arg)
	}
	return nil
}

// within says whether path lies below dir, both absolute and clean.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != "." && rel != ".." && !strings.HasPrefix(rel, "../")
}

func busyError(arg string, e mountEntry) error {
	if e.ours() {
		return fmt.Errorf("mount point %s is in use: %s is mounted there; `jsfs umount %s` ends that", arg, e.Source, arg)
	}
	return fmt.Errorf("mount point %s is in use: a file system of type %s is mounted there; give another directory", arg, e.Type)
}

// nobodyServes says whether a call on a mount failed because its server is gone: the kernel says
// ENOTCONN then, and while it takes the connection down ECONNABORTED, or ECANCELED where requests went over io_uring.
func nobodyServes(err error) bool {
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ECANCELED)
}

// probe asks whoever serves the mount at path for an answer, past the kernel's caches:
// nobodyServes tells what an error means; EBUSY is that there was no answer in time.
func probe(path string) error {
	answer := make(chan error, 1)
	go func() { // stays behind if the mount hangs
		var st unix.Statfs_t
		if err := unix.Statfs(path, &st); err != nil {
			answer <- err
			return
		}
		answer <- listFirst(path)
	}()
	select {
	case err := <-answer:
		return err
	case <-time.After(answerWithin):
		return syscall.EBUSY
	}
}

// listFirst reads the first entry of a directory, if it has one.
func listFirst(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// detachDead takes dead mounts of ours away from the mount point, until none is left.
func detachDead(path string) error {
	for {
		all, err := mounts()
		if err != nil {
			return err
		}
		e, ok := topmost(all, path)
		if !ok {
			return nil
		}
		if !e.ours() || !nobodyServes(probe(path)) {
			return busyError(path, e)
		}
		if err := unmount(path, true); err != nil {
			return fmt.Errorf("detach the dead mount at %s: %w", path, err)
		}
	}
}
