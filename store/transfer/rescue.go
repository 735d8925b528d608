package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"jsfs/store"
)

// Rescued says what came of rescuing a store.
type Rescued struct {
	Streams []RescuedStream `json:"streams"`
	// Unreadable are the streams of which nothing could be had.
	Unreadable []Unreadable `json:"unreadable,omitempty"`
	// Damage is everything that the original could not be trusted with, as far as it was met.
	Damage []store.Damage `json:"damage"`
}

// RescuedStream is a stream of which all that is whole was copied.
type RescuedStream struct {
	Result
	Drafts int `json:"drafts,omitempty"`
}

// Unreadable is a stream that could not be opened, and why.
type Unreadable struct {
	Stream string `json:"stream"`
	Cause  string `json:"cause"`
}

// LostMessages is how many messages are known to be lost.
func (r *Rescued) LostMessages() uint64 {
	n := uint64(0)
	for i := range r.Streams {
		n += r.Streams[i].LostMessages()
	}
	return n
}

// Rescue copies every stream of a damaged store, drafts included, into another one, which must have nothing
// else in it. begin is called before each stream, and gives its options. Rescue goes on with what an
// earlier call has left; a stream that can't be opened does not keep it from the others.
func Rescue(ctx context.Context, from, to store.Store, begin func(stream string) Options) (Rescued, error) {
	r := Rescued{Damage: []store.Damage{}}
	names, err := from.Streams(ctx)
	if err != nil {
		return r, err
	}
	there, err := to.Streams(ctx)
	if err != nil {
		return r, err
	}
	for _, name := range there {
		if !slices.Contains(names, name) {
			return r, fmt.Errorf("stream %s %w, and is not one of the damaged store: rescue into an empty store", name, store.ErrExists)
		}
	}
	for _, name := range names {
		st, err := from.Stream(ctx, name)
		if err != nil {
			r.Unreadable = append(r.Unreadable, Unreadable{name, err.Error()})
			continue
		}
		one, err := rescueStream(ctx, st, to, begin(name))
		if err != nil {
			return r, fmt.Errorf("stream %s: %w", name, err)
		}
		damage, err := st.Damage(ctx)
		if err != nil {
			return r, err
		}
		r.Streams, r.Damage = append(r.Streams, one), append(r.Damage, damage...)
	}
	return r, nil
}

func rescueStream(ctx context.Context, st store.Stream, to store.Store, opt Options) (RescuedStream, error) {
	name := st.Config().Name
	res, err := Copy(ctx, st, to, name, opt)
	if err != nil {
		return RescuedStream{}, err
	}
	drafts, err := st.ListDrafts(ctx)
	if err != nil {
		return RescuedStream{}, err
	}
	copied, err := to.Stream(ctx, name)
	if err != nil {
		return RescuedStream{}, err
	}
	for _, d := range drafts {
		if err := copyDraft(ctx, st, copied, d.Name); err != nil {
			return RescuedStream{}, fmt.Errorf("draft %s: %w", d.Name, err)
		}
	}
	return RescuedStream{res, len(drafts)}, nil
}

// copyDraft copies a draft, durably, over what an earlier call has left of it.
func copyDraft(ctx context.Context, from, to store.Stream, name string) (err error) {
	src, err := from.OpenDraft(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if err := to.RemoveDraft(ctx, name); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	dst, err := to.CreateDraft(ctx, name)
	if err != nil {
		return err
	}
	size, err := src.Size()
	if err == nil {
		_, err = io.Copy(io.NewOffsetWriter(dst, 0), io.NewSectionReader(src, 0, size))
	}
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close())
}
