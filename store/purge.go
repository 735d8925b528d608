package store

import "context"

// Purger is the role of removing much at once, and of taking sequences without storing. What it
// removes is soft-deleted, as by Remove, but for Erase and Truncate; each call is one change: after a crash all of it was
// done, or nothing. A stream that denies it gives ErrDenied, a sealed one ErrSealed. Events tell of each message, or that events were
// lost.
type Purger interface {
	// Purge removes live messages and returns how many. The zero Purge removes them all.
	Purge(ctx context.Context, p Purge) (int64, error)

	// Compact removes every message below seq, and returns how many were live. Above Last it
	// removes all of them, and the next message gets seq; 0 is the zero Purge. Afterwards
	// First is the lowest live sequence at or above seq.
	Compact(ctx context.Context, seq Seq) (int64, error)

	// Truncate removes every message above seq for good: Last is seq then, LastTime the time of
	// that message, and the sequences above are used again under a new Incarnation: what was stored there is
	// not to be confused with what will be. 0 empties the stream. Above Last it gives ErrBeyond; at a sequence without a live
	// message ErrNotFound.
	Truncate(ctx context.Context, seq Seq) error

	// Erase is Remove, and overwrites the message's bytes in the storage before it returns, also
	// of a message that was removed before: it can't be undeleted. It says whether there was
	// anything to overwrite.
	Erase(ctx context.Context, seq Seq) (bool, error)

	// Skip takes the next n sequences without storing anything, and returns the last of them.
	// LastTime stays. n is at least 1.
	Skip(ctx context.Context, n uint64) (Seq, error)

	// RemoveAll removes every live message in ranges, as far as they are within First and Last,
	// and returns how many.
	RemoveAll(ctx context.Context, ranges []Range) (int64, error)
}

// Purge says what to remove. Its conditions hold together.
type Purge struct {
	// Subject restricts to a pattern; "" is every subject.
	Subject string
	// Below restricts to sequences below it; 0 is no bound, and 1 removes nothing.
	Below Seq
	// Keep spares the newest so many of the messages that match Subject, whatever Below says.
	Keep uint64
}
