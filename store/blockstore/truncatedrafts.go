package blockstore

import (
	"context"
	"errors"
	"fmt"

	"jsfs/store"
)

// copyDrafts copies the drafts of from, which are held. What is damaged of one is damaged in the copy, and told.
func (s *Stream) copyDrafts(ctx context.Context, from *Stream) error {
	list, err := from.ListDrafts(ctx)
	if err != nil {
		return err
	}
	for _, info := range list {
		if err := s.copyDraft(ctx, from, info.Name); err != nil {
			return fmt.Errorf("copy draft %q: %w", info.Name, err)
		}
	}
	return nil
}

func (s *Stream) copyDraft(ctx context.Context, from *Stream, name string) error {
	opened, err := from.OpenDraft(ctx, name)
	if err != nil {
		return err
	}
	made, err := s.CreateDraft(ctx, name)
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	old, d := opened.(*draft), made.(*draft)
	size, err := old.Size()
	var damaged []int64
	if err == nil {
		err = d.withRoom(func(do func() error) error { return do() }, func() error {
			return d.change(size, func() (err error) {
				damaged, err = old.copyTo(d)
				return err
			})
		})
	}
	for _, off := range damaged {
		from.note(store.Damage{File: from.draftDir() + "/" + old.name, Offset: off, Cause: "a piece of a draft is damaged, and is so in the stream that takes this one's place"})
	}
	if p, ok := d.draftFile.(*plainOpening); ok && err == nil && len(damaged) > 0 {
		err = s.keepOne(p.of) // without them it would be taken for whole
	}
	if err == nil {
		err = d.Sync()
	}
	return errors.Join(err, d.Close(), old.Close())
}

// copyTo makes another draft, which is new and of another stream of the store, what d is, and returns where that is damaged.
func (d *draft) copyTo(to *draft) (damaged []int64, err error) {
	switch f := d.draftFile.(type) {
	case *plainOpening:
		return f.Draft.CopyTo(to.draftFile.(*plainOpening).Draft)
	case *sharedDraft:
		return f.Draft.CopyTo(to.draftFile.(*sharedDraft).Draft)
	}
	return nil, fmt.Errorf("draft of kind %T: %w", d.draftFile, store.ErrInvalid)
}
