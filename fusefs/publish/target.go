package publish

import (
	"context"
	"fmt"

	"jsfs/mapping"
	"jsfs/store"
)

// Target is where the messages of an open go.
type Target interface {
	// Limit is how long a message may be, in bytes.
	Limit() int64
	// Check refuses, before a message is whole, one of at least size bytes that can't be
	// stored for certain.
	Check(ctx context.Context, size int64) error
	// Commit stores a message whole. modTime is what utimens asked for, in nanoseconds
	// since the Unix epoch, or nil.
	Commit(ctx context.Context, data []byte, modTime *int64) (store.Seq, error)
}

// Subject is the Target that appends to a subject of a stream.
type Subject struct {
	Stream store.Stream
	Name   string
	// Draft, unless "", is the draft of Stream that the next message is made of: it is gone when there is the message.
	Draft string
	// File is the name of the file that becomes the message; "" if that is the subject's.
	File string
	// Header, unless nil, gives the header block of the next message, besides what Commit adds.
	Header func() ([]byte, error)
	// Room, unless nil, refuses a message of that size where the store is full or can't
	// be written.
	Room func(ctx context.Context, size int64) error
}

// Limit implements Target.
func (s Subject) Limit() int64 { return s.Stream.Config().WithDefaults().MaxMsgSize }

// Check implements Target.
func (s Subject) Check(ctx context.Context, size int64) error {
	cfg := s.Stream.Config().WithDefaults()
	if err := cfg.CheckEntry(&store.Entry{Subject: s.Name}); err != nil {
		return err
	}
	if size > cfg.MaxMsgSize {
		return tooLarge(size, cfg.MaxMsgSize)
	}
	if size > 0 && cfg.Discard == store.DiscardNew {
		if err := s.full(ctx, &cfg, size); err != nil {
			return err
		}
	}
	if s.Room != nil {
		return s.Room(ctx, size)
	}
	return nil
}

// full refuses a message of at least size bytes where the stream's limits refuse it as the stream is now: bash's echo hears of
// a refused write, and not of a refused close.
func (s Subject) full(ctx context.Context, cfg *store.Config, size int64) error {
	if cfg.MaxMsgsPerSubject > 0 {
		n, err := s.Stream.Count(ctx, store.Query{Subject: s.Name})
		switch {
		case err != nil:
			return err
		case n.Messages < uint64(cfg.MaxMsgsPerSubject): //nolint:gosec // not negative
		case cfg.DiscardNewPerSubject:
			return fmt.Errorf("subject %s of stream %s: %w: max_msgs_per_subject is %d", s.Name, cfg.Name, store.ErrLimit, cfg.MaxMsgsPerSubject)
		default:
			return nil // it takes the place of another one
		}
	}
	st, err := s.Stream.State(ctx)
	switch {
	case err != nil:
		return err
	case cfg.MaxMsgs > 0 && st.Live.Messages >= cfg.MaxMsgs:
		return fmt.Errorf("stream %s: %w: max_msgs is %d", cfg.Name, store.ErrLimit, cfg.MaxMsgs)
	case cfg.MaxBytes > 0 && st.Live.JSON+size > cfg.MaxBytes:
		return fmt.Errorf("stream %s: %w: max_bytes is %d", cfg.Name, store.ErrLimit, cfg.MaxBytes)
	}
	return nil
}

// Commit implements Target. The file's name goes into the header Jsfs-Filename, the time into Jsfs-Mtime, unless
// the message would be too large for them.
func (s Subject) Commit(ctx context.Context, data []byte, modTime *int64) (store.Seq, error) {
	var header []byte
	if s.Header != nil {
		var err error
		if header, err = s.Header(); err != nil {
			return 0, err
		}
	}
	add := func(name, value string) error {
		h, err := mapping.AppendHeader(mapping.WithoutHeader(header, name), name, value)
		if err == nil && int64(len(h)+len(data)) <= s.Limit() {
			header = h
		}
		return err
	}
	if s.File != "" {
		if err := add(mapping.HeaderFilename, mapping.EscapeFile(s.File)); err != nil {
			return 0, err
		}
	}
	if modTime != nil {
		if err := add(mapping.HeaderMtime, mapping.FormatTime(*modTime)); err != nil {
			return 0, err
		}
	}
	e := store.Entry{Subject: s.Name, Header: header, Data: data}
	if s.Draft != "" {
		return s.Stream.PublishDraft(ctx, s.Draft, e)
	}
	return s.Stream.Append(ctx, e)
}

func tooLarge(size, limit int64) error {
	return fmt.Errorf("message of %d bytes or more: %w (at most %d)", size, store.ErrTooLarge, limit)
}

// Desk is what the opens of one mount share.
type Desk struct {
	proc   Proc
	budget *Budget
	peers  peers
	tables *tables // nil if proc is not of the running kernel
}

// NewDesk returns a Desk. A nil budget is one of DefaultBudget.
func NewDesk(proc Proc, budget *Budget) *Desk {
	if budget == nil {
		budget = NewBudget(0)
	}
	d := &Desk{proc: proc, budget: budget}
	if p, ok := proc.(ProcFS); ok {
		d.tables = newTables(p)
	}
	return d
}

// Flushed is told of each FLUSH on the mount by the inode number of its file, also of files that are not opened here, before it is
// answered.
func (d *Desk) Flushed(inode uint64) { d.tables.flushed(inode) }

// Open tells how a file was opened.
type Open struct {
	// Inode is the file's inode number, as /proc shows it.
	Inode uint64
	// Thread is the pid in the request: of the thread that called open(2).
	Thread uint32
	// Empty says that the file was made, or emptied, by the open: an empty message is due at
	// release if nothing is written.
	Empty bool
	// Due says that there is something to commit already: the last close by the opener
	// commits, written or not.
	Due bool
	// Under, unless nil, is what the file held when it was opened, and is read from as long as nothing was appended through the
	// open.
	Under Under
}

// Outcome tells what release did with what was left.
type Outcome struct {
	Seq    store.Seq // of the message that was appended, or 0
	Draft  string    // that keeps what was not appended, or ""
	Killed bool      // it was not appended because its writer was killed
	Size   int64     // of what was left
	Err    error     // why it was not appended, or not kept
}
