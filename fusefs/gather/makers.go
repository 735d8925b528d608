package gather

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// makers are processes that bring messages, and a pidfd of each. The zero value has none.
type makers map[int]int

// add notes that a process brings messages.
func (m *makers) add(pid int) error {
	if fd, ok := (*m)[pid]; ok && !exited(fd) {
		return nil
	}
	m.remove(pid) // another one had its number
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open of process %d: %w", pid, err)
	}
	if *m == nil {
		*m = makers{}
	}
	(*m)[pid] = fd
	return nil
}

func (m makers) has(pid int) bool {
	_, ok := m[pid]
	return ok
}

func (m makers) remove(pid int) {
	if fd, ok := m[pid]; ok {
		_ = unix.Close(fd)
		delete(m, pid)
	}
}

// over says whether all have exited. Those are forgotten.
func (m makers) over() bool {
	for pid, fd := range m {
		if !exited(fd) {
			return false
		}
		m.remove(pid)
	}
	return true
}

func (m makers) clear() {
	for pid := range m {
		m.remove(pid)
	}
}

// exited says whether the process of a pidfd has exited, waited for by its parent or not.
func exited(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}
