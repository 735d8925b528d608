package reserve

import (
	"log/slog"
	"sync"

	"jsfs/store/internal/vfs"
)

// FileName is the reserve's name in the store's directory.
const FileName = "reserve"

const (
	wholeSize = 1 << 20
	part      = 64 << 10 // what is given back at once
)

// Reserve is a file of zeros whose space is given back when the disk is full, so that removals
// still fit. It is filled again when there is room. It may be used concurrently.
type Reserve struct {
	fs  vfs.FS
	log *slog.Logger

	mu   sync.Mutex // guards the rest; a leaf
	full int64      // the size that it should have
	size int64      // the size that it has
}

// New returns a reserve in fsys that has nothing and stays so until it is opened. log is told of what goes wrong.
func New(fsys vfs.FS, log *slog.Logger) *Reserve { return &Reserve{fs: fsys, log: log} }

// Open finds out how large the reserve is, and fills it. It is called before anybody else has it.
func (r *Reserve) Open() {
	r.full = wholeSize
	if u, err := r.fs.Usage(); err == nil && u.Total/64 < wholeSize {
		r.full = int64(u.Total/64) / 4096 * 4096
	}
	if f, err := r.fs.Open(FileName); err == nil {
		if size, err := f.Size(); err == nil {
			r.size = size
		}
		_ = f.Close()
	}
	r.Refill()
}

// Give gives some of the reserve back to the disk, and says whether there was any left.
func (r *Reserve) Give() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size == 0 {
		return false
	}
	f, err := r.fs.Open(FileName)
	if err != nil {
		r.size = 0
		return false
	}
	defer f.Close()
	size := max(r.size-part, 0)
	if err := f.Truncate(size); err != nil {
		r.log.Warn("reserve can't be given back", "cause", err)
		r.size = 0
		return false
	}
	r.size = size
	return true
}

// Refill brings the reserve back to its size, if the disk has room to spare.
func (r *Reserve) Refill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size >= r.full {
		return
	}
	if u, err := r.fs.Usage(); err != nil || int64(u.Free) < 4*(r.full-r.size) {
		return
	}
	f, err := r.fs.Open(FileName)
	if err != nil {
		if f, err = r.fs.Create(FileName); err != nil {
			return
		}
	}
	defer f.Close()
	zeros := make([]byte, part)
	for r.size < r.full {
		n := min(part, r.full-r.size)
		if _, err := f.WriteAt(zeros[:n], r.size); err != nil {
			_ = f.Truncate(r.size)
			return
		}
		r.size += n
	}
}

// Used is the space that the reserve takes, in bytes.
func (r *Reserve) Used() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size
}
