package fusefs

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// enterDirectory answers for a message directory below the directory at a place: what narrow leaves of its messages.
func (fs *FS) enterDirectory(c *call, s *stream, at place, name string, narrow mapping.Filter, out *fuse.EntryOut) error {
	f, ok := at.filter().And(narrow)
	if !ok {
		return errAbsent
	}
	p, err := at.below(s, 0, name, f, "")
	if err != nil {
		return err
	}
	return fs.placeEntry(c, s, p, out)
}

// absentBecause is ENOENT with a reason: the name is not of the form that a directory's names have.
func absentBecause(err error) error { return refuse(syscall.ENOENT, "%v", err) }

// subjectsDir has a message directory for each subject, and for each pattern; those of subjects
// that have a message are listed.
type subjectsDir struct{}

func (subjectsDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	if mapping.IsHashed(name) {
		subject, err := findHashed(c, s, name)
		if err != nil {
			return err
		}
		return c.fs.enterDirectory(c, s, at, name, mapping.Filter{Subject: subject}, out)
	}
	f, err := mapping.ParsePattern(name)
	if err != nil {
		return errAbsent
	}
	if f.Subject == "" {
		return c.fs.enterDirectory(c, s, at, ">", f, out)
	}
	return c.fs.enterDirectory(c, s, at, mapping.EscapeSubject(f.Subject), f, out)
}

func (subjectsDir) list(c *call, s *stream, at place, h *namesHandle, off uint64, l *listing) error {
	return c.fs.listSubjects(c, s, at, h, off, func(subject string, cookie uint64) bool {
		f, _ := at.filter().And(mapping.Filter{Subject: subject})
		name := mapping.EscapeSubject(subject)
		p, err := at.below(s, 0, name, f, "")
		return err != nil || l.place(s, p, name, syscall.S_IFDIR, cookie)
	})
}

// newestDir has a file for each subject: its newest message. Each message is another node there, as the kernel has one size and one set of
// pages for a node, whoever has which message open; and all that a name stands for in turn show the inode number with which it is listed.
type newestDir struct{}

func (newestDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	subject, err := mapping.UnescapeSubject(name)
	if mapping.IsHashed(name) {
		subject, err = findHashed(c, s, name)
	}
	if err != nil || store.CheckSubject(subject) != nil {
		return errAbsent
	}
	p, err := newestPlace(s, at, subject)
	if err != nil {
		return err
	}
	m, err := c.fs.newestOf(c, s, p.filter())
	if err != nil {
		return absent(err)
	}
	newest := *p.view
	newest.arg = mapping.FormatSeq(m.Seq, 1)
	newest.id = newest.number()
	return c.fs.placeEntry(c, s, newest.place(), out)
}

func (newestDir) list(c *call, s *stream, at place, h *namesHandle, off uint64, l *listing) error {
	return c.fs.listSubjects(c, s, at, h, off, func(subject string, cookie uint64) bool {
		p, err := newestPlace(s, at, subject)
		return err != nil || l.place(s, p, mapping.EscapeSubject(subject), syscall.S_IFREG, cookie)
	})
}

// newestPlace is the place of the newest message on a subject, of those that the directory at a
// place shows.
func newestPlace(s *stream, at place, subject string) (place, error) {
	f, ok := at.filter().And(mapping.Filter{Subject: subject})
	if !ok {
		return place{}, errAbsent
	}
	return at.below(s, uint64(mapping.ControlNewestOf), mapping.EscapeSubject(subject), f, "")
}

// newestOf finds the newest message of a filter.
func (fs *FS) newestOf(c *call, s *stream, f mapping.Filter) (store.Meta, error) {
	q, err := fs.query(c, s, f)
	if err != nil {
		return store.Meta{}, err
	}
	if store.IsLiteral(q.Subject) && q.Subject != "" { // without a look at the payload
		for seen := store.Seq(0); ; {
			seqs, err := s.LastSeqs(c, []string{q.Subject}, q.To, 1)
			if err == nil && (len(seqs) == 0 || seqs[0] < q.From) {
				err = store.ErrNotFound
			}
			if err != nil {
				return store.Meta{}, err
			}
			m, err := s.Stat(c, seqs[0])
			if !errors.Is(err, store.ErrNotFound) || seqs[0] == seen {
				return m, err
			}
			seen = seqs[0] // a newer one came, and it went
		}
	}
	scratch := getScratch(0)
	defer putScratch(scratch)
	m, err := s.Prev(c, q, *scratch)
	if err != nil && m.Seq != 0 { // it is there and can't be read
		return s.Stat(c, m.Seq)
	}
	return m.Meta, err
}

