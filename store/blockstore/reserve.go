package blockstore

import (
	"log/slog"
	"sync"

	"jsfs/store/internal/vfs"
)

const (
	reserveName = "reserve"
	reserveSize = 1 << 20
	reservePart = 64 << 10 // what is given back at once
)

// reserve is a file of zeros whose space is given back when the disk is full, so that removals
// still fit. It is filled again when there is room.
type reserve struct {
	fs  vfs.FS
	log *slog.Logger

	mu   sync.Mutex // guards the rest; a leaf
	full int64      // the size that it should have
	size int64      // the size that it has
}

// openReserve finds out how large the reserve is, and fills it.
func openReserve(fsys vfs.FS, log *slog.Logger) *reserve {
	r := &reserve{fs: fsys, log: log, full: reserveSize}
	if u, err := fsys.Usage(); err == nil && u.Total/64 < reserveSize {
		r.full = int64(u.Total/64) / 4096 * 4096
	}
	if f, err := fsys.Open(reserveName); err == nil {
		if size, err := f.Size(); err == nil {
			r.size = size
		}
		_ = f.Close()
	}
	r.refill()
	return r
}

// give gives some of the reserve back to the disk, and says whether there was any left.
func (r *reserve) give() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size == 0 {
		return false
	}
	f, err := r.fs.Open(reserveName)
	if err != nil {
		r.size = 0
		return false
	}
	defer f.Close()
	size := max(r.size-reservePart, 0)
	if err := f.Truncate(size); err != nil {
		r.log.Warn("reserve can't be given back", "cause", err)
		r.size = 0
		return false
	}
	r.size = size
	return true
}

// refill brings the reserve back to its size, if the disk has room to spare.
func (r *reserve) refill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size >= r.full {
		return
	}
	if u, err := r.fs.Usage(); err != nil || int64(u.Free) < 4*(r.full-r.size) {
		return
	}
	f, err := r.fs.Open(reserveName)
	if err != nil {
		if f, err = r.fs.Create(reserveName); err != nil {
			return
		}
	}
	defer f.Close()
	zeros := make([]byte, reservePart)
	for r.size < r.full {
		n := min(reservePart, r.full-r.size)
		if _, err := f.WriteAt(zeros[:n], r.size); err != nil {
			_ = f.Truncate(r.size)
			return
		}
		r.size += n
	}
}

// used is the space that the reserve takes.
func (r *reserve) used() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size
}

// withReserve does something that needs little space, and makes room for it as long as
// the disk is full and there is a reserve.
func (s *Stream) withReserve(do func() error) error {
	for {
		err := do()
		if err == nil || !isNoSpace(err) || s.w.failed != nil || !s.st.reserve.give() {
			return err
		}
	}
}
