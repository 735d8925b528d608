package blockstore

import (
	"cmp"

	"jsfs/store/blockstore/internal/summeddraft"
	"jsfs/store/internal/vfs"
)

// plainDraft is a draft whose sums are in memory. Its fields are guarded by Stream.draftMu, which comes before the lock of the sums.
type plainDraft struct {
	*summeddraft.Sums
	refs int
	file string // its name in Stream.plainDrafts; "" if it has none any more
	due  bool   // its sums are to be put on disk
}

// plainOpening is one opening of a draft that is a plain file.
type plainOpening struct {
	*summeddraft.Draft
	of *plainDraft
	s  *Stream
}

// newPlain returns an opening of a draft that is new, and whose file is f; file is "" if it has no name. It is called under draftMu.
func (s *Stream) newPlain(f vfs.File, file string) *plainOpening {
	d := &plainDraft{Sums: summeddraft.New(s.draftDir() + "/" + cmp.Or(file, string(draftScratch)))}
	if file != "" {
		d.file = file
		s.keepKnown(d)
		s.sumsDue(d)
	}
	d.refs++
	return &plainOpening{d.Draft(f), d, s}
}

// openPlain opens the draft in file. It is called under draftMu.
func (s *Stream) openPlain(file string) (*plainOpening, error) {
	f, err := s.fs.Open(s.draftDir() + "/" + file)
	if err != nil {
		return nil, err
	}
	d := s.knownPlain(file)
	d.refs++
	return &plainOpening{d.Draft(f), d, s}, nil
}

// knownPlain returns what is known of the draft in file, and keeps it. It is called under draftMu.
func (s *Stream) knownPlain(file string) *plainDraft {
	d := s.plainDrafts[file]
	if d == nil {
		d = &plainDraft{file: file}
		name := sumsFile(file)
		load := func() ([]byte, error) { return nil, nil }
		if s.sumFiles[name] {
			load = func() ([]byte, error) { return s.readSums(name) }
		}
		d.Sums = summeddraft.Find(s.draftDir()+"/"+file, load)
		s.keepKnown(d)
	}
	return d
}

func (s *Stream) keepKnown(d *plainDraft) {
	if s.plainDrafts == nil {
		s.plainDrafts = map[string]*plainDraft{}
	}
	s.plainDrafts[d.file] = d
}

// Close ends one opening.
func (o *plainOpening) Close() error {
	o.s.draftMu.Lock()
	d := o.of
	if d.refs--; d.refs == 0 && d.file != "" {
		if !d.due && d.Needed() {
			o.s.sumsDue(d)
		}
		if !d.due {
			delete(o.s.plainDrafts, d.file)
		}
	}
	o.s.draftMu.Unlock()
	return o.Draft.Close()
}

// movePlain is moveShared for drafts that are plain files. It is called under draftMu.
func (s *Stream) movePlain(from, to string) {
	if old := s.plainDrafts[to]; old != nil {
		old.file, old.due = "", false
		delete(s.plainDrafts, to)
	}
	d := s.plainDrafts[from]
	if d == nil {
		return
	}
	delete(s.plainDrafts, from)
	if d.file = to; to != "" {
		s.plainDrafts[to] = d
	} else {
		d.due = false
	}
}

// isPlain says whether file is that of a draft which has checksums of its own, if it has any.
func isPlain(file string) bool { return file != "" && (file[0] == draftPlain || file[0] == draftLong) }

// changeable removes the sums that are on disk of a draft, durably, so that it can be changed.
func (o *plainOpening) changeable() error {
	s, d := o.s, o.of
	s.draftMu.Lock()
	defer s.draftMu.Unlock()
	if d.file != "" {
		if err := s.dropSums(d.file); err != nil {
			return err
		}
	}
	if err := s.syncDropped(); err != nil {
		return err
	}
	d.Taken()
	if isPlain(d.file) {
		s.sumsDue(d)
	}
	return nil
}
