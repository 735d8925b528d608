package fusefs

import (
	"context"
	"errors"

	"jsfs/store"
)

// loadOpen reads a message for who has it open, like Load: also one that was removed since, as long as it is kept.
func loadOpen(ctx context.Context, s store.Stream, seq store.Seq, buf []byte) (store.Msg, error) {
	m, err := s.Load(ctx, seq, buf)
	if errors.Is(err, store.ErrNotFound) {
		if kept, keptErr := s.LoadKept(ctx, seq, buf); keptErr == nil {
			return kept, nil
		}
	}
	if err != nil {
		err = gone(err)
	}
	return m, err
}

// statOpen is Stat for who has the message open, as loadOpen is Load. removed says that it was removed since.
func statOpen(ctx context.Context, s store.Stream, seq store.Seq) (m store.Meta, removed bool, err error) {
	m, err = s.Stat(ctx, seq)
	if errors.Is(err, store.ErrNotFound) {
		if kept, keptErr := s.StatKept(ctx, seq); keptErr == nil {
			return kept, true, nil
		}
	}
	return m, false, gone(err)
}
