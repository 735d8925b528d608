package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/vfs"
)

// unpublished begins the name of a draft that did not become a message, and whose name another one has by now.
const unpublished = ".unpublished."

// readDrafts finds out what became of the drafts that were to become messages when the stream stopped. It changes nothing on
// disk. An error is one of the process, not of a file.
func (o *opening) readDrafts() error {
	files, err := o.fs.List(o.draftDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = o.takeMarked(files)
	}
	if vfs.IsExhausted(err) {
		return err
	}
	if err != nil && !o.opt.ReadOnly {
		// The sequence of a draft that is not known of must not be given to another message.
		o.w.failed = fmt.Errorf("drafts of stream %s: %w", o.config.Load().Name, err)
		o.log.Error("stream is read-only until it is reopened", "stream", o.config.Load().Name, "cause", err)
	}
	return nil
}

// takeMarked takes in the marked drafts among the files, and notes what is to be removed.
func (o *opening) takeMarked(files []string) error {
	o.readSumFiles(files)
	taken := map[string]bool{}
	for _, file := range files {
		if name, ok := o.draftNamed(file); ok {
			taken[name] = true
		}
	}
	for _, file := range files {
		switch {
		case file[0] == draftScratch:
			o.leftDrafts = append(o.leftDrafts, file)
		case file[0] == draftMarkName && !slices.Contains(files, string(draftMarked)+file[1:]):
			o.leftDrafts = append(o.leftDrafts, file)
		case file[0] == draftMarked:
			seq, ok := markedSeq(file)
			if !ok {
				continue
			}
			became, err := o.isStored(seq)
			if err != nil {
				return err
			}
			if became {
				o.w.spent = append(o.w.spent, spentDraft{seq: seq, file: file, known: true}) // the state is written before anything else is
				if !o.opt.ReadOnly {
					o.w.moves++
				}
				continue
			}
			name, err := o.markedName(file)
			if err != nil {
				return err
			}
			for n := 1; taken[name]; n++ {
				name = fmt.Sprint(unpublished, n)
			}
			taken[name] = true
			o.returnsLocked(name, file)
		}
	}
	return nil
}

// draftKept returns where the first of the messages from durable on stands that was made of a draft whose new name is not on
// disk: the draft is there, as it was, and so the message is not taken. There is none after a stop at which no power was lost, nor
// can it be told if the state is not known, and may have said that the message is on disk: then it is taken. An error is one of the
// process, not of a file.
func (o *opening) draftKept(b *block, c *scan.Contents, durable int64) (off int64, ok bool, err error) {
	if o.clean || !o.trusted || !o.reboot || o.state.Block > b.hdr.Block {
		return 0, false, nil
	}
	msgs := slices.DeleteFunc(slices.Clone(c.Msgs), func(m scan.Found) bool { return !m.Draft || int64(m.Off) < durable })
	if len(msgs) == 0 {
		return 0, false, nil
	}
	files, err := o.fs.List(o.draftDir())
	switch {
	case vfs.IsExhausted(err):
		return 0, false, err
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return 0, false, nil // the stream is only read then: see readDrafts
	}
	marked := map[uint64]bool{}
	for _, file := range files {
		if seq, ok := markedSeq(file); ok {
			marked[seq] = true
		}
	}
	i := slices.IndexFunc(msgs, func(m scan.Found) bool { return !marked[m.Seq] })
	if i < 0 {
		return 0, false, nil
	}
	o.log.Warn("a draft became a message, and the disk has the draft: it is one again", "block", b.name, "sequence", msgs[i].Seq)
	return int64(msgs[i].Off), true, nil
}

// markedSeq is the sequence of the message that a marked draft was to become.
func markedSeq(file string) (seq uint64, ok bool) {
	if file[0] != draftMarked || len(file) < markLen {
		return 0, false
	}
	seq, err := strconv.ParseUint(file[1:17], 16, 64)
	return seq, err == nil
}

// isStored says whether message seq was stored. One that is damaged or lost counts as none: the draft has what it was.
func (o *opening) isStored(seq uint64) (bool, error) {
	v, i, err := o.locate(seq)
	if err == nil {
		_, err = o.load(&v, i, nil)
	}
	var corrupt *store.CorruptError
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound): // it was removed
		return true, nil
	case errors.Is(err, store.ErrBeyond), errors.As(err, &corrupt):
		return false, nil
	}
	return false, err
}

// markedName is the name that a marked draft had. An error is one of the process, not of a file.
func (s *Stream) markedName(file string) (string, error) {
	if len(file) > markLen {
		if name, ok := s.draftNamed(file[markLen:]); ok {
			return name, nil
		}
		return unpublished + "1", nil // better another name than none
	}
	b, err := readFile(s.fs, s.draftDir()+"/"+string(draftMarkName)+file[1:])
	if vfs.IsExhausted(err) {
		return "", err
	}
	if name := s.openName(b); err == nil && name != "" {
		return name, nil
	}
	return unpublished + "1", nil
}

// settleDrafts takes away what a crash left of drafts without a name, and gives those their names back that did not become
// messages, durably: their sequences are the next ones.
func (s *Stream) settleDrafts() {
	s.draftMu.Lock()
	defer s.draftMu.Unlock()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	dir := s.draftDir() + "/"
	for _, file := range s.leftDrafts {
		if removeIfThere(s.fs, dir+file) == nil && s.sumFiles[file] {
			delete(s.sumFiles, file)
			s.sumsDropped = true
		}
	}
	s.leftDrafts = nil
	s.settleSums()
	if len(s.returning) == 0 || s.w.failed != nil {
		return
	}
	for name, marked := range s.returning {
		if err := s.returnDraft(name, marked); err != nil {
			_ = s.failLocked(draftError("keep", name, err))
			return
		}
		delete(s.returning, name)
		s.log.Info("draft did not become a message, and is there again", "stream", s.config.Load().Name, "draft", name)
	}
	if err := s.fs.SyncDir(s.draftDir()); err != nil {
		_ = s.failLocked(fmt.Errorf("drafts of stream %s: %w", s.config.Load().Name, err))
	}
}

// returnDraft gives a marked draft its name back.
func (s *Stream) returnDraft(name, marked string) error {
	file, nameFile := s.draftFiles(name)
	if err := s.keepName(name, nameFile); err != nil {
		return err
	}
	if err := s.freeSums(file); err != nil {
		return err
	}
	if err := s.fs.Rename(s.draftDir()+"/"+marked, s.draftDir()+"/"+file); err != nil {
		return err
	}
	s.moveShared(marked, file)
	if s.st.key == nil {
		s.sumsDue(s.knownPlain(file))
	}
	s.removeMarkName(marked)
	return nil
}
