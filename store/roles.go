package store

import (
	"context"
	"io"
	"iter"
)

// Store is a set of streams and the role of administering them. A Store has one
// owner at a time; engines that share storage between processes must see to it.
type Store interface {
	// Streams returns the names of all streams, sorted.
	Streams(ctx context.Context) ([]string, error)

	// Stream returns the stream with that name, or ErrNotFound. The same stream
	// is the same Stream value for as long as it is open.
	Stream(ctx context.Context, name string) (Stream, error)

	// Create makes an empty stream. When it returns nil the stream is durable,
	// whatever the sync policy. It gives ErrExists if the name is taken, ErrLimit if the store may have no more streams, and
	// ErrInvalid, ErrNameTooLong or ErrSubject for a configuration that is refused.
	Create(ctx context.Context, cfg Config) (Stream, error)

	// Update gives the stream cfg.Name the configuration cfg, durably: all of it, fields that are
	// zero included. Limits that are new or lower take effect before it returns. It gives Create's errors
	// for a configuration that is refused, and ErrDenied for a change that is (see
	// Config.CheckUpdate). After any error the stream goes on with the configuration that it had.
	Update(ctx context.Context, cfg Config) error

	// Truncate makes stream name end at message last: what is above it is gone, and last + 1 comes next. 0, or what is below
	// first_seq, makes it as it was created. As sequences are handed out again, the stream that has the name then is another one,
	// with another Incarnation, the same configuration, drafts and consumers, which
	// forget what was delivered of what is gone, and all that was known of the sequences that stay; LastTime is that of
	// the newest of their messages that is left, live or removed. The one before is kept as a removed stream is (see [Attic]); what is
	// erased from the other one afterwards is erased from it, too. Calls on it give ErrClosed, those on its drafts that are open, too. It is done as a
	// whole or not at all, durably. It gives ErrBeyond if last is above Last, ErrDenied for a stream that denies deletion or purging,
	// ErrSealed for a sealed one. If the stream ends at last already it is returned as it is.
	Truncate(ctx context.Context, name string, last Seq) (Stream, error)

	// Remove takes a stream that has no live message and no draft out of the store,
	// durably; ErrNotEmpty if it has one. Calls on the removed Stream give ErrClosed.
	Remove(ctx context.Context, name string) error

	// RemoveSealed is Remove for a sealed stream, whose messages nothing else can remove: they go with it, in one step, and come back with it.
	// Nobody is told of each. A stream that is not sealed gives ErrNotEmpty if it has a message, as Remove does.
	RemoveSealed(ctx context.Context, name string) error

	// Watch follows all streams of the store, as [Follower.Watch] does one; it also
	// tells of streams that were created and removed.
	Watch() Subscription

	Attic

	// Usage tells how much room there is.
	Usage(ctx context.Context) (Usage, error)

	// Close makes everything durable that was stored, and gives the storage free. It
	// waits for calls that are under way. Later calls give ErrClosed; a second
	// Close does nothing and returns nil.
	Close() error
}

// Adopter is a Store in which a stream can be given the configuration of the one that it is a copy of.
type Adopter interface {
	// Adopt is Update, but that a change to RetentionInterest removes nothing: a message that no consumer wants is kept as one is that
	// came with its sequence. And it allows what Config.CheckAdopt does.
	Adopt(ctx context.Context, cfg Config) error
}

// Stream is one stream in all of its roles.
type Stream interface {
	// Config is the stream's configuration as it is now.
	Config() Config
	// Incarnation tells this stream apart from every other one that the store has, had
	// or will have, also under the same name. It is above 0 and survives a restart.
	Incarnation() uint64

	Reader
	Finder
	Writer
	Purger
	Keeper
	Follower
	Drafts
	Replica
	Consumers
}

