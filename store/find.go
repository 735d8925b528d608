package store

import (
	"context"
	"iter"
)

// Finder is the role of finding messages by subject, time and place. Its calls cost what
// they return and not what they pass over: a subject that is rare is found as fast as one that
// every message has. They never wait for a writer. Patterns are those of [CheckPattern], "" is
// every subject; another pattern is refused with CheckPattern's error.
type Finder interface {
	// Next reads the first live message of q, like Load: the one with the lowest sequence. It
	// gives ErrNotFound if there is none at or before Last, ErrBeyond if q begins behind Last. Of
	// a message that is there and can't be read, the Msg has its Seq beside Load's error.
	Next(ctx context.Context, q Query, buf []byte) (Msg, error)

	// Prev reads the last live message of q, like Next; but where q begins does not matter, and
	// ErrNotFound is the only answer if there is none.
	Prev(ctx context.Context, q Query, buf []byte) (Msg, error)

	// SeekTime returns the lowest live sequence with a time of ns or later, in nanoseconds
	// since the Unix epoch; Last + 1 if there is none.
	SeekTime(ctx context.Context, ns int64) (Seq, error)

	// Count counts the live messages of q; all zeros if there is none.
	Count(ctx context.Context, q Query) (Count, error)

	// Subjects walks the subjects that match pattern, have a live message and sort behind the name
	// after, "" for all of them: sorted by name, each with what Count gives for it. Subjects that come or go
	// while the walk goes on may or may not be met. An error ends the walk. To begin in the middle costs
	// what is met, and not what is passed over.
	Subjects(ctx context.Context, pattern, after string) iter.Seq2[SubjectCount, error]

	// CountSubjects is how many subjects have a live message. It costs the same for any number of them,
	// once something was found by its subject.
	CountSubjects(ctx context.Context) (uint64, error)

	// LastSeqs returns, sorted, the last live sequence at or below upTo of each subject that
	// matches one of the patterns, or of every subject without a pattern; upTo 0, or above Last, is
	// Last. More than limit of them is ErrTooLarge; limit 0 is no limit.
	LastSeqs(ctx context.Context, patterns []string, upTo Seq, limit int) ([]Seq, error)

	// SubjectOf returns the subject of message seq, with Stat's errors.
	SubjectOf(ctx context.Context, seq Seq) (string, error)

	// Pending counts what a consumer that starts at q.From has to get: the live messages of q,
	// or, with lastPerSubject, the subjects whose last live message is one of them. The count
	// holds for the stream up to through, its Last at that moment.
	Pending(ctx context.Context, q Query, lastPerSubject bool) (n uint64, through Seq, err error)

	// Gaps walks, in order, the runs of sequences in q from First to Last that have no live message, each
	// as long as it can be with one cause. q.Subject must be "", else it gives ErrInvalid. Together with what
	// Scan meets they are every sequence; damage is known once something has met it. The walk takes memory
	// for one run. First and Last are those of when it begins.
	Gaps(ctx context.Context, q Query) iter.Seq2[Gap, error]
}

// Count is a number of messages and where they lie.
type Count struct {
	Messages    uint64
	First, Last Seq // 0 if there is none
}

// SubjectCount is a subject's Count.
type SubjectCount struct {
	Subject string
	Count
}

// Cause says why a sequence has no live message.
type Cause uint8

// The causes.
const (
	CauseRemoved Cause = iota + 1 // it was removed, by whomever or whatever
	CauseSkipped                  // it was never used
	CauseLost                     // it was stored, and is lost to damage
)

// Gap is a run of sequences without a live message.
type Gap struct {
	Range
	Cause Cause
}

// Range is a run of sequences, both ends included.
type Range struct{ First, Last Seq }

// Len is how many sequences the range has.
func (r Range) Len() uint64 { return uint64(r.Last-r.First) + 1 }
