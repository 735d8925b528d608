package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// fsType is what the kernel calls a mount of ours.
const fsType = "fuse.jsfs"

// mountEntry is one line of /proc/self/mountinfo.
type mountEntry struct {
	Point  string // where it is mounted
	Type   string // the file system's type, with its subtype
	Source string // what is mounted
	Device string // of the file system, as major:minor: all mounts of one file system have the same
}

// ours says whether jsfs made the mount.
func (e mountEntry) ours() bool { return e.Type == fsType }

// mounts reads what is mounted in this process's name space.
func mounts() ([]mountEntry, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return parseMountinfo(f)
}

// parseMountinfo reads the format of proc(5), mountinfo.
func parseMountinfo(r io.Reader) ([]mountEntry, error) {
	var all []mountEntry
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		head, tail := strings.Split(before, " "), strings.Split(after, " ") // other white space may be part of a path
		if !ok || len(head) < 6 || len(tail) < 1 {
			return nil, fmt.Errorf("mountinfo: line %q is not in the form of proc(5)", lines.Text())
		}
		e := mountEntry{Point: unescape(head[4]), Type: tail[0], Device: head[2]}
		if len(tail) > 1 {
			e.Source = unescape(tail[1])
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

// unescape undoes the octal escapes of mountinfo: \040 is a space.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// topmost returns the mount that covers exactly that path, the newest if there are several.
func topmost(all []mountEntry, path string) (mountEntry, bool) {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Point == path {
			return all[i], true
		}
	}
	return mountEntry{}, false
}

// mountOf returns the newest mount of ours that shows a source.
func mountOf(all []mountEntry, src source) (mountEntry, bool) {
	for _, e := range slices.Backward(all) {
		if e.ours() && e.Source == src.name {
			return e, true
		}
	}
	return mountEntry{}, false
}

// mountAround returns the mount that an absolute path lies in.
func mountAround(all []mountEntry, path string) (in mountEntry, ok bool) {
	for _, e := range all {
		if isInside(path, e.Point) && len(e.Point) >= len(in.Point) { // a later one hides an earlier one
			in, ok = e, true
		}
	}
	return in, ok
}

// elsewhere returns another mount of the same file system, as mount --bind makes them.
func (e mountEntry) elsewhere(all []mountEntry) (mountEntry, bool) {
	i := slices.IndexFunc(all, func(o mountEntry) bool { return o.ours() && o.Device == e.Device })
	if i < 0 {
		return mountEntry{}, false
	}
	return all[i], true
}
