package vfs

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// spares is how many descriptors are held for when the process may have no more files open.
	spares = 5
	// keptSpares is how many of them files that are made leave: os.Root needs as many to rename.
	keptSpares = 3
	// spareTries is how often a call is tried with them, if what else is in the process takes them before it.
	spareTries = 5
)

// spare is descriptors that are given up while a directory is opened to be listed or synced, or to change a name in it, where
// the process may have no more files open (EMFILE, ENFILE): that such a call fails makes more trouble than that a file can't be opened. Each is a
// file of its own for the kernel, which counts those, too.
type spare struct {
	gate  sync.RWMutex // held to open something, for writing while spares are given up, so that nothing else gets them
	fds   []int        // guarded by gate
	lacks atomic.Bool  // fds are fewer than spares
}

// sparing makes a call that opens something. If that can't be, spares beyond keep are given up for it.
func (o *OS) sparing(keep int, do func() error) error {
	o.spare.gate.RLock()
	err := do()
	o.spare.gate.RUnlock()
	for try := range spareTries {
		if !IsExhausted(err) {
			break
		}
		time.Sleep(time.Duration(try) * time.Millisecond)
		err = o.instead(keep, do)
	}
	return err
}

// instead makes a call in the place of spares, and takes those again that it leaves.
func (o *OS) instead(keep int, do func() error) error {
	s := &o.spare
	s.gate.Lock()
	defer s.gate.Unlock()
	for len(s.fds) > keep {
		_ = unix.Close(s.fds[len(s.fds)-1])
		s.fds = s.fds[:len(s.fds)-1]
	}
	err := do()
	o.takeSparesLocked()
	return err
}

// takeSparesLocked takes as many spares as it can get. The caller holds the gate for writing.
func (o *OS) takeSparesLocked() {
	s := &o.spare
	for len(s.fds) < spares {
		var fd int
		err := o.at(func(dir int) error {
			return retried(func() (err error) {
				fd, err = unix.Openat(dir, ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
				return err
			})
		})
		if err != nil {
			break
		}
		s.fds = append(s.fds, fd)
	}
	s.lacks.Store(len(s.fds) < spares)
}

// closeFile closes a file, in whose place comes a spare if one is lacking.
func (o *OS) closeFile(f *os.File) error {
	if !o.spare.lacks.Load() {
		return f.Close()
	}
	o.spare.gate.Lock()
	defer o.spare.gate.Unlock()
	err := f.Close()
	o.takeSparesLocked()
	return err
}

// dropSpares gives up all spares for good.
func (o *OS) dropSpares() {
	o.spare.gate.Lock()
	defer o.spare.gate.Unlock()
	for _, fd := range o.spare.fds {
		_ = unix.Close(fd)
	}
	o.spare.fds = nil
}
