package integration

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// transport is how the mounts of the tests get their requests, "" for as it comes. `uring` switches it on
// for the machine while the tests run.
var transport = os.Getenv("JSFS_TEST_TRANSPORT")

// uringSwitch is where the kernel is told whether new mounts may go over io_uring.
const uringSwitch = "/sys/module/fuse/parameters/enable_uring"

// uringSupported says whether this kernel has FUSE over io_uring, switched on or not.
func uringSupported() bool {
	_, err := os.Stat(uringSwitch)
	return err == nil
}

// switchUring switches FUSE over io_uring on, and returns what puts the switch back when nobody
// uses it any more: other tests may run at the same time.
func switchUring() (back func() error, err error) {
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "jsfs-uring-switch"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	fd := int(lock.Fd())
	// Alone, one sees what it was before all of them.
	if syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		was, err := os.ReadFile(uringSwitch)
		if err == nil && strings.HasPrefix(string(was), "N") {
			err = errors.Join(os.WriteFile(uringSwitch, []byte("Y"), 0), os.WriteFile(lock.Name(), was, 0o600))
		}
		if err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	if err := syscall.Flock(fd, syscall.LOCK_SH); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return func() error {
		if syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return lock.Close() // the last one does it
		}
		was, err := os.ReadFile(lock.Name())
		if err == nil && len(was) > 0 {
			err = errors.Join(os.WriteFile(uringSwitch, was, 0), os.Truncate(lock.Name(), 0))
		}
		return errors.Join(err, lock.Close())
	}, nil
}

// overUring lets the test mount over io_uring, and over /dev/fuse on a kernel that has nothing else.
func overUring(t testing.TB) option {
	t.Helper()
	if !uringSupported() {
		t.Log("this kernel has no FUSE over io_uring; the test mounts over /dev/fuse")
		return withArgs("--transport=dev")
	}
	back, err := switchUring()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := back(); err != nil {
			t.Error(err)
		}
	})
	return withArgs("--transport=uring")
}
