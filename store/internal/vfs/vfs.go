package vfs

import (
	"errors"
	"io"
	"syscall"
)

// FS is a directory tree. Its methods may be called concurrently.
type FS interface {
	// Create makes a file with mode 0600 and opens it for reading and writing. It
	// gives fs.ErrExist if the name is taken. The name is durable after SyncDir of
	// its directory.
	Create(name string) (File, error)
	// Open opens a file, for writing too unless the FS is read-only.
	Open(name string) (File, error)
	// Mkdir makes a directory with mode 0700; fs.ErrExist if the name is taken.
	Mkdir(name string) error
	// Rename moves a file or a directory. A file that has the new name is replaced,
	// in one step; so is an empty directory by a directory.
	Rename(from, to string) error
	// Remove takes a file or an empty directory away. Whoever has the file open goes
	// on using it.
	Remove(name string) error
	// List returns the names in a directory, sorted.
	List(dir string) ([]string, error)
	// SyncDir makes earlier Create, Mkdir, Rename and Remove calls in dir durable.
	SyncDir(dir string) error
	// Lock takes the lock that the file name stands for, and makes the file if it
	// can. Whoever holds it is named in the error, which wraps store.ErrLocked. The
	// lock is free when the result is closed, or when the process ends.
	Lock(name string) (io.Closer, error)
	// Usage tells the room on the file system below.
	Usage() (Usage, error)
	// BootID is the same text until the machine restarts, and another one from then on.
	BootID() (string, error)
}

// File is an open file. Its methods may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Close frees the file; a later ReadAt gives fs.ErrClosed, never other bytes.
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Sync makes the file's bytes and its size durable, not its name.
	Sync() error
	// ModTime is when the file was changed last, in nanoseconds since the Unix epoch.
	ModTime() (int64, error)
	// WillNeed says that n bytes from off on will be read soon, so that the system may fetch them meanwhile. It does
	// not wait for them, and is no more than a hint: it has no error, and of a closed file no effect.
	WillNeed(off, n int64)
}

// Usage is the room on a file system, in bytes.
type Usage struct {
	Total     uint64 // what could be used at most
	Free      uint64 // what this process may still use
	BlockSize uint32 // the unit in which space is given out
}

// IsExhausted says that an error is about how many files the process, or the system, may have open (EMFILE, ENFILE), and says nothing about
// the file: the same call may succeed later.
func IsExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
