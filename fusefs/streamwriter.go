package fusefs

import (
	"cmp"
	"context"

	"jsfs/store"
)

// What changes the messages of a stream, as the mount does it: what was restored out of order is in its place before, and
// whether the stream is still nothing but a copy is noted.

// Append implements [store.Writer].
func (s *stream) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	if _, err := s.copied.admit(e); err != nil {
		return 0, err
	}
	return settled(ctx, s, func() (store.Seq, error) { return s.Stream.Append(ctx, e) })
}

// AppendAll implements [store.Writer].
func (s *stream) AppendAll(ctx context.Context, es []store.Entry) (int, error) {
	n, refused := s.copied.admit(es...)
	if n == 0 && refused != nil {
		return 0, refused
	}
	n, err := settled(ctx, s, func() (int, error) { return s.Stream.AppendAll(ctx, es[:n]) })
	return n, cmp.Or(err, refused)
}

// PublishDraft implements [store.Drafts].
func (s *stream) PublishDraft(ctx context.Context, name string, e store.Entry) (store.Seq, error) {
	if _, err := s.copied.admit(e); err != nil {
		return 0, err
	}
	return settled(ctx, s, func() (store.Seq, error) { return s.Stream.PublishDraft(ctx, name, e) })
}

// RestoreAll implements [store.Writer]. A message whose number is too high to be shown is refused, and what stands before it stored.
func (s *stream) RestoreAll(ctx context.Context, ms []store.Msg) (int, error) {
	var refused error
	for i, m := range ms {
		if refused = shown(m.Seq); refused != nil {
			ms = ms[:i]
			break
		}
	}
	if len(ms) == 0 {
		return 0, refused
	}
	n, err := settled(ctx, s, func() (int, error) { return s.Stream.RestoreAll(ctx, ms) })
	return n, cmp.Or(err, refused)
}

// Restore implements [store.Writer].
func (s *stream) Restore(ctx context.Context, m store.Msg) error {
	return s.restores.Settled(ctx, func() error { return s.Stream.Restore(ctx, m) })
}

// RestoreDraft implements [store.Drafts].
func (s *stream) RestoreDraft(ctx context.Context, name string, m store.Msg) error {
	return s.restores.Settled(ctx, func() error { return s.Stream.RestoreDraft(ctx, name, m) })
}

// Remove implements [store.Writer].
func (s *stream) Remove(ctx context.Context, seq store.Seq) (bool, error) {
	if err := s.copied.change(); err != nil {
		return false, err
	}
	if s.restores.Holds(seq) {
		return settled(ctx, s, func() (bool, error) { return s.Stream.Remove(ctx, seq) })
	}
	return s.Stream.Remove(ctx, seq)
}

// Erase implements [store.Writer].
func (s *stream) Erase(ctx context.Context, seq store.Seq) (bool, error) {
	if err := s.copied.change(); err != nil {
		return false, err
	}
	if s.restores.Holds(seq) {
		return settled(ctx, s, func() (bool, error) { return s.Stream.Erase(ctx, seq) })
	}
	return s.Stream.Erase(ctx, seq)
}

// Purge implements [store.Purger]. Where there is no room to store what is held, it makes some.
func (s *stream) Purge(ctx context.Context, p store.Purge) (int64, error) {
	if err := s.copied.change(); err != nil {
		return 0, err
	}
	s.settleIfPossible(ctx)
	return s.Stream.Purge(ctx, p)
}

// Compact implements [store.Purger], as Purge does.
func (s *stream) Compact(ctx context.Context, seq store.Seq) (int64, error) {
	if err := s.copied.change(); err != nil {
		return 0, err
	}
	s.settleIfPossible(ctx)
	return s.Stream.Compact(ctx, seq)
}

// Sync implements [store.Writer]. What was restored out of order is durable where it waits.
func (s *stream) Sync(ctx context.Context) error {
	if err := s.restores.Sync(); err != nil {
		return err
	}
	return s.Stream.Sync(ctx)
}