// Reader is the role of reading messages. Reading never waits for a writer.
type Reader interface {
	// State returns the stream's numbers.
	State(ctx context.Context) (State, error)

	// Load reads message seq and checks it. Its Header and Data alias buf where
	// buf's capacity suffices, else memory that is the caller's alone; buf may be nil.
	//
	// A sequence that is below First, was removed or skipped gives ErrNotFound; one
	// above Last gives ErrBeyond; a message that was stored and can't be read any
	// more gives a *CorruptError, never other bytes.
	Load(ctx context.Context, seq Seq, buf []byte) (Msg, error)

	// LoadRun walks the messages from seq on, each read as by Load, as long as the next one follows without a gap and can be read. Where a
	// run ends is up to the engine. It gives seq, or Load's error if that can't be read; so who goes on behind what he
	// was given misses nothing. A message's Header and Data may be overwritten when the walk goes on. It costs a fraction of as many Loads.
	LoadRun(ctx context.Context, seq Seq, buf []byte) iter.Seq2[Msg, error]

	// Stat returns what is known of message seq without its payload, with Load's
	// errors. A message whose payload alone is damaged still has a Meta.
	Stat(ctx context.Context, seq Seq) (Meta, error)

	// LoadLast reads the newest live message whose subject matches, like Load. It
	// gives ErrNotFound if there is none.
	LoadLast(ctx context.Context, subject string, buf []byte) (Msg, error)

	// Scan walks the live messages of q in order of sequence. A message that is
	// stored or removed while the walk goes on may or may not be met; every other one
	// is met exactly once. What is met was live when the iteration reached it.
	// Messages that are lost are passed over. An error ends the walk.
	Scan(ctx context.Context, q Query) iter.Seq2[Meta, error]

	// Extents covers the stream, in order and without overlap, with runs of sequences
	// of the engine's own choice, each small enough to be scanned in well under a
	// second, and gives the State that they add up to. It costs no more than a State and
	// the extents returned.
	Extents(ctx context.Context) ([]Extent, State, error)

	// Damage lists what is known to be damaged. Finding damage never ends a call on
	// other messages.
	Damage(ctx context.Context) ([]Damage, error)
}

// Writer is the role of changing a stream. A disk that is full refuses with
// ErrNoSpace, and the stream goes on; after any other failed write or sync
// the stream serves reads only, and every change gives ErrReadOnly, until it is reopened.
type Writer interface {
	// Append stores a message and returns its sequence number, one more than the
	// last one handed out. When it returns nil the message is visible to every later
	// call, and durable as far as the engine's sync policy says. It refuses with
	// ErrTooLarge, ErrSubject, ErrInvalid, ErrSealed or ErrNoSpace before anything changes.
	//
	// Headers act as NATS's do: a Nats-Msg-Id that was stored inside of duplicate_window gives the sequence that
	// it was stored under, and stores nothing. A Nats-Expected header that does not hold is ErrExpected; a Nats-Rollup or
	// Nats-TTL that the stream does not allow ErrDenied; one that is malformed ErrInvalid. With discard new a stream that
	// is full gives ErrLimit. What goes because of limits and rollups is gone when Append returns; it
	// survives what a removal does. The one error with which the message is stored says so: what a rollup replaces
	// could not be removed. Who sends it again with the same Nats-Msg-Id has that done.
	Append(ctx context.Context, e Entry) (Seq, error)

	// AppendAll stores several messages in order, as Append does each, and returns how
	// many were stored, from the first on, repeated ones included: all of them if the error is nil. It costs one
	// disk sync, and more only where what a header expects depends on a message of the same call. Other writers'
	// messages may come between them. Limits take the oldest away once all are stored.
	AppendAll(ctx context.Context, es []Entry) (int, error)

	// Restore stores a message under its own sequence and time: m.Seq must be above
	// Last, or it gives ErrExists; the sequences between are skipped. A time below
	// the last one is raised to it. Of m only Seq, Time, Subject, Header and Data count. What the stream has
	// taken once it takes again: its subjects and its max_msg_size don't count (see Config.CheckRestore).
	Restore(ctx context.Context, m Msg) error

	// RestoreAll stores several messages in order, as Restore does each, and returns how
	// many were stored, from the first on: all of them if the error is nil. It costs one
	// disk sync at most.
	RestoreAll(ctx context.Context, ms []Msg) (int, error)

	// SkipTo takes the sequences from Last + 1 to last without storing anything, and raises
	// LastTime to t if it is below: so a restored stream ends where the original does, whose newest
	// messages were removed. It gives ErrExists if last is not above Last, ErrSealed for a
	// sealed stream, and ErrInvalid for the highest number there is. It is durable as an append is.
	SkipTo(ctx context.Context, last Seq, t int64) error

	// Remove soft-deletes message seq and says whether it was live. A sequence above
	// Last gives ErrBeyond, 0 gives ErrNotFound. First moves past what is removed; Last
	// never moves. The removal survives the end of this process when Remove returns;
	// see the engine for what it survives besides.
	Remove(ctx context.Context, seq Seq) (bool, error)

	// Erase removes message seq as Remove does, and overwrites its subject, header and payload where they are stored. It does
	// so also with a message that was removed before, for which it says false as Remove does, and the event is Erased. When Erase returns
	// nil both are durable, whatever the sync policy, and nothing brings the message back; its Nats-Msg-Id is forgotten. A removed stream
	// of the same name that is kept and has the message, too, as what the stream was before it was truncated, loses it first; of a message of which
	// nothing is left in the stream itself nobody knows whether another one has it. It gives Remove's errors, and a
	// *CorruptError where damage keeps the engine from knowing which bytes are the message's. It waits for streams that are being truncated.
	Erase(ctx context.Context, seq Seq) (bool, error)

	// Undelete brings a soft-deleted message back, as it was. It gives ErrExists if it
	// is live, ErrNotFound if nothing is left of it, ErrLimit if max_msgs, max_bytes,
	// max_msgs_per_subject, max_age, its Nats-TTL or interest retention would take it away again, which might be for good; and
	// in a work queue if the consumer that it is for has passed it, and would never be given it.
	Undelete(ctx context.Context, seq Seq) error

	// Sync returns when everything that was stored or removed before it is durable,
	// whatever the sync policy, and what consumers remember of it.
	Sync(ctx context.Context) error
}

