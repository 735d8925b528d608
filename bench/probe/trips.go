package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// trips prints how long the requests take that a program makes of a file system whose names and pages are not kept: a LOOKUP, an OPEN with the RELEASE
// that follows, and a READ of a small file; in microseconds, the mean of count each. The file is 000000000001 in dir, and 1 is a name of
// it that the kernel has to ask for.
func trips(dir string, count int) error {
	runtime.LockOSThread()
	file, alias := filepath.Join(dir, "000000000001"), filepath.Join(dir, "1")
	var st syscall.Stat_t
	lookup := func() error { return syscall.Stat(alias, &st) }
	open := func() error {
		fd, err := syscall.Open(file, syscall.O_RDONLY, 0)
		if err != nil {
			return err
		}
		return syscall.Close(fd)
	}
	fd, err := syscall.Open(file, syscall.O_RDONLY|syscall.O_DIRECT, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", file, err)
	}
	defer func() { _ = syscall.Close(fd) }()
	buf := aligned(4096)
	read := func() error {
		_, err := syscall.Pread(fd, buf, 0)
		return err
	}
	for _, trip := range []func() error{lookup, open, read} {
		took, err := mean(trip, count)
		if err != nil {
			return err
		}
		fmt.Printf("%.2f ", took)
	}
	fmt.Println()
	return nil
}

// mean returns how long a call takes, in microseconds, once it is warm.
func mean(call func() error, count int) (float64, error) {
	var begun time.Time
	for i := range count + count/10 {
		if i == count/10 {
			begun = time.Now()
		}
		if err := call(); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(begun).Nanoseconds()) / 1000 / float64(count), nil
}

// aligned returns n bytes as O_DIRECT wants them.
func aligned(n int) []byte {
	b := make([]byte, 2*n)
	off := n - int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(n))
	return b[off%n : off%n+n]
}
