package blockstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// A draft becomes a message in these steps (FORMAT.md section 8): its file gets a name that tells which sequence the
// message will have, durably; the message is written; the file is removed once that is on disk. Whoever opens the
// stream in between finds out from the sequence which of the two there is: see published.go.
const (
	draftMarked   = 'p' // a draft that becomes a message: the sequence, marker digits, and what its file was called
	draftMarkName = 'q' // the name of such a one, if its file's name would be too long with that

	markRandom = 4          // bytes, so that two drafts of one sequence have two files
	markLen    = 1 + 16 + 8 // of what is before the file's own name
	maxMarked  = maxFileName - markLen
)

// becoming is a draft that is to become a message.
type becoming struct {
	name     string
	file     string // what it is called as a draft
	nameFile string // … and what has its name, if that is too long
	marked   string // what it is called while it becomes a message; "" before
	content  vfs.File
}

// PublishDraft implements [store.Drafts].
func (s *Stream) PublishDraft(ctx context.Context, name string, e store.Entry) (store.Seq, error) {
	return s.publishDraft(ctx, name, []store.Entry{e}, func() (uint64, error) {
		s.w.fresh = 0
		dup, err := s.takeEntryLocked(s.config.Load(), &e)
		return uint64(dup), err
	})
}

// RestoreDraft implements [store.Drafts].
func (s *Stream) RestoreDraft(ctx context.Context, name string, m store.Msg) error {
	_, err := s.publishDraft(ctx, name, nil, func() (uint64, error) {
		return 0, s.encodeRestoredLocked([]store.Msg{m})
	})
	return err
}

// publishDraft makes the message that encode encodes of a draft. encode returns the sequence of the message if it is
// stored already, else 0. It is es, or restored.
func (s *Stream) publishDraft(ctx context.Context, name string, es []store.Entry, encode func() (uint64, error)) (seq store.Seq, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.gate.leave()
	err = s.withRoom(ctx, func() error {
		end, err := s.beginDraft(ctx, name)
		if err != nil {
			return err
		}
		defer end()
		seq, err = s.publishOne(name, encode)
		if _, stored := errors.AsType[*replacesError](err); stored {
			err = replaced(es, err)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// publishOne is publishDraft under draftMu.
func (s *Stream) publishOne(name string, encode func() (uint64, error)) (store.Seq, error) {
	d := &becoming{name: name}
	d.file, d.nameFile = s.draftFiles(name)
	f, err := s.fs.Open(s.draftDir() + "/" + d.file)
	if err != nil {
		return 0, draftError("publish", name, err)
	}
	defer f.Close()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	size := s.draftSizes[d.file]
	own := size.release() // the message may take its room
	d.content = f
	seq, err := s.writeDraftLocked(d, encode)
	if err == nil && s.opt.Sync == SyncAlways {
		err = s.syncLocked()
	}
	if err != nil {
		size.retake(own)
		if d.marked != "" { // nobody knows what became of it
			s.returnsLocked(name, d.marked)
		}
		return 0, err
	}
	s.publishStored()
	s.moveShared(d.marked, "")
	if d.nameFile != "" {
		_ = s.fs.Remove(s.draftDir() + "/" + d.nameFile)
	}
	s.w.spent = append(s.w.spent, spentDraft{seq: seq, file: d.marked, known: s.opt.Sync == SyncAlways})
	if s.opt.Sync == SyncAlways {
		s.dropSpentLocked(seq)
	} else {
		s.planSpentLocked()
	}
	return store.Seq(seq), s.enforceLocked()
}

// returnsLocked notes that the file of a draft has the name that it got to become a message. It is called under draftMu.
func (s *Stream) returnsLocked(name, marked string) {
	if s.returning == nil {
		s.returning = map[string]string{}
	}
	s.returning[name] = marked
}

// writeDraftLocked marks the draft and writes the message, and returns its sequence. If it fails the draft is what it was, or
// the stream serves reads only.
func (s *Stream) writeDraftLocked(d *becoming, encode func() (uint64, error)) (uint64, error) {
	lazy := s.opt.Sync != SyncAlways && !s.needsMarkName(d)
	s.w.drafted = lazy
	seq, err := encode()
	s.w.drafted = false
	switch {
	case err != nil:
		return 0, err
	case seq == 0:
		seq = s.w.coming() - 1
	default:
		lazy = false
		if err := s.prepareLocked(); err != nil { // the message is durable then, or with the next sync
			return 0, err
		}
	}
	if err := s.markLocked(d, seq, lazy); err != nil {
		s.forgetLocked()
		return 0, draftError("publish", d.name, err)
	}
	err = s.flushLocked()
	if err != nil && s.w.failed == nil { // else nobody knows whether it was written
		err = errors.Join(err, s.unmarkLocked(d))
	}
	return seq, err
}

// needsMarkName says whether the name of a draft needs a file of its own while it becomes a message.
func (s *Stream) needsMarkName(d *becoming) bool { return d.nameFile != "" || len(d.file) > maxMarked }

// markLocked gives the draft's file the name that tells that it becomes message seq, durably: before the message can be on
// disk, or a crash would leave both. If lazy, that is left to the next sync: then the message says what it was made of.
func (s *Stream) markLocked(d *becoming, seq uint64, lazy bool) error {
	if err := s.loosenSums(d.content, d.file); err != nil {
		return err
	}
	var random [markRandom]byte
	_, _ = rand.Read(random[:]) // never fails
	mark := fmt.Sprintf("%016x%s", seq, hex.EncodeToString(random[:]))
	dir := s.draftDir() + "/"
	marked := string(draftMarked) + mark
	if s.needsMarkName(d) {
		content := []byte(d.name)
		if s.st.key != nil {
			content = s.sealName(d.name)
		}
		if err := writeNewFile(s.fs, dir+string(draftMarkName)+mark, content); err != nil {
			_ = removeIfThere(s.fs, dir+string(draftMarkName)+mark)
			return err
		}
	} else {
		marked += d.file
	}
	if err := s.fs.Rename(dir+d.file, dir+marked); err != nil {
		_ = removeIfThere(s.fs, dir+string(draftMarkName)+mark)
		if isNoSpace(err) {
			return err
		}
		return s.failLocked(fmt.Errorf("mark it: %w", err))
	}
	d.marked = marked
	s.moveShared(d.file, d.marked)
	if lazy {
		s.moveLocked(d.file)
		return nil
	}
	if err := s.fs.SyncDir(s.draftDir()); err != nil {
		return s.failLocked(fmt.Errorf("mark it: %w", err))
	}
	return nil
}

// unmarkLocked makes the draft what it was, durably: the sequence may be the next message's.
func (s *Stream) unmarkLocked(d *becoming) error {
	dir := s.draftDir() + "/"
	if err := s.fs.Rename(dir+d.marked, dir+d.file); err != nil {
		return s.failLocked(draftError("keep", d.name, err))
	}
	s.moveShared(d.marked, d.file)
	s.removeMarkName(d.marked)
	d.marked = ""
	if err := s.fs.SyncDir(s.draftDir()); err != nil {
		return s.failLocked(draftError("keep", d.name, err))
	}
	return nil
}

// removeMarkName removes the file with the name of a marked draft, if it has one.
func (s *Stream) removeMarkName(marked string) {
	if len(marked) == markLen {
		_ = removeIfThere(s.fs, s.draftDir()+"/"+string(draftMarkName)+marked[1:])
	}
}
