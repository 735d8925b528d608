package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The kernel learns what is in a directory when somebody reads it. The guard does that for the server (fusefs.NameReader): it can be
// killed at any time, where the server would wait for its own answer. They talk over a socket.

// namesRequest asks for a part of a directory to be read.
type namesRequest struct {
	Mount, Device string // where the mount is, and its device as in mountEntry
	Stream        string
	Node, From    uint64
	Names         int
}

// namesAnswer tells how far it was read, or why it was not.
type namesAnswer struct {
	Next  uint64
	Error string
	Gone  bool // the directory is, or can't be read
}

// names implements fusefs.NameReader: the guard reads.
type names struct {
	mount   mountEntry
	socket  *os.File
	answers *json.Decoder
	guard   *os.Process
}

// Process implements fusefs.NameReader.
func (n *names) Process() int { return n.guard.Pid }

// Close implements fusefs.NameReader. The guard has nothing left to guard.
func (n *names) Close() { _ = n.guard.Kill() }

// ReadNames implements fusefs.NameReader.
func (n *names) ReadNames(stream string, node, from uint64, count int) (uint64, error) {
	var a namesAnswer
	err := json.NewEncoder(n.socket).Encode(namesRequest{n.mount.Point, n.mount.Device, stream, node, from, count})
	if err == nil {
		err = n.answers.Decode(&a)
	}
	switch {
	case err != nil:
		return 0, err // the guard has ended
	case a.Gone:
		return 0, fmt.Errorf("%w: %s", fs.ErrNotExist, a.Error)
	case a.Error != "":
		return 0, errors.New(a.Error)
	}
	return a.Next, nil
}

// answerNames reads names for the server as long as it asks.
func answerNames(socket io.ReadWriter) {
	requests, answers := json.NewDecoder(socket), json.NewEncoder(socket)
	for {
		var q namesRequest
		if requests.Decode(&q) != nil {
			return
		}
		next, err := q.read()
		a := namesAnswer{Next: next, Gone: errors.Is(err, fs.ErrNotExist)}
		if err != nil {
			a.Error = err.Error()
		}
		if answers.Encode(a) != nil {
			return
		}
	}
}

// namesBuffer is for how much of a directory is read at a time: meanwhile nobody can make or remove anything there.
const namesBuffer = 64 << 10

// read reads the names. It uses a mount of its own that is nowhere in the tree: who unmounts the other one is not told that it is busy.
func (q namesRequest) read() (next uint64, err error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, q.Mount, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return 0, &fs.PathError{Op: "open_tree", Path: q.Mount, Err: err}
	}
	defer func() { _ = unix.Close(tree) }()
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return 0, err
	}
	if device := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)); device != q.Device {
		return 0, &fs.PathError{Op: "list", Path: q.Mount, Err: unix.EXDEV} // something else is mounted there
	}
	return q.readIn(tree)
}

// readIn reads them in the directory of the stream below root.
func (q namesRequest) readIn(root int) (next uint64, err error) {
	defer func() {
		if err != nil { // it was removed, or its stream truncated, or is damaged: others may be read
			err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
	}()
	dir, err := unix.Openat(root, q.Stream, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(dir) }()
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return 0, err
	}
	if st.Ino != q.Node {
		return 0, fs.ErrNotExist // it was removed and made again
	}
	if _, err := unix.Seek(dir, int64(q.From), io.SeekStart); err != nil {
		return 0, err
	}
	next = q.From
	buf := make([]byte, namesBuffer)
	for q.Names > 0 {
		n, err := unix.Getdents(dir, buf)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return next, err
		}
		for b := buf[:n]; len(b) > 0; q.Names-- {
			var size int
			size, next = direntOf(b)
			b = b[size:]
		}
	}
	return next, nil
}

// direntOf returns how long the first linux_dirent64 of b is, and the offset behind it.
func direntOf(b []byte) (size int, next uint64) {
	const off, reclen = 8, 16 // see getdents64(2)
	return int(binary.NativeEndian.Uint16(b[reclen:])), binary.NativeEndian.Uint64(b[off:])
}

// namesSocket makes the socket between server and guard, and returns its ends.
func namesSocket() (ours, theirs *os.File, err error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(pair[0]), "guard"), os.NewFile(uintptr(pair[1]), "server"), nil
}
