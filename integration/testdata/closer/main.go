// Command closer has files open for writing and closes them: closer FILES GOROUTINES DIR.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
)

func main() {
	files, err := strconv.Atoi(os.Args[1])
	goroutines, err2 := strconv.Atoi(os.Args[2])
	if err != nil || err2 != nil {
		os.Exit(2)
	}
	fds := make([]int, files)
	for i := range fds {
		fds[i], err = syscall.Open(fmt.Sprintf("%s/w.%d", os.Args[3], i), syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, 0o644)
		must(err)
		write(fds[i], i, "begins")
	}
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := g; i < files; i += goroutines {
				end(fds[i], i)
			}
		})
	}
	all.Wait()
}

// end ends a file's message and closes it; of some by a copy, which is closed last.
func end(fd, i int) {
	if i%10 == 0 {
		copied, err := syscall.Dup(fd)
		must(err)
		must(syscall.Close(fd))
		fd = copied
	}
	write(fd, i, "ends")
	must(syscall.Close(fd))
}

func write(fd, i int, what string) {
	_, err := fmt.Fprintf(file(fd), "%d %s\n", i, what)
	must(err)
}

// file is a descriptor to be written to.
type file int

func (f file) Write(p []byte) (int, error) { return syscall.Write(int(f), p) }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