// oldestOf finds the oldest message of a filter.
func (fs *FS) oldestOf(c *call, s *stream, f mapping.Filter) (store.Meta, error) {
	q, err := fs.query(c, s, f)
	if err != nil {
		return store.Meta{}, err
	}
	for m, err := range s.Scan(c, q) {
		return m, err
	}
	return store.Meta{}, store.ErrNotFound
}

// ino is the inode number that a view shows.
func (v *view) ino() uint64 {
	if v.place().control() != mapping.ControlNewestOf {
		return v.id
	}
	listed := *v
	listed.arg = ""
	return listed.number()
}

// statNewest finds the message that was the newest one at a place when that was looked up. Where it is gone since it is the newest one now: the
// kernel asks no third time for a name, and with a limit to one message a subject each one goes soon.
func (fs *FS) statNewest(c *call, s *stream, p place) (store.Meta, error) {
	m, err := s.Stat(c, p.msgSeq())
	if errors.Is(err, store.ErrNotFound) {
		m, err = fs.newestOf(c, s, p.filter())
	}
	return m, gone(err)
}

// openNewest opens the newest message at a place, whatever is appended later.
func (fs *FS) openNewest(c *call, s *stream, p place) (handle, uint32, error) {
	meta, err := fs.statNewest(c, s, p)
	if err != nil {
		return nil, 0, err
	}
	h, err := fs.openPayload(c, s, meta, p.node(s), true)
	if err != nil {
		return nil, 0, err
	}
	return h, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH, nil
}

// sinceDir has a message directory for each moment, of what came then or later, and a link to one for each
// duration.
type sinceDir struct{ unlisted }

func (sinceDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	when, err := mapping.ParseWhen(name)
	if err != nil {
		return absentBecause(err)
	}
	if when.Ago == 0 {
		return c.fs.enterDirectory(c, s, at, mapping.FormatTime(when.Time), mapping.Filter{Since: when.Time}, out)
	}
	p, err := at.below(s, uint64(mapping.ControlAgo), name, at.filter(), name)
	if err != nil {
		return err
	}
	return c.fs.placeEntry(c, s, p, out)
}

// rangeDir has a message directory for each range of sequences.
type rangeDir struct{ unlisted }

func (rangeDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	f, err := mapping.ParseRange(name)
	if err != nil {
		return absentBecause(err)
	}
	return c.fs.enterDirectory(c, s, at, mapping.FormatRange(f.From, f.To), f, out)
}

// msgsDir has a directory for each message.
type msgsDir struct{ unlisted }

func (msgsDir) lookup(c *call, s *stream, at place, name string, out *fuse.EntryOut) error {
	n, err := mapping.ParseName(name, c.fs.opt.SeqWidth)
	if err != nil || n.Kind != mapping.NameSeq {
		return absentBecause(fmt.Errorf("name %q: %w: a message is named by its sequence", name, store.ErrInvalid))
	}
	if _, err := c.fs.shownMessage(c, s, at.filter(), n.Seq); err != nil {
		return err
	}
	seq := mapping.FormatSeq(n.Seq, 1)
	p, err := at.below(s, uint64(mapping.ControlMsg), seq, at.filter(), seq)
	if err != nil {
		return err
	}
	return c.fs.placeEntry(c, s, p, out)
}

// shownMessage finds a live message that a filter shows; else errAbsent.
func (fs *FS) shownMessage(c *call, s *stream, f mapping.Filter, seq store.Seq) (store.Meta, error) {
	m, err := s.Stat(c, seq)
	ok := false
	if err == nil {
		ok, err = fs.shows(c, s, f, m)
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrBeyond) || err == nil && !ok {
		err = errAbsent
	}
	return m, err
}
