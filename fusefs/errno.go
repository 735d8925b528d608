package fusefs

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"jsfs/store"
)

// errnos says what a caller is told for each of the store's errors. What is not in
// it, and every *store.CorruptError, is EIO.
var errnos = []struct {
	err   error
	errno syscall.Errno
}{
	{store.ErrNotFound, syscall.ENOENT},
	{store.ErrBeyond, syscall.ENOENT},
	{store.ErrExists, syscall.EEXIST},
	{store.ErrNotEmpty, syscall.ENOTEMPTY},
	{store.ErrInvalid, syscall.EINVAL},
	{store.ErrNameTooLong, syscall.ENAMETOOLONG},
	{store.ErrSubject, syscall.EINVAL},
	{store.ErrTooLarge, syscall.EFBIG},
	{store.ErrNoSpace, syscall.ENOSPC},
	{store.ErrLimit, syscall.ENOSPC},
	{store.ErrExpected, syscall.ECANCELED},
	{store.ErrKey, syscall.EACCES},
	{store.ErrSealed, syscall.EROFS},
	{store.ErrDenied, syscall.EPERM},
	{store.ErrReadOnly, syscall.EROFS},
	{store.ErrClosed, syscall.ESTALE},
	{store.ErrLocked, syscall.EBUSY},
	{store.ErrVersion, syscall.EOPNOTSUPP},
	{store.ErrNotStore, syscall.EOPNOTSUPP},
}

// refusal is an errno with the reason for it.
type refusal struct {
	errno  syscall.Errno
	reason string
	quiet  bool // not worth a line in .jsfs/errors
}

func (r *refusal) Error() string { return r.reason }

// The refusals that are answers rather than errors.
var (
	errAbsent  error = &refusal{syscall.ENOENT, "there is no such file", true}
	errStale   error = &refusal{syscall.ESTALE, "it was removed", true}
	errNoAttr  error = &refusal{syscall.ENODATA, "there is no such attribute", true}
	errNoXattr error = &refusal{syscall.EOPNOTSUPP, "only user.jsfs.* attributes exist", true}
	errNotDir  error = &refusal{syscall.ENOTDIR, "not a directory", true}
)

// refuse returns an error that gives the caller errno, and .jsfs/errors the reason.
func refuse(errno syscall.Errno, format string, args ...any) error {
	return &refusal{errno: errno, reason: fmt.Sprintf(format, args...)}
}

// errnoOf returns what the caller of a refused call is told, 0 for nil, and
// whether it is to be told quietly.
func errnoOf(err error) (errno syscall.Errno, quiet bool) {
	if err == nil {
		return 0, true
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.errno, r.quiet
	}
	if _, ok := errors.AsType[*store.CorruptError](err); ok {
		return syscall.EIO, false
	}
	for _, e := range errnos {
		if errors.Is(err, e.err) {
			return e.errno, false
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return syscall.EINTR, true
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return syscall.ENFILE, false // it is not the caller who has too many, and nothing is wrong with the disk
	}
	return syscall.EIO, false
}
