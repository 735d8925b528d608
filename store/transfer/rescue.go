package transfer

import (
	"cmp"
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
	// Unreadable are the streams of which nothing, or not everything that is whole, could be had.
	Unreadable []Unreadable `json:"unreadable,omitempty"`
	// Gone are the streams that only the copy has, from an earlier call: the original has lost them, or their names, since.
	Gone []Gone `json:"gone,omitempty"`
	// Damage is everything that the original could not be trusted with, as far as it was met.
	Damage []store.Damage `json:"damage"`
}

// RescuedStream is a stream of which all that is whole was copied.
type RescuedStream struct {
	Result
	Drafts int `json:"drafts,omitempty"`
	// Holes are the drafts that could not be read everywhere.
	Holes []HoledDraft `json:"holes,omitempty"`
	// LostDrafts are the drafts that could not be read at all.
	LostDrafts []LostDraft `json:"lost_drafts,omitempty"`
}

// LostDraft is a draft of which nothing could be had, and why. Draft is "" if not even the names of the stream's drafts could.
type LostDraft struct {
	Draft string `json:"draft,omitempty"`
	Cause string `json:"cause"`
}

// HoledDraft is a draft that was copied, of which Bytes bytes can't be read: they are zeros in the copy, or what an earlier rescue could read.
type HoledDraft struct {
	Draft string `json:"draft"`
	Bytes int64  `json:"bytes"`
}

// Unreadable is a stream that could not be opened or copied, and why.
type Unreadable struct {
	Stream string `json:"stream"`
	Cause  string `json:"cause"`
}

