package storetest

import (
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// mostFiles is how many files may be open when Exhaust is called.
const mostFiles = 512

// Exhaust opens files until this process may open no more. It may when lift is called, or the test ends: no other test may run beside it.
func Exhaust(tb testing.TB) (lift func()) {
	tb.Helper()
	var fds []int
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		tb.Fatal(err)
	}
	lift = sync.OnceFunc(func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(lift)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(old.Cur, mostFiles), Max: old.Max}); err != nil {
		tb.Fatal(err)
	}
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EMFILE) {
			return lift
		}
		if err != nil {
			tb.Fatal(err)
		}
		fds = append(fds, fd)
	}
}
