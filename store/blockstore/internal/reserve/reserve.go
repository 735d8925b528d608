package reserve

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"

	"jsfs/store/internal/vfs"
)

// FileName is the reserve's name in the store's directory.
const FileName = "reserve"

const (
	leastSize = 1 << 20
	largest   = 32        // it takes at most this part of the disk
	removals  = 256 << 10 // what it has besides what it is to lend
	largePart = 64 << 10  // what is given at once at least, and not lent; less where the reserve is small
)

// Reserve is a file of zeros whose space is given back when the disk is full: to removals, and as a loan to whoever
// writes anew what gives more space back. It is filled again before anybody else gets room. It may be used concurrently.
type Reserve struct {
	fs  vfs.FS
	log *slog.Logger

	// owing says that it gave what it has not got back.
	owing atomic.Bool

	mu   sync.Mutex // guards the rest; a leaf
	full int64      // the size that it should have
	loan int64      // what it should be able to lend
	size int64      // the size that it has
	told int64      // the size that it had when it was short
	lent bool
}

// New returns a reserve in fsys that has nothing and stays so until it is opened. log is told of what goes wrong.
func New(fsys vfs.FS, log *slog.Logger) *Reserve { return &Reserve{fs: fsys, log: log} }

// Open finds out how large the reserve is, and fills it. It is to be enough to lend loan bytes, where the disk is large
// enough for that. It is called before anybody else has it.
func (r *Reserve) Open(loan int64) {
	r.full = max(leastSize, loan+removals)
	if u, err := r.fs.Usage(); err == nil {
		r.full = min(r.full, int64(u.Total/largest)/4096*4096)
	}
	r.loan = loan
	if f, err := r.fs.Open(FileName); err == nil {
		if size, err := f.Size(); err == nil {
			r.size = size
		}
		if r.size > r.full && f.Truncate(r.full) == nil {
			r.size = r.full
		}
		_ = f.Close()
		r.owing.Store(r.size < r.full)
	}
	r.grow()
}

// grow fills the reserve, if the disk has room to spare.
func (r *Reserve) grow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lent || r.size >= r.full {
		return
	}
	if u, err := r.fs.Usage(); err == nil && int64(u.Free) >= 4*(r.full-r.size) {
		_ = r.fillLocked()
	}
}

// part is what is given at once at least.
func (r *Reserve) part() int64 { return min(largePart, max(r.full/16/4096, 1)*4096) }

// Give gives some of the reserve back to the disk, and says whether there was any left.
func (r *Reserve) Give() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.giveLocked(1, 0)
}

// giveLocked gives n bytes back, or what there is but for so many that are left, and says whether that was any.
func (r *Reserve) giveLocked(n, left int64) bool {
	part := r.part()
	size := max(r.size-(n+part-1)/part*part, left)
	if size >= r.size {
		return false
	}
	f, err := r.fs.Open(FileName)
	if vfs.IsExhausted(err) {
		return false // the next call may be lucky
	}
	if err != nil {
		r.size = 0
		return false
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		r.log.Warn("reserve can't be given back", "cause", err)
		r.size = 0
		return false
	}
	r.size = size
	r.owing.Store(true)
	return true
}

// Borrow begins a loan, which one caller at a time may have: until it is returned nobody fills the reserve.
func (r *Reserve) Borrow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lent = true
}

// Lend gives n bytes back to the disk for who borrows, or what there is beyond what is kept for removals, and says whether that was any.
func (r *Reserve) Lend(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.giveLocked(n, r.kept())
}

// Return ends a loan, and fills the reserve as far as it goes.
func (r *Reserve) Return() {
	r.mu.Lock()
	r.lent = false
	r.mu.Unlock()
	r.Settle()
}

// Lendable is how many bytes can be lent.
func (r *Reserve) Lendable() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.size-r.kept())
}

// kept is what is kept for removals while the rest is lent.
func (r *Reserve) kept() int64 { return min(largePart, r.full/8) }

// Short says whether so much was given that it could lend too little if more was, so that it is time to make room. It does so
// once for each size.
func (r *Reserve) Short() bool {
	if !r.owing.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lent || r.told == r.size || !r.lacksLocked(r.size-r.kept()) {
		return false
	}
	r.told = r.size
	return true
}

// Lacks says whether that much room, what it can lend included, is too little for a loan once more was given.
func (r *Reserve) Lacks(room int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lacksLocked(room)
}

func (r *Reserve) lacksLocked(room int64) bool { return room < min(r.full-r.kept(), r.loan+r.part()) }

// Settle makes the reserve what it was before it gave anything. False means that there is no room for that: all room that is left
// is the reserve's, and nobody else may take any.
func (r *Reserve) Settle() bool {
	if !r.owing.Load() {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lent {
		return false
	}
	return !isNoSpace(r.fillLocked())
}

// Refill fills the reserve, if it gave something, or never had its size and the disk has room to spare.
func (r *Reserve) Refill() {
	if r.Settle() {
		r.grow()
	}
}

// fillLocked fills the reserve as far as there is room.
func (r *Reserve) fillLocked() error {
	if r.size < r.full {
		f, err := r.fs.Open(FileName)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = r.fs.Create(FileName)
		}
		if err != nil {
			return err
		}
		defer f.Close()
		zeros := make([]byte, largePart)
		for r.size < r.full {
			n := min(r.part(), r.full-r.size)
			if _, err := f.WriteAt(zeros[:n], r.size); err != nil {
				_ = f.Truncate(r.size)
				return err
			}
			r.size += n
		}
	}
	r.owing.Store(false)
	r.told = r.full
	return nil
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Used is the space that the reserve takes, in bytes.
func (r *Reserve) Used() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size
}

// Owed is how many bytes the reserve gave and has not got back, at most.
func (r *Reserve) Owed() int64 {
	if !r.owing.Load() {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full - r.size
}
