package publish

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ProcFS is the Proc of the running kernel. It reads /proc alone, never the files that
// descriptors lead to: those may be on the mount that asks.
type ProcFS struct {
	// Dir is where proc is mounted; "" is /proc.
	Dir string
	// Device tells the device of the mount as mountinfo writes it, "0:52", so that equal inode
	// numbers elsewhere don't count. nil or "" counts every mount.
	Device func() string
}

var errProc = errors.New("unexpected form")

func (p ProcFS) root() string {
	if p.Dir == "" {
		return "/proc"
	}
	return p.Dir
}

func (p ProcFS) path(id int, name string) string {
	return p.root() + "/" + strconv.Itoa(id) + "/" + name
}

// Process implements Proc. Most callers are the first thread of their process: the kernel says so when it is asked whether
// that thread of that process could be sent a signal, of which none is sent. To have all of status written and read takes twenty times as long.
func (p ProcFS) Process(tid uint32) (int, error) {
	if p.Dir == "" && tid != 0 && unix.Tgkill(int(tid), int(tid), 0) == nil {
		return int(tid), nil
	}
	var buf [4096]byte
	b, err := readSmall(unix.AT_FDCWD, p.path(int(tid), "status"), buf[:])
	if err != nil {
		return 0, err
	}
	v, ok := field(b, "\nTgid:")
	if !ok {
		return 0, fmt.Errorf("status of %d: %w", tid, errProc)
	}
	return strconv.Atoi(string(v))
}

// Killed implements Proc. It looks at the exit code of the thread group (field 52 of
// stat): a signal's number stands in its low seven bits, an exit's status above
// them. The flag PF_SIGNALED says nothing: threads of a program that exits have it too.
//
// Only a process without memory, one that is exiting, is asked for its stat. A program that
// execs closes files under the lock that its stat needs: who asked for that before answering its
// FLUSH would wait for itself, and take every ps(1) with it. statm needs no such lock.
func (p ProcFS) Killed(pid int) (bool, error) {
	var buf [4096]byte
	m, err := readSmall(unix.AT_FDCWD, p.path(pid, "statm"), buf[:])
	if err != nil {
		return false, err
	}
	if !bytes.HasPrefix(m, []byte("0 ")) {
		return false, nil
	}
	b, err := readSmall(unix.AT_FDCWD, p.path(pid, "stat"), buf[:])
	if err != nil {
		return false, err
	}
	// The second field is the command in parentheses, and may hold any byte.
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return false, fmt.Errorf("stat of %d: %w", pid, errProc)
	}
	fields := bytes.Fields(b[i+1:]) // the first of these is field 3
	const exitCode = 52 - 3
	if len(fields) <= exitCode {
		return false, fmt.Errorf("stat of %d: %w", pid, errProc)
	}
	if state := fields[0][0]; state == 'T' || state == 't' {
		return false, nil // stopped, by the signal that stands there
	}
	code, err := strconv.Atoi(string(fields[exitCode]))
	return code&0x7f != 0, err
}

// Writable implements Proc. The thread's own table is read, not its leader's: a leader that
// has ended while its threads go on has none any more.
//
// What descriptors lead to is read in fdinfo, of sockets too. The links in fd would tell those in less than half the time, but Linux 6.18
// takes a lock for a look at a link that a program holds while it execs, and so while it waits for the answer to the FLUSH of what it closes by that.
func (p ProcFS) Writable(tid uint32, inode uint64, enough int) (n, all int, err error) {
	dir, err := os.Open(p.path(int(tid), "fdinfo"))
	if err != nil {
		return 0, 0, err
	}
	defer dir.Close()
	dirFD := int(dir.Fd())
	want := strconv.AppendUint(nil, inode, 10)
	var buf [1024]byte
	mounts := map[string]bool{} // that were met, and whether they are ours
	for {
		names, err := dir.Readdirnames(64)
		for _, name := range names {
			b, err := readSmall(dirFD, name, buf[:])
			if err != nil {
				continue // closed meanwhile
			}
			all++
			if p.counts(tid, b, want, mounts) {
				if n++; n > enough {
					return n, all, nil
				}
			}
		}
		if err != nil || len(names) == 0 {
			return n, all, nil // the end, or the process is gone
		}
	}
}

// counts says whether an fdinfo tells of a descriptor for writing on the inode. mounts keeps what was found out of mounts.
func (p ProcFS) counts(tid uint32, info, inode []byte, mounts map[string]bool) bool {
	ino, ok := field(info, "\nino:")
	if !ok || !bytes.Equal(ino, inode) {
		return false
	}
	if !opensForWriting(info) {
		return false
	}
	mount, ok := field(info, "\nmnt_id:")
	if !ok {
		return true
	}
	ours, asked := mounts[string(mount)]
	if !asked {
		ours, _ = p.ours(tid, mount)
		mounts[string(mount)] = ours
	}
	return ours
}

// opensForWriting says whether an fdinfo tells of a descriptor that can be written to, or does not tell.
func opensForWriting(info []byte) bool {
	v, ok := field(info, "\nflags:")
	if !ok {
		return true
	}
	flags, err := strconv.ParseUint(string(v), 8, 64)
	return err != nil || flags&unix.O_ACCMODE != unix.O_RDONLY
}

// ours says whether a mount, by its id in the thread's namespace, is of our device, and whether that is certain: what can't
// be told counts.
func (p ProcFS) ours(tid uint32, id []byte) (ours, certain bool) {
	if p.Device == nil {
		return true, false
	}
	device := p.Device()
	if device == "" {
		return true, false
	}
	b, err := os.ReadFile(p.path(int(tid), "mountinfo"))
	if err != nil {
		return true, false
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) > 2 && bytes.Equal(f[0], id) {
			return string(f[2]) == device, true
		}
	}
	return true, false
}

// field returns the word behind a key that stands at the start of a line.
func field(b []byte, key string) ([]byte, bool) {
	var rest []byte
	if bytes.HasPrefix(b, []byte(key[1:])) {
		rest = b[len(key)-1:]
	} else if i := bytes.Index(b, []byte(key)); i >= 0 {
		rest = b[i+len(key):]
	} else {
		return nil, false
	}
	rest, _, _ = bytes.Cut(rest, []byte("\n"))
	return bytes.TrimSpace(rest), true
}

// readSmall reads the file into buf, as far as it goes: the files read here are shorter,
// or have what is looked for at their beginning, and give all that they have at once.
func readSmall(dir int, name string, buf []byte) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	for err == unix.EINTR {
		n, err = unix.Read(fd, buf)
	}
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: name, Err: err}
	}
	return buf[:n], nil
}
