package blockstore

import (
	"context"
	"errors"
	"fmt"
	"path"

	"jsfs/store"
	"jsfs/store/blockstore/internal/firstgen"
)

// Conversion is what opening made of the streams of the first generation that it found.
type Conversion struct {
	Streams []ConvertedStream
}

// ConvertedStream is what became of one of them.
type ConvertedStream struct {
	Name     string
	Messages int64 // in its file, and now in the store
	Raised   int64 // of them had a time below that of the one before, which they have now
	// Sealed says that some payloads were encrypted, and that in the store nothing is.
	Sealed bool
	// Bad lines are no messages and are kept in Kept, in the store's directory, with the reasons in Why;
	// Torn says that the last line is one of them, and was cut off by a crash.
	Bad       int64
	Torn      bool
	Kept, Why string
	// Left says why the file was not converted and is where it was, nil if it is.
	Left error
}

// Conversion tells what opening converted.
func (st *Store) Conversion() Conversion { return st.converted }

// convertAll converts the streams of the first generation in the store's directory. It
// runs before anybody has the store.
func (st *Store) convertAll() error {
	if st.opt.salvage {
		return st.nameUnconverted()
	}
	names, err := firstgen.Streams(st.fs)
	if err != nil {
		return err
	}
	for _, name := range names {
		_, there := st.broken[name]
		if there = there || st.streams[name] != nil; st.opt.ReadOnly && !there {
			return fmt.Errorf("stream %s: %w", name, ErrUnconverted)
		}
		if st.opt.ReadOnly {
			continue
		}
		c, err := st.convert(name)
		if err != nil {
			return fmt.Errorf("convert the stream %s of the first generation: %w", name, diskError(err))
		}
		if c.Left != nil {
			st.note(store.Damage{Stream: name, File: name + "/" + firstgen.FileName, Cause: c.Left.Error()})
		}
		st.converted.Streams = append(st.converted.Streams, c)
	}
	return nil
}