// Kind says what an Event tells.
type Kind uint8

// The kinds of events. Created and Removed have Seq 0.
const (
	Stored        Kind = iota + 1 // a message was stored
	Deleted                       // a message was removed
	Undeleted                     // a removed message came back
	StreamCreated                 // a stream was created
	StreamRemoved                 // a stream was removed
	Erased                        // a message that had been removed was erased
)

// Event is one change of a stream.
type Event struct {
	Kind        Kind
	Stream      string
	Incarnation uint64
	// Rev is the stream's State.Rev from this change on. It rises by one with each event of
	// a stream, so an event is part of a State iff its Rev is not above the State's.
	Rev  uint64
	Meta Meta // of the message, as Stat gave it while it was live
}

// Follower is the role of learning what changes.
type Follower interface {
	// Watch starts following the stream: every change that is made after Watch
	// returned is told, in order.
	Watch() Subscription
}

// Subscription is a bounded queue of events. The engine publishes a change before
// it posts the event, and never waits for who takes it. One goroutine takes.
type Subscription interface {
	// C is poked, with capacity one, when there is something to take.
	C() <-chan struct{}

	// Take moves the events that wait into buf, which it overwrites and may replace,
	// oldest first. lost means that events were dropped since the last Take: whatever
	// the caller derived from events must be taken as changed. After lost, Take goes on with
	// what comes later.
	Take(buf []Event) (events []Event, lost bool)

	// Close ends the subscription; C is closed. A second Close does nothing.
	Close()
}

// Drafts is the role of keeping files that belong to a stream and are no messages
// yet. Names are any bytes but NUL and '/', 1 to 255 of them. Drafts survive a restart.
type Drafts interface {
	// CreateDraft makes an empty draft and opens it; ErrExists if there is one.
	CreateDraft(ctx context.Context, name string) (Draft, error)
	// OpenDraft opens a draft; ErrNotFound if there is none.
	OpenDraft(ctx context.Context, name string) (Draft, error)
	// RenameDraft gives a draft another name, and replaces whatever had that.
	RenameDraft(ctx context.Context, from, to string) error
	// PublishDraft appends e as [Writer.Append] does and removes the draft, both in one step: at any time, for whoever looks and
	// after the process was killed or the power lost at any moment, either there is the draft or the message is stored. What is
	// stored is e, which its caller made of the draft's bytes; whoever has the draft open goes on using it. When it returns nil
	// it is the message, durably as far as the sync policy says: with an engine that loses the message later, as too young
	// for the disk, the draft is there again, under another name if its own was taken since. With any error the draft is as it was, but for the one with which Append has stored the
	// message. It gives Append's errors, and ErrNotFound if there is no draft.
	PublishDraft(ctx context.Context, name string, e Entry) (Seq, error)
	// RestoreDraft is PublishDraft with [Writer.Restore] in place of Append.
	RestoreDraft(ctx context.Context, name string, m Msg) error
	// RemoveDraft takes the name away. Whoever has the draft open goes on using it.
	RemoveDraft(ctx context.Context, name string) error
	// ListDrafts returns all drafts, sorted by name.
	ListDrafts(ctx context.Context) ([]DraftInfo, error)
	// ScratchDraft opens a draft without a name, which is gone when it is closed.
	ScratchDraft(ctx context.Context) (Draft, error)
}

// DraftInfo describes a draft. Of one that can't be read, because the disk is damaged, it is the name only.
type DraftInfo struct {
	Name    string
	Size    int64
	ModTime int64 // nanoseconds since the Unix epoch
}

// Draft is an open draft. Reads and writes may run concurrently. A write past the
// end fills the gap with zeros; a read beyond the end gives io.EOF.
type Draft interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Size() (int64, error)
	// ModTime is when the draft was made or changed last, as [DraftInfo] says it.
	ModTime() (int64, error)
	// Sync makes the draft's bytes and its name durable.
	Sync() error
}
