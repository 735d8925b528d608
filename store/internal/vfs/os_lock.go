package vfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"jsfs/store"
)

// Lock implements [FS] by flock(2). A read-only FS takes a shared lock, and none
// where there is no lock file: then nobody has ever owned the store.
func (o *OS) Lock(name string) (io.Closer, error) {
	if o.readOnly {
		f, err := o.openRegular(name, os.O_RDONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return io.NopCloser(nil), nil
		}
		return flock(f, err, unix.LOCK_SH)
	}
	f, err := o.openRegular(name, os.O_RDWR|os.O_CREATE, 0o600)
	return flock(f, err, unix.LOCK_EX)
}

// flock locks an opened file, or closes it.
func flock(f *os.File, err error, how int) (io.Closer, error) {
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	switch {
	case err == nil:
		if how == unix.LOCK_EX {
			writePid(f)
		}
		return f, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = lockedError(holder(f))
	default:
		err = &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	_ = f.Close()
	return nil, err
}

func lockedError(pid int) error {
	if pid == 0 {
		return fmt.Errorf("%w by another process", store.ErrLocked)
	}
	return fmt.Errorf("%w by process %d", store.ErrLocked, pid)
}

// writePid notes who holds the lock. The lock holds without it, so a full disk is
// no reason to fail.
func writePid(f *os.File) {
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if _, err := f.WriteAt([]byte(pid), 0); err == nil {
		_ = f.Truncate(int64(len(pid)))
	}
}

// holder finds the process that holds the lock on f: the kernel's list knows best, the
// file itself knows the last writer. 0 means that neither tells.
func holder(f *os.File) int {
	if pid := kernelHolder(f); pid != 0 {
		return pid
	}
	var buf [20]byte
	n, _ := f.ReadAt(buf[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid < 1 {
		return 0
	}
	return pid
}

// kernelHolder looks f up in /proc/locks, whose lines look like
//
//	1: FLOCK  ADVISORY  WRITE 4711 08:01:393275 0 EOF
func kernelHolder(f *os.File) int {
	var st unix.Stat_t
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer locks.Close()
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	id := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for sc := bufio.NewScanner(locks); sc.Scan(); {
		w := strings.Fields(sc.Text())
		if len(w) < 6 || w[1] != "FLOCK" || w[5] != id {
			continue
		}
		if pid, err := strconv.Atoi(w[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}
