package gather

import (
	"context"
	"errors"
	"fmt"

	"jsfs/store"
)

// GiveUp removes the draft, and for good what it holds, if there is no room to store that: removing it makes some. held says
// that it does not, as the messages can be stored, or fail for another reason. Where the stream denies removals the error is [store.ErrDenied]; where there is no draft
// it is [store.ErrNotFound].
func (r *Restores) GiveUp(ctx context.Context) (held bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return false, r.stream.RemoveDraft(ctx, Draft) // what it has could not be read
	}
	if !errors.Is(r.failed, store.ErrNoSpace) {
		return true, nil
	}
	switch err := r.settleLocked(ctx); {
	case err == nil:
		return false, fmt.Errorf("draft %s: %w", Draft, store.ErrNotFound) // there is room since
	case !errors.Is(err, store.ErrNoSpace):
		return true, nil
	case r.stream.Config().DenyDelete:
		return false, fmt.Errorf("%d restored messages in %s: %w", len(r.file.at), Draft, store.ErrDenied)
	}
	if err := r.stream.RemoveDraft(ctx, Draft); err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	_ = r.file.d.Close() // nothing is written to it any more
	r.endLocked()
	return false, nil
}