// Gone is a stream that the copy has as an earlier call left it, with so many messages up to Last.
type Gone struct {
	Stream   string    `json:"stream"`
	Messages int64     `json:"messages"`
	Last     store.Seq `json:"last_seq"`
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

// DamagedDrafts is how many drafts could not be read everywhere, or not at all. Those of a stream whose drafts can't be listed
// count as one.
func (r *Rescued) DamagedDrafts() int {
	n := 0
	for i := range r.Streams {
		n += len(r.Streams[i].Holes) + len(r.Streams[i].LostDrafts)
	}
	return n
}

// Rescue copies every stream of a damaged store, drafts included, into another one, which must have nothing
// else in it. begin is called before each stream, and gives its options. Rescue goes on with what an
// earlier call has left, also of messages and streams that can't be read any more; a stream that can't be opened or copied does not keep it from the others. A disk that is full ends it.
func Rescue(ctx context.Context, from, to store.Store, begin func(stream string) Options) (Rescued, error) {
	r := Rescued{Damage: []store.Damage{}}
	if f, ok := from.(interface{ Found() []store.Damage }); ok { // outside of streams
		r.Damage = append(r.Damage, f.Found()...)
	}
	names, err := from.Streams(ctx)
	if err != nil {
		return r, err
	}
	if r.Gone, err = goneSince(ctx, from, names, to); err != nil {
		return r, err
	}
	for _, name := range names {
		st, err := from.Stream(ctx, name)
		if err != nil {
			r.Unreadable = append(r.Unreadable, Unreadable{name, err.Error()})
			continue
		}
		one, err := rescueStream(ctx, st, to, begin(name))
		if ctx.Err() != nil || errors.Is(err, store.ErrNoSpace) {
			return r, fmt.Errorf("stream %s: %w", name, cmp.Or(err, ctx.Err()))
		}
		if err != nil {
			r.Unreadable = append(r.Unreadable, Unreadable{name, err.Error()})
		} else {
			r.Streams = append(r.Streams, one)
		}
		damage, err := st.Damage(ctx)
		if err != nil {
			return r, err
		}
		r.Damage = append(r.Damage, damage...)
	}
	return r, nil
}

// goneSince returns the streams of to that are not among names, which from has. Where from is known to have lost none they are not of it,
// and refused.
func goneSince(ctx context.Context, from store.Store, names []string, to store.Store) ([]Gone, error) {
	there, err := to.Streams(ctx)
	if err != nil {
		return nil, err
	}
	var gone []Gone
	f, ok := from.(interface{ MayLackStreams() bool })
	for _, name := range there {
		if slices.Contains(names, name) {
			continue
		}
		if !ok || !f.MayLackStreams() {
			return nil, fmt.Errorf("stream %s %w, and is not one of the damaged store: rescue into an empty store", name, store.ErrExists)
		}
		st, err := to.Stream(ctx, name)
		if err != nil {
			return nil, err
		}
		state, err := st.State(ctx)
		if err != nil {
			return nil, err
		}
		gone = append(gone, Gone{name, state.Live.Messages, state.Last})
	}
	return gone, nil
}

func rescueStream(ctx context.Context, st store.Stream, to store.Store, opt Options) (RescuedStream, error) {
	name := st.Config().Name
	o, err := originOf(ctx, st)
	if err != nil {
		return RescuedStream{}, err
	}
	o.salvage = &salvage{from: st}
	res, err := o.copyTo(ctx, to, name, opt)
	if err != nil {
		return RescuedStream{}, err
	}
	copied, err := to.Stream(ctx, name)
	if err != nil {
		return RescuedStream{}, err
	}
	out := RescuedStream{Result: res}
	return out, out.rescueDrafts(ctx, st, copied)
}

// rescueDrafts copies the drafts. Only what is wrong with the copy ends it.
func (r *RescuedStream) rescueDrafts(ctx context.Context, from, to store.Stream) error {
	drafts, err := from.ListDrafts(ctx)
	if err != nil {
		r.LostDrafts = append(r.LostDrafts, LostDraft{Cause: err.Error()})
		return ctx.Err()
	}
	for _, d := range drafts {
		src, size, err := openDraft(ctx, from, d.Name)
		if err != nil {
			r.LostDrafts = append(r.LostDrafts, LostDraft{d.Name, err.Error()})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		lost, err := copyDraft(ctx, src, size, to, d.Name)
		_ = src.Close() // it was only read
		if err != nil {
			return fmt.Errorf("draft %s: %w", d.Name, err)
		}
		r.Drafts++
		if lost > 0 {
			r.Holes = append(r.Holes, HoledDraft{d.Name, lost})
		}
	}
	return nil
}

func openDraft(ctx context.Context, from store.Stream, name string) (d store.Draft, size int64, err error) {
	if d, err = from.OpenDraft(ctx, name); err != nil {
		return nil, 0, err
	}
	if size, err = d.Size(); err != nil {
		return nil, 0, errors.Join(err, d.Close())
	}
	return d, size, nil
}

// copyDraft copies the size bytes of a draft, durably, over what an earlier call has left of it, which stays where a byte can't be read
// any more. It returns how many can't be read.
func copyDraft(ctx context.Context, src store.Draft, size int64, to store.Stream, name string) (lost int64, err error) {
	dst, err := draftToFill(ctx, size, to, name)
	if err != nil {
		return 0, err
	}
	lost, err = copyReadable(dst, src, size)
	if errors.As(err, new(*store.CorruptError)) { // what was left can't be gone on with
		if err := errors.Join(dst.Close(), to.RemoveDraft(ctx, name)); err != nil {
			return 0, err
		}
		return copyDraft(ctx, src, size, to, name)
	}
	if err == nil {
		err = dst.Sync()
	}
	return lost, errors.Join(err, dst.Close())
}

// draftToFill opens what an earlier call has left of a draft of that size, or makes a draft.
func draftToFill(ctx context.Context, size int64, to store.Stream, name string) (store.Draft, error) {
	left, have, err := openDraft(ctx, to, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return to.CreateDraft(ctx, name)
	case err != nil:
		return nil, err
	case have == size:
		return left, nil
	}
	if err := errors.Join(left.Close(), to.RemoveDraft(ctx, name)); err != nil {
		return nil, err
	}
	return to.CreateDraft(ctx, name)
}

// copyReadable copies a draft in large pieces, and around damage in small ones, as far as each can be read.
func copyReadable(dst, src store.Draft, size int64) (lost int64, err error) {
	const small, large = 512, 64 << 10
	err = dst.Truncate(size)
	buf := make([]byte, large)
	step := int64(large)
	for off := int64(0); off < size && err == nil; {
		b := buf[:min(step, size-off)]
		_, rerr := src.ReadAt(b, off)
		switch {
		case rerr == nil || errors.Is(rerr, io.EOF):
			_, err = dst.WriteAt(b, off)
		case step == large:
			step = small
			continue
		default: // damaged, or the disk can't read it
			lost += int64(len(b))
		}
		if off += int64(len(b)); off%large == 0 {
			step = large
		}
	}
	return lost, err
}
