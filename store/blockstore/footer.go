package blockstore

import (
	"fmt"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// tailFooterLocked returns the footer that the tail gets when it is sealed.
func (s *Stream) tailFooterLocked() (*record.Footer, error) {
	w := &s.w
	f := &record.Footer{
		Trailer: record.Trailer{DataEnd: w.end, Next: w.next, All: w.all, FirstTime: w.first, LastTime: w.newest},
		Offsets: w.offs,
		Runs:    w.runs,
	}
	if w.notes.whole {
		f.Subjects, f.Listed = w.notes.subjects(), &w.notes.controls
		s.checkNotes(f)
		return f, nil
	}
	// Some of it was there when the stream was opened, or is overwritten: only the records can tell.
	b := w.tail
	c, err := scanBlock(w.file, &b.hdr, w.end, subjects)
	if err != nil {
		return nil, s.failLocked(fmt.Errorf("seal %s: %w", b.name, err))
	}
	f.Controls, f.Subjects = c.controls, c.subjectsAt(w.offs)
	for _, e := range c.bad {
		f.Bad = append(f.Bad, e.Span)
		s.note(store.Damage{File: b.name, Offset: e.Off, Length: e.Len, Cause: errBadSpan.Error(),
			First: store.Seq(e.seq), Last: store.Seq(e.seq)})
	}
	return f, nil
}
