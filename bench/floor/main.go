// Command floor serves the least that a FUSE file system can do, to compare others with: one file, whose payload is 200 bytes, and
// one thread that reads a request, answers it from memory, and reads the next one.
//
//	floor MOUNTPOINT
//
// The file is called 000000000001, under which name the kernel keeps it, and 1, which it asks for each time. It ends when it is unmounted.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Opcodes and sizes of the kernel's <linux/fuse.h>.
const (
	opLookup, opForget, opGetattr, opOpen, opRead, opRelease = 1, 2, 3, 14, 15, 18
	opFlush, opInit, opOpendir, opReleasedir, opBatchForget  = 25, 26, 27, 29, 42

	headerIn, headerOut = 40, 16
	fileNode, fileSize  = 2, 200
	keepCache           = 1 << 1 // FOPEN_KEEP_CACHE
	noFlush             = 1 << 5 // FOPEN_NOFLUSH
	hour                = 3600
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor MOUNTPOINT")
		os.Exit(2)
	}
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func serve(dir string) error {
	runtime.LockOSThread()
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/fuse: %w", err)
	}
	opts := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	if err := syscall.Mount("floor", dir, "fuse.floor", syscall.MS_NOSUID|syscall.MS_NODEV, opts); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	in, out := make([]byte, 1<<20+4096), make([]byte, 4096)
	for {
		n, err := syscall.Read(fd, in)
		switch {
		case errors.Is(err, syscall.ENODEV):
			return nil // it was unmounted
		case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ENOENT):
			continue
		case err != nil:
			return fmt.Errorf("read a request: %w", err)
		}
		if size := answer(in[:n], out); size > 0 {
			if _, err := syscall.Write(fd, out[:size]); err != nil && !errors.Is(err, syscall.ENOENT) {
				return fmt.Errorf("write an answer: %w", err)
			}
		}
	}
}

var le = binary.LittleEndian

// answer writes the answer to a request, and returns its length; 0 if it gets none.
func answer(in, out []byte) int {
	op, node := le.Uint32(in[4:]), le.Uint64(in[16:])
	clear(out[:256])
	body, size, errno := out[headerOut:], 0, syscall.Errno(0)
	switch op {
	case opForget, opBatchForget:
		return 0
	case opInit:
		size = 64
		le.PutUint32(body[0:], 7)
		le.PutUint32(body[4:], min(31, le.Uint32(in[headerIn+4:])))
		le.PutUint32(body[8:], 128<<10)  // max_readahead
		le.PutUint32(body[20:], 128<<10) // max_write
	case opLookup:
		name := strings.TrimRight(string(in[headerIn:]), "\x00")
		if name != "1" && name != "000000000001" {
			errno = syscall.ENOENT
			break
		}
		size = 40 + 88
		le.PutUint64(body[0:], fileNode)
		if name != "1" {
			le.PutUint64(body[16:], hour)
		}
		le.PutUint64(body[24:], hour)
		attr(body[40:], fileNode)
	case opGetattr:
		size = 16 + 88
		le.PutUint64(body[0:], hour)
		attr(body[16:], node)
	case opOpen, opOpendir:
		size = 16
		le.PutUint32(body[8:], keepCache|noFlush)
	case opRead:
		off, n := le.Uint64(in[headerIn+8:]), le.Uint32(in[headerIn+16:])
		if off < fileSize {
			size = int(min(uint64(n), fileSize-off))
		}
	case opRelease, opReleasedir, opFlush:
	default:
		errno = syscall.ENOSYS
	}
	le.PutUint32(out[0:], uint32(headerOut+size))
	le.PutUint32(out[4:], uint32(-int32(errno)))
	le.PutUint64(out[8:], le.Uint64(in[8:]))
	return headerOut + size
}

// attr writes the attributes of the directory or the file.
func attr(b []byte, node uint64) {
	mode := uint32(syscall.S_IFDIR | 0o755)
	if node == fileNode {
		mode = syscall.S_IFREG | 0o644
		le.PutUint64(b[8:], fileSize)
	}
	le.PutUint64(b[0:], node)
	le.PutUint32(b[60:], mode)
	le.PutUint32(b[64:], 1) // links
	le.PutUint32(b[80:], 4096)
}
