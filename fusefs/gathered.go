package fusefs

import (
	"context"
	"errors"
	"iter"
	"syscall"

	"jsfs/fusefs/gather"
	"jsfs/store"
)

// HeldDraft is the draft of a stream in which are the messages that a mount held when it was killed: they were restored before those below
// them, are acknowledged, and become messages with the next mount.
const HeldDraft = gather.Draft

// CountHeld returns how many messages the stream has in its [HeldDraft], as far as that can be read.
func CountHeld(ctx context.Context, s store.Stream) (int, error) { return gather.Count(ctx, s) }

// gathering says how a stream gathers what is restored to it.
func (fs *FS) gathering(s *stream) gather.Options {
	return gather.Options{
		Durable: fs.opt.Durable,
		Busy:    s.writing.restores,
		Report: func(err error) {
			errno, _ := errnoOf(err)
			fs.errors.add(fs.now(), "restore", s.name, errno, err.Error())
		},
	}
}

// refuseGathered refuses whatever would change the draft that holds restored messages, but its removal.
func refuseGathered(names ...string) error {
	for _, name := range names {
		if name == gather.Draft {
			return refuse(syscall.EPERM, "%s holds messages that were restored before those below them: it goes by itself when they are stored", name)
		}
	}
	return nil
}

// unlinkGathered removes what was restored before those below it came, as messages are removed.
func (fs *FS) unlinkGathered(c *call, s *stream) error {
	if err := s.copied.change(); err != nil {
		return err
	}
	if err := s.restores.Remove(c, fs.process(c.hdr.Pid)); err != nil {
		return err
	}
	defer s.draftNames.lock(gather.Draft)()
	fs.unnameDraft(s, gather.Draft)
	return nil
}

// settled calls do when what was restored before those below it is stored.
func settled[T any](ctx context.Context, s *stream, do func() (T, error)) (t T, err error) {
	err = s.restores.Settled(ctx, func() (err error) {
		t, err = do()
		return err
	})
	return t, err
}

// settleIfPossible stores what was restored before those below it, for what may also be done without.
func (s *stream) settleIfPossible(ctx context.Context) {
	_ = s.restores.Settle(ctx) // it is reported
}

// Stat implements [store.Reader]. It knows of a restored message that is held, too.
func (s *stream) Stat(ctx context.Context, seq store.Seq) (store.Meta, error) {
	m, err := s.Stream.Stat(ctx, seq)
	if errors.Is(err, store.ErrBeyond) && s.restores.Holds(seq) {
		if held, ok := s.restores.Held(seq); ok {
			return held, nil
		}
		return s.Stream.Stat(ctx, seq) // it was stored meanwhile
	}
	return m, err
}

// Load implements [store.Reader]. A restored message that is held is stored first.
func (s *stream) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	m, err := s.Stream.Load(ctx, seq, buf)
	if errors.Is(err, store.ErrBeyond) && s.restores.Holds(seq) {
		return settled(ctx, s, func() (store.Msg, error) { return s.Stream.Load(ctx, seq, buf) })
	}
	return m, err
}

// LoadRun implements [store.Reader], likewise, once the engine's walk has ended: what waits for room keeps none from being made.
func (s *stream) LoadRun(ctx context.Context, seq store.Seq, buf []byte) iter.Seq2[store.Msg, error] {
	return func(yield func(store.Msg, error) bool) {
		beyond := false
		for m, err := range s.Stream.LoadRun(ctx, seq, buf) {
			if beyond = errors.Is(err, store.ErrBeyond); beyond {
				break
			}
			if !yield(m, err) {
				return
			}
		}
		if beyond {
			yield(s.Load(ctx, seq, buf))
		}
	}
}

// restores says whether a message is being written that is to be restored.
func (w *writing) restores() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.pending {
		if n.isOpen() {
			return true
		}
	}
	return false
}

// settleAll stores what was restored to any stream and is held.
func (fs *FS) settleAll() {
	for _, s := range fs.streams.all() {
		_ = s.restores.Settle(context.Background()) // it is reported
	}
}

// endGathering is settleAll at the end of the mount.
func (fs *FS) endGathering() {
	for _, s := range fs.streams.all() {
		s.restores.End(context.Background())
	}
}

// recoverGathered stores what was held when a process before was killed.
func (fs *FS) recoverGathered(ctx context.Context) error {
	names, err := fs.st.Streams(ctx)
	if err != nil || fs.opt.ReadOnly {
		return err // who can't write leaves it to the next one
	}
	for _, name := range names {
		s, err := fs.streams.named(ctx, name)
		if err != nil {
			continue // it was reported that it can't be opened
		}
		if err := s.restores.Recover(ctx); err != nil {
			errno, _ := errnoOf(err)
			fs.errors.add(fs.now(), "open", name, errno, err.Error())
		}
	}
	return nil
}
