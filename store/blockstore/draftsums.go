package blockstore

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore/internal/summeddraft"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// The checksums of a draft that is a plain file are in memory as long as it is open or they are not on disk, and are put there
// once it rests. Before it is changed again, their file is removed, durably, and before another draft gets its name.
const (
	draftSums = 'c' // the checksums of a draft: the first half of the SHA-256 of what its file is called

	// draftRest is for how long a draft is not changed before its sums are put on disk. By then Linux has written what it had of it.
	draftRest = 30 * time.Second
	// sumsAtStop bounds how long a stop puts sums on disk, those of all streams. A draft without is one from then on that nobody knows sums of.
	sumsAtStop = 5 * time.Second
)

// sumsFile is where the sums of the draft in file are, in the directory of drafts.
func sumsFile(file string) string {
	sum := sha256.Sum256([]byte(file))
	return string(draftSums) + hex.EncodeToString(sum[:16])
}

// readSums reads a file of sums. One that is damaged gives none, and is noted.
func (s *Stream) readSums(name string) ([]byte, error) {
	name = s.draftDir() + "/" + name
	b, err := readFile(s.fs, name)
	if vfs.IsExhausted(err) {
		return nil, err
	}
	content, damaged := []byte{}, false
	if err == nil {
		var one []byte
		if one, damaged, err = record.OpenEnvelope(record.MagicSums, b); err == nil {
			content = one
		}
	}
	switch {
	case record.IsVersion(err), errors.Is(err, fs.ErrNotExist): // it was removed meanwhile, and perhaps not durably
	case err != nil:
		s.note(store.Damage{File: name, Length: int64(len(b)), Cause: fmt.Sprintf("the checksums of a draft can't be read, and it is read without: %v", err)})
	case damaged:
		s.note(store.Damage{File: name, Length: int64(len(b)), Cause: "one of two copies is damaged"})
	}
	return content, nil
}

// sumsDue notes that the sums of a draft are to be put on disk once it rests. It is called under draftMu.
func (s *Stream) sumsDue(d *plainDraft) {
	if s.opt.ReadOnly || s.st.key != nil {
		return
	}
	d.due = true
	s.planSums(draftRest)
}

// planSums sees to it that sums are put on disk after a while, at the latest. It is called under draftMu.
func (s *Stream) planSums(after time.Duration) {
	if s.sumsTimer == nil && !s.sumsClosed && !s.opt.asked {
		s.background.Add(1)
		s.sumsTimer = time.AfterFunc(after, s.keepRested)
	}
}

// keepRested is what the timer calls.
func (s *Stream) keepRested() {
	defer s.background.Done()
	err := s.keepSums(draftRest, time.Time{})
	if err != nil {
		s.log.Warn("checksums of drafts could not be put on disk", "stream", s.config.Load().Name, "cause", err)
	}
	s.draftMu.Lock()
	defer s.draftMu.Unlock()
	s.sumsTimer = nil
	some, next := false, draftRest
	for _, d := range s.plainDrafts {
		if d.due && isPlain(d.file) {
			some = true
			next = min(next, draftRest-time.Since(d.Changed()))
		}
	}
	switch {
	case some && err != nil:
		s.planSums(draftRest)
	case some:
		s.planSums(max(next, time.Second)) // not for each by itself
	}
}

// closeSums puts the sums on disk that are not there, for a stop.
func (s *Stream) closeSums() error {
	s.draftMu.Lock()
	s.sumsClosed = true
	if t := s.sumsTimer; t != nil && t.Stop() {
		s.background.Done()
	}
	s.draftMu.Unlock()
	s.background.Wait()
	end := time.Now().Add(sumsAtStop)
	if s.st.closing.Load() {
		end = s.st.sumsUntil()
	}
	err := s.keepSums(0, end)
	if isNoSpace(err) {
		s.log.Warn("the disk is full: checksums of drafts are not on it", "stream", s.config.Load().Name)
		err = nil
	}
	return err
}

