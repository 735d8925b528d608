package store

import (
	"errors"
	"fmt"
)

// The errors by which callers decide. Engines wrap them with what was being done
// and to what; test with errors.Is.
var (
	// ErrNotFound means that there is no such stream, draft or live message, and that
	// nothing was lost there.
	ErrNotFound = errors.New("not found")
	// ErrBeyond means that the sequence is above the last one of the stream.
	ErrBeyond = errors.New("beyond the last message")
	// ErrExists means that the name or the sequence is taken.
	ErrExists = errors.New("exists already")
	// ErrNotEmpty means that the stream still has messages or drafts.
	ErrNotEmpty = errors.New("stream is not empty")
	// ErrInvalid means that a name, header, sequence or configuration breaks a rule.
	ErrInvalid = errors.New("not valid")
	// ErrNameTooLong means that a name is longer than the rules allow.
	ErrNameTooLong = errors.New("name too long")
	// ErrSubject means that the subject is malformed, or not one that the stream takes.
	ErrSubject = errors.New("subject not accepted")
	// ErrTooLarge means that the message is over the stream's limit.
	ErrTooLarge = errors.New("message too large")
	// ErrNoSpace means that the storage is full. Reads and removals still work, and
	// writes do again once there is space.
	ErrNoSpace = errors.New("no space left in the store")
	// ErrLimit means that a limit of the stream, or of the store, is reached, and that the
	// configuration refuses what is new then. Reads and removals still work.
	ErrLimit = errors.New("limit reached")
	// ErrExpected means that what the message's headers expect of the stream does not hold.
	ErrExpected = errors.New("expectation not met")
	// ErrKey means that the key for encrypted data is missing or wrong. Nothing was changed.
	ErrKey = errors.New("wrong or missing key")
	// ErrSealed means that the stream's configuration forbids any change.
	ErrSealed = errors.New("stream is sealed")
	// ErrDenied means that the stream's configuration forbids this kind of change.
	ErrDenied = errors.New("denied by the stream's configuration")
	// ErrReadOnly means that the store was opened for reading, or that an earlier
	// write failed with an unknown outcome: it serves reads only until it is reopened.
	ErrReadOnly = errors.New("store is read-only")
	// ErrClosed means that the store was closed or the stream removed.
	ErrClosed = errors.New("store is closed")
	// ErrLocked means that another process owns the store; the text around it says which.
	ErrLocked = errors.New("store is in use")
	// ErrVersion means that the data was written by a newer jsfs. It is not damage.
	ErrVersion = errors.New("store format is newer than this program")
	// ErrNotStore means that the place holds something that is no jsfs store.
	ErrNotStore = errors.New("not a jsfs store")
)

// Sentinels returns all errors above, for tables that must be complete.
func Sentinels() []error {
	return []error{
		ErrNotFound, ErrBeyond, ErrExists, ErrNotEmpty, ErrInvalid, ErrNameTooLong, ErrSubject, ErrTooLarge, ErrNoSpace,
		ErrLimit, ErrExpected, ErrKey, ErrSealed, ErrDenied, ErrReadOnly, ErrClosed, ErrLocked, ErrVersion, ErrNotStore,
	}
}

// CorruptError says which stored bytes could not be trusted.
type CorruptError struct {
	File   string // relative to the store; "" if there is no file
	Offset int64  // where the untrusted bytes begin
	Err    error  // what was wrong, for example a checksum mismatch
}

func (e *CorruptError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("damaged: %v", e.Err)
	}
	return fmt.Sprintf("damaged: %s at offset %d: %v", e.File, e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }
