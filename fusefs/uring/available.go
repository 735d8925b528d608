package uring

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrUnavailable means that this machine's kernel does not carry FUSE requests over io_uring, or
// is not asked to.
var ErrUnavailable = errors.New("no FUSE over io_uring")

// switchFile is where root switches it on.
const switchFile = "/sys/module/fuse/parameters/enable_uring"

// Available returns nil if a mount made now can be served over io_uring, else an error that wraps
// ErrUnavailable and says what is in the way.
func Available() error {
	text, err := os.ReadFile(switchFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: this kernel does not have it (Linux 6.14 and newer do)", ErrUnavailable)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case !strings.HasPrefix(string(text), "Y"):
		return fmt.Errorf("%w: it is switched off; root switches it on with `echo Y > %s`", ErrUnavailable, switchFile)
	}
	r, err := newRing(1)
	if err == nil {
		r.close()
		return nil
	}
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("%w: io_uring is not allowed here (sysctl kernel.io_uring_disabled, or a container's rules): %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
