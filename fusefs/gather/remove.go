package gather

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"jsfs/store"
)

// Remove removes what is held, and its draft: the messages are stored, and removed as any others are, so that they are kept for a while. Where there is no
// room to store them they are given up for good: that makes some. A stream that denies it gives [store.ErrDenied] or
// [store.ErrSealed], and [store.ErrNotFound] means that there is no draft. With any other error they are held still, or stored. A maker gets
// [store.ErrDenied]: it wants to replace the draft, as tar does what is in its way, and not to remove what it has restored.
func (r *Restores) Remove(ctx context.Context, process int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return r.stream.RemoveDraft(ctx, Draft) // what it has could not be read
	}
	if r.makers.has(process) {
		return fmt.Errorf("draft %s: %w for who restores: it goes by itself when its messages are stored", Draft, store.ErrDenied)
	}
	if err := r.stream.Config().CheckRemoveAll(); err != nil {
		return err
	}
	f := r.file
	held := slices.Collect(maps.Keys(f.at))
	switch err := r.settleLocked(ctx); {
	case errors.Is(err, store.ErrNoSpace):
		if err := r.stream.RemoveDraft(ctx, Draft); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		_ = f.d.Close() // nothing is written to it any more
		r.endLocked()
	case err != nil:
		return err
	}
	var stored []store.Range // in the place of the others is what somebody else put there, or will
	for _, seq := range held {
		if !f.has(seq) && !f.refused[seq] {
			stored = append(stored, store.Range{First: seq, Last: seq})
		}
	}
	_, err := r.stream.RemoveAll(ctx, store.MergeRanges(stored))
	return err
}