// keepSums puts the sums of those drafts on disk that were not changed for as long as rest, until it is as late as end or, if that is
// zero, until the stream is to be closed.
func (s *Stream) keepSums(rest time.Duration, end time.Time) error {
	s.draftMu.Lock()
	var due []*plainDraft
	if !s.retired {
		for _, d := range s.plainDrafts {
			if d.due && isPlain(d.file) && time.Since(d.Changed()) >= rest {
				due = append(due, d)
			}
		}
	}
	s.draftMu.Unlock()
	if len(due) == 0 {
		return nil
	}
	var errs []error
	for _, d := range due {
		if end.IsZero() && s.stopping.Load() || !end.IsZero() && time.Now().After(end) {
			break
		}
		if err := s.keepOne(d); err != nil {
			errs = append(errs, err)
			break
		}
	}
	if err := s.fs.SyncDir(s.draftDir()); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// keepOne puts the sums of one draft on disk, unless it is changed or gets another name meanwhile. The name of their file is not
// synced.
func (s *Stream) keepOne(d *plainDraft) error {
	dir := s.draftDir() + "/"
	s.draftMu.Lock()
	file := d.file
	if !d.due || !isPlain(file) {
		s.draftMu.Unlock()
		return nil
	}
	f, err := s.fs.Open(dir + file)
	s.draftMu.Unlock()
	if err != nil {
		return draftError("keep the checksums of", file, err)
	}
	defer f.Close()
	b, put, err := d.Keep(f)
	var corrupt *store.CorruptError
	if errors.As(err, &corrupt) || len(b) > record.MaxEnvelope {
		s.draftMu.Lock()
		defer s.draftMu.Unlock()
		d.due = false
		return nil // whoever reads it is told
	}
	if err != nil {
		return draftError("keep the checksums of", file, err)
	}
	name := sumsFile(file)
	temp := dir + name + ".new"
	if err := errors.Join(removeIfThere(s.fs, temp), writeNewFile(s.fs, temp, record.Envelope(record.MagicSums, b))); err != nil {
		_ = removeIfThere(s.fs, temp)
		return draftError("keep the checksums of", file, err)
	}
	s.draftMu.Lock()
	defer s.draftMu.Unlock()
	err = summeddraft.ErrChanged
	if d.file == file && !s.retired {
		err = put(func() error {
			if err := s.syncNames(); err != nil {
				return err
			}
			return s.fs.Rename(temp, dir+name)
		})
	}
	if errors.Is(err, summeddraft.ErrChanged) {
		return removeIfThere(s.fs, temp)
	}
	if err != nil {
		return draftError("keep the checksums of", file, err)
	}
	if s.sumFiles == nil {
		s.sumFiles = map[string]bool{}
	}
	s.sumFiles[name] = true
	if d.due = false; d.refs == 0 {
		delete(s.plainDrafts, file)
	}
	return nil
}

// syncNames makes it durable which draft has which name, before one gets sums on disk: a loss of power must not bring back, beside
// them, another draft that had its name before. It is called under draftMu.
func (s *Stream) syncNames() error {
	if s.namesSynced {
		return nil
	}
	if err := s.fs.SyncDir(s.draftDir()); err != nil {
		return err
	}
	s.namesSynced = true
	return nil
}

// dropSums removes the sums that are on disk of the draft in file, not durably yet. It is called under draftMu.
func (s *Stream) dropSums(file string) error {
	name := sumsFile(file)
	if !s.sumFiles[name] {
		return nil
	}
	if err := removeIfThere(s.fs, s.draftDir()+"/"+name); err != nil {
		return err
	}
	delete(s.sumFiles, name)
	s.sumsDropped = true
	return nil
}

// syncDropped makes it durable that sums were removed. It is called under draftMu.
func (s *Stream) syncDropped() error {
	if !s.sumsDropped {
		return nil
	}
	if err := s.fs.SyncDir(s.draftDir()); err != nil {
		return err
	}
	s.sumsDropped = false
	return nil
}

// freeSums sees to it that another draft's file may be called file: sums of the one that is called so must not be there. That one has
// them in memory, as it may keep its name. It is called under draftMu.
func (s *Stream) freeSums(file string) error {
	if s.sumFiles[sumsFile(file)] {
		f, err := s.fs.Open(s.draftDir() + "/" + file)
		switch {
		case err == nil:
			err = errors.Join(s.loosenSums(f, file), f.Close())
		case errors.Is(err, fs.ErrNotExist):
			err = s.dropSums(file)
		}
		if err != nil {
			return err
		}
	}
	return s.syncDropped()
}

// loosenSums removes the sums that are on disk of the draft in file, which f is, before its file gets another name, and has them in
// memory. It is called under draftMu.
func (s *Stream) loosenSums(f vfs.File, file string) error {
	if !s.sumFiles[sumsFile(file)] {
		return nil
	}
	d := s.knownPlain(file)
	s.sumsDue(d)
	if _, err := d.Draft(f).Size(); err != nil { // has them loaded
		return err
	}
	return s.dropSums(file)
}

// readSumFiles takes in which drafts have sums on disk, of the files in the directory of drafts.
func (o *opening) readSumFiles(files []string) {
	if o.st.key != nil {
		return
	}
	o.sumsDropped = true // whoever had the store before may have removed some
	there := map[string]bool{}
	for _, file := range files {
		if file[0] == draftSums {
			there[file] = true
		}
	}
	o.sumFiles = map[string]bool{}
	for _, file := range files {
		if !isPlain(file) {
			continue
		}
		if name := sumsFile(file); there[name] {
			o.sumFiles[name] = true
			delete(there, name)
		} else {
			o.unsummed = append(o.unsummed, file)
		}
	}
	for name := range there { // of drafts that are gone, or not whole
		if o.leftDrafts = append(o.leftDrafts, name); !strings.HasSuffix(name, ".new") {
			o.sumFiles[name] = true
		}
	}
}

// settleSums has the sums of drafts put on disk that have none there. It is called under draftMu.
func (s *Stream) settleSums() {
	for _, file := range s.unsummed {
		s.sumsDue(s.knownPlain(file))
	}
	s.unsummed = nil
}
