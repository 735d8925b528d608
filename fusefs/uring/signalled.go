package uring

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// signalled says whether a thread has a signal waiting that it does not block. What can't be
// found out is no.
func signalled(pid uint32) bool {
	if pid == 0 {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	var pending, blocked uint64
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		switch {
		case err != nil:
		case name == "SigPnd" || name == "ShdPnd":
			pending |= set
		case name == "SigBlk":
			blocked = set
		}
	}
	return pending&^blocked != 0
}
