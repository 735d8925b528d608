package blockstore

import (
	"fmt"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
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
	c, err := scan.Block(w.file, &b.hdr, w.end, scan.WantSubjects)
	if err != nil { // nothing was done to the disk: the next call may be lucky
		return nil, fmt.Errorf("seal %s: %w", b.name, err)
	}
	f.Controls, f.Subjects = c.Controls, c.Subjects.At(w.offs)
	for _, e := range c.Bad {
		f.Bad = append(f.Bad, e.Span)
		s.note(store.Damage{File: b.name, Offset: e.Off, Length: e.Len, Cause: scan.ErrBad.Error(),
			First: store.Seq(e.Seq), Last: store.Seq(e.Seq)})
	}
	return f, nil
}
