package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// closedWithin is how long a server may take to close its store after it was unmounted.
const closedWithin = 60 * time.Second

// lockHolder returns the process that holds a flock(2) lock on a file directly in dir, 0 if none
// does. It takes no lock itself, and knows no engine's file names.
func lockHolder(dir string) int {
	names, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	inodes := make(map[uint64]bool, len(names))
	for _, e := range names {
		var st syscall.Stat_t
		if e.Type().IsRegular() && syscall.Lstat(filepath.Join(dir, e.Name()), &st) == nil {
			inodes[st.Ino] = true
		}
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(locks)) {
		if pid, inode, ok := parseLock(line); ok && inodes[inode] {
			return pid
		}
	}
	return 0
}

// parseLock reads a line of /proc/locks: `1: FLOCK  ADVISORY  WRITE 812 fe:00:1311 0 EOF`. Lines about
// other kinds of locks, and about waiting for one, are not ok.
func parseLock(line string) (pid int, inode uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[1] != "FLOCK" {
		return 0, 0, false
	}
	pid, err := strconv.Atoi(f[4])
	if err != nil {
		return 0, 0, false
	}
	inode, err = strconv.ParseUint(f[5][strings.LastIndexByte(f[5], ':')+1:], 10, 64)
	return pid, inode, err == nil
}

// awaitClosed waits until the server that had the store src open has closed it.
func awaitClosed(src string) error {
	if !filepath.IsAbs(src) {
		return nil // a memory store is closed when its process is gone
	}
	for end := time.Now().Add(closedWithin); ; time.Sleep(5 * time.Millisecond) {
		pid := lockHolder(src)
		if pid == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("it is unmounted, but the server (pid %d) has not closed the store %s after %v", pid, src, closedWithin)
		}
	}
}