// convert makes a stream of a file of the first generation, and sets the file aside when the stream is
// durable and every message in it was read back. Whatever an earlier try left, it ends the
// same way.
func (st *Store) convert(name string) (c ConvertedStream, err error) {
	c.Name = name
	if err := checkLegacyName(name); err != nil {
		return c, err
	}
	for _, why := range []error{st.broken[name], st.unread} {
		if why != nil {
			c.Left = fmt.Errorf("not converted, as not all streams of the store can be read: %w", why)
			return c, nil
		}
	}
	src, err := firstgen.Open(st.fs, name, firstgen.FileName, st.opt.legacy())
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	s := st.streams[name]
	if s == nil {
		if s, err = st.makeFrom(src); err != nil {
			return c, err
		}
		s.account()
		st.streams[name] = s
		st.reg.add(s.inc)
	}
	found, err := s.compare(src)
	if errors.Is(err, errDiffers) {
		c.Left = fmt.Errorf("not converted, as the store has a stream of that name: %w", err)
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.Messages, c.Raised, c.Sealed, c.Bad, c.Torn = found.messages, found.raised, found.sealed && st.key == nil, found.bad, found.torn
	if c.Bad > 0 {
		if c.Kept, c.Why, err = st.keepBadLines(src, s.inc); err != nil {
			return c, err
		}
	}
	if err := src.Unchanged(); err != nil {
		return c, err
	}
	st.opt.Logger.Info("stream of the first generation converted", "stream", name, "messages", c.Messages, "lines_kept_aside", c.Bad)
	return c, st.setLegacyAside(src)
}

// badLinesName and reasonsName begin the names, in the quarantine, of what converting a stream kept aside.
func badLinesName(inc uint64) string { return fmt.Sprintf("%016x-%s.bad", inc, firstgen.FileName) }
func reasonsName(inc uint64) string  { return fmt.Sprintf("%016x-%s.why", inc, firstgen.FileName) }

// keepBadLines puts the bad lines of src into a file in the quarantine, and the reasons into a second one.
func (st *Store) keepBadLines(src *firstgen.Source, inc uint64) (kept, why string, err error) {
	if why, err = st.keepOnce(reasonsName(inc), src.ExplainBad); err != nil {
		return "", "", err
	}
	kept, err = st.keepOnce(badLinesName(inc), src.CopyBad)
	return kept, why, err
}

// setLegacyAside gives the file the name that says that the store has what was in it.
func (st *Store) setLegacyAside(src *firstgen.Source) error {
	to, err := freeName(st.fs, src.Stream, firstgen.MigratedName)
	if err == nil {
		err = st.fs.Rename(src.Name, to)
	}
	if err == nil {
		err = st.fs.SyncDir(path.Dir(src.Name))
	}
	return err
}

// makeFrom makes a stream with the messages of src in it. It appears in the store as a whole.
func (st *Store) makeFrom(src *firstgen.Source) (*Stream, error) {
	st.opt.Logger.Info("converting a stream of the first generation", "stream", src.Stream, "bytes", src.Size)
	inc := st.reg.next
	cfg := store.Config{Name: src.Stream}.WithDefaults()
	err := st.makeStreamLocked(inc, cfg, func(dir string) error {
		err := st.fillFrom(src, dir, inc)
		if err == nil {
			err = src.Unchanged()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return st.openToWrite(inc)
}

// loggedLines bounds how many bad lines of one file are logged.
const loggedLines = 100

const (
	convertBatch = 512     // how many messages are stored at once …
	convertBytes = 1 << 20 // … or how many bytes of payload
)

// fillFrom stores the messages of src in the empty stream in dir, durably.
func (st *Store) fillFrom(src *firstgen.Source, dir string, inc uint64) (err error) {
	s, err := st.openStream(dir, inc)
	if err != nil {
		return err
	}
	s.opt.Sync = SyncNever // closing syncs what sealing blocks did not
	s.opt.Limits = store.AccountLimits{}
	defer func() { err = errors.Join(err, s.close()) }()
	var batch []store.Msg
	bytes, aside := 0, 0
	flush := func() error {
		_, err := s.RestoreAll(context.Background(), batch)
		batch, bytes = batch[:0], 0
		return err
	}
	for l, err := range src.Lines("stored") {
		if err != nil {
			return err
		}
		if l.Err != nil {
			if aside++; aside <= loggedLines {
				st.opt.Logger.Warn("line is kept aside", "file", src.Name, "line", l.Number, "cause", firstgen.CauseOf(l))
			}
			continue
		}
		batch, bytes = append(batch, l.Msg), bytes+len(l.Msg.Data)
		if len(batch) < convertBatch && bytes < convertBytes {
			continue
		}
		if err := flush(); err != nil {
			return fmt.Errorf("%s:%d: %w", src.Name, l.Number, err)
		}
	}
	return flush()
}

// errDiffers means that a file of the first generation has what a stream has not.
var errDiffers = errors.New("the stream is not what the file says")

// compared is what a file of the first generation holds.
type compared struct {
	messages, raised, bad int64
	removed               int64 // of the messages: they were in the stream, and were removed
	torn, sealed          bool
}

// compare gives errDiffers if the stream lacks a message of the file.
func (s *Stream) compare(src *firstgen.Source) (c compared, err error) {
	var buf []byte
	for l, err := range src.Lines("compared") {
		if err != nil {
			return c, err
		}
		c.torn = c.torn || l.Torn
		c.sealed = c.sealed || l.Encrypted
		if l.Err != nil {
			c.bad++
			continue
		}
		c.messages++
		if l.Raised {
			c.raised++
		}
		got, err := s.Load(context.Background(), l.Msg.Seq, buf)
		switch {
		case errors.Is(err, store.ErrNotFound) && s.wasRemoved(l.Msg.Seq):
			c.removed++
		case errors.As(err, new(*store.CorruptError)), errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrBeyond):
			return c, fmt.Errorf("%s:%d: message %d: %w: %w", src.Name, l.Number, l.Msg.Seq, errDiffers, err)
		case err != nil:
			return c, err
		case !sameMessage(got, l.Msg):
			return c, fmt.Errorf("%s:%d: message %d: %w", src.Name, l.Number, l.Msg.Seq, errDiffers)
		}
		if cap(got.Data) > cap(buf) {
			buf = got.Data[:0]
		}
	}
	return c, nil
}

// wasRemoved says whether it is known that seq was a message, and was removed.
func (s *Stream) wasRemoved(seq store.Seq) bool {
	if v, i, ok := s.cur.Load().find(uint64(seq)); ok {
		return v.isDeleted(i)
	}
	for gap, err := range s.Gaps(context.Background(), store.Query{From: seq, To: seq}) {
		return err == nil && gap.Cause == store.CauseRemoved
	}
	return false
}

func sameMessage(a, b store.Msg) bool {
	return a.Seq == b.Seq && a.Time == b.Time && a.Subject == b.Subject &&
		string(a.Header) == string(b.Header) && string(a.Data) == string(b.Data)
}
