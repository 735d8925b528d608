package storetest

import (
	"errors"
	"sync"
	"syscall"
	"testing"
)

// mostFiles is how many files may be open when Exhaust is called.
const mostFiles = 512

// Exhaust opens files until this process may open no more. It may when lift is called, or the test ends: no other test may run beside it.
func Exhaust(tb testing.TB) (lift func()) {
	tb.Helper()
	var fds []int
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		tb.Fatal(err)
	}
	lift = sync.OnceFunc(func() {
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(lift)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: min(old.Cur, mostFiles), Max: old.Max}); err != nil {
		tb.Fatal(err)
	}
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if errors.Is(err, syscall.EMFILE) {
			return lift
		}
		if err != nil {
			tb.Fatal(err)
		}
		fds = append(fds, fd)
	}
}
