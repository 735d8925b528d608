package store

import (
	"context"
	"iter"
	"time"
)

// DefaultKeep is for how long engines keep what was removed, at least, unless they are told otherwise.
const DefaultKeep = 24 * time.Hour

// Keeper is the role of finding what was removed and is kept for whoever wants it back (see [Writer.Undelete]). What
// is soft-deleted is kept for a time that the engine is told, counted from its removal and rounded up; what limits,
// ages and rollups remove only if the engine is told so. When the storage is full, what was removed first goes first,
// before its time. What is not kept any more may still be there, and Undelete may still bring it back.
type Keeper interface {
	// ScanKept walks the removed messages from from to to that are kept, in order of sequence. A zero to is no bound.
	// What is removed, brought back or forgotten while the walk goes on may or may not be met; every other one is
	// met exactly once. Messages that can't be read are passed over. An error ends the walk.
	ScanKept(ctx context.Context, from, to Seq) iter.Seq2[Meta, error]

	// LoadKept reads a removed message that is kept, as Load reads a live one; ErrNotFound if seq is no such message.
	LoadKept(ctx context.Context, seq Seq, buf []byte) (Msg, error)

	// StatKept returns what is known of a removed message that is kept, with LoadKept's errors.
	StatKept(ctx context.Context, seq Seq) (Meta, error)
}

// Attic is the role of looking after what was removed from a store.
type Attic interface {
	// RemovedStreams lists the streams that were removed and are kept, as long as removed messages are, by the time of
	// their removal. Among them is what a stream was before it was truncated, without its drafts.
	RemovedStreams(ctx context.Context) ([]RemovedStream, error)

	// Revive brings a removed stream back under its name, durably, as it was when its removal began: with the messages that
	// were removed in one go with it, which [RemovedStream] counts. What was removed before stays removed, and kept.
	// It gives ErrNotFound if there is no such stream, ErrExists if the name is taken, and ErrLimit if the store may have no more
	// streams, or not its consumers.
	Revive(ctx context.Context, incarnation uint64) (Stream, error)

	// LoadRemoved reads a message of a removed stream that is kept, as Load reads one of a stream that is there, for whoever had it
	// open: one that was live when the stream went, or was removed and is kept. It gives ErrNotFound if there is no such message
	// or stream, and may take as long as opening the stream does.
	LoadRemoved(ctx context.Context, incarnation uint64, seq Seq, buf []byte) (Msg, error)

	// Reclaim forgets at once what was removed and is not kept, which else happens when the engine sees fit. It may
	// take long, and stops when ctx ends.
	Reclaim(ctx context.Context) error
}

// RemovedStream is a stream that was removed and is kept.
type RemovedStream struct {
	Name        string
	Incarnation uint64
	Time        int64 // of its removal, in nanoseconds since the Unix epoch
	// Messages and Bytes, of payload, count what comes back with it.
	Messages, Bytes int64
}

// OneGo is how far apart, in nanoseconds, removals of one go are at most: the messages that come back with a removed
// stream are those that were removed within it before the stream, or before another one of them, and were kept still when the
// stream was removed. Removals by limits don't count.
const OneGo = 60 * 1e9
