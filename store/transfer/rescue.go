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
	// Holes are the drafts that could not be read everywhere.
	Holes []HoledDraft `json:"holes,omitempty"`
}

// HoledDraft is a draft that was copied, of which Bytes bytes can't be read: they are zeros in the copy.
type HoledDraft struct {
	Draft string `json:"draft"`
	Bytes int64  `json:"bytes"`
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

// LostConsumers is how many consumers could not be read.
func (r *Rescued) LostConsumers() int {
	n := 0
	for i := range r.Streams {
		n += len(r.Streams[i].Result.LostConsumers)
	}
	return n
}

// HoledDrafts is how many drafts could not be read everywhere.
func (r *Rescued) HoledDrafts() int {
	n := 0
	for i := range r.Streams {
		n += len(r.Streams[i].Holes)
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
	out := RescuedStream{Result: res, Drafts: len(drafts)}
	for _, d := range drafts {
		lost, err := copyDraft(ctx, st, copied, d.Name)
		if err != nil {
			return RescuedStream{}, fmt.Errorf("draft %s: %w", d.Name, err)
		}
		if lost > 0 {
			out.Holes = append(out.Holes, HoledDraft{d.Name, lost})
		}
	}
	return out, nil
}

// copyDraft copies a draft, durably, over what an earlier call has left of it. It returns how many bytes can't be read.
func copyDraft(ctx context.Context, from, to store.Stream, name string) (lost int64, err error) {
	src, err := from.OpenDraft(ctx, name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if err := to.RemoveDraft(ctx, name); err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	dst, err := to.CreateDraft(ctx, name)
	if err != nil {
		return 0, err
	}
	if lost, err = copyReadable(dst, src); err == nil {
		err = dst.Sync()
	}
	return lost, errors.Join(err, dst.Close())
}

// copyReadable copies a draft in large pieces, and around damage in small ones, as far as each can be read.
func copyReadable(dst, src store.Draft) (lost int64, err error) {
	const small, large = 512, 64 << 10
	size, err := src.Size()
	if err == nil {
		err = dst.Truncate(size)
	}
	buf := make([]byte, large)
	step := int64(large)
	for off := int64(0); off < size && err == nil; {
		b := buf[:min(step, size-off)]
		_, err = src.ReadAt(b, off)
		switch {
		case errors.As(err, new(*store.CorruptError)) && step == large:
			step, err = small, nil
			continue
		case errors.As(err, new(*store.CorruptError)):
			lost, err = lost+int64(len(b)), nil
		case err == nil || errors.Is(err, io.EOF):
			_, err = dst.WriteAt(b, off)
		}
		if off += int64(len(b)); off%large == 0 {
			step = large
		}
	}
	return lost, err
}
