package uring

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// possibleCPUs is how many CPUs there may ever be, and so how many queues the kernel has.
func possibleCPUs() (int, error) {
	const file = "/sys/devices/system/cpu/possible"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("count the CPUs: %w", err)
	}
	n, err := countCPUs(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}

// countCPUs counts what a list such as 0-3,8 names.
func countCPUs(list string) (int, error) {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.ParseUint(first, 10, 16)
		to := from
		if err == nil && isRange {
			to, err = strconv.ParseUint(last, 10, 16)
		}
		if err != nil || to < from {
			return 0, fmt.Errorf("%q is no list of CPUs", list)
		}
		n += int(to - from + 1)
	}
	return n, nil
}
