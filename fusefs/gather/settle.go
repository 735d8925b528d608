package gather

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"jsfs/fusefs/publish"
	"jsfs/store"
)

// storeLocked stores the messages that are held, in order, and removes the draft. Where something in it has no place in the stream any more
// it stays under another name. An error means that messages are held still, as it may be better later.
func (r *Restores) storeLocked(ctx context.Context) error {
	if err := r.passOverStored(ctx); err != nil {
		return err
	}
	seqs := slices.Sorted(maps.Keys(r.file.at))
	if len(seqs) > 0 && r.refused == nil { // else the note would be of what was refused, too
		r.file.noteStoring()
	}
	for len(seqs) > 0 {
		ms, err := r.file.batch(seqs)
		if len(ms) == 0 { // the first one can't be read
			if err := r.refuse(seqs[0], err); err != nil {
				return err
			}
			seqs = seqs[1:]
			continue
		}
		n, err := r.stream.RestoreAll(ctx, ms)
		for _, m := range ms[:n] {
			delete(r.file.at, m.Seq)
		}
		seqs = seqs[n:]
		switch {
		case err == nil:
		case n < len(ms) && isFinal(err):
			if err := r.refuse(seqs[0], err); err != nil {
				return err
			}
			seqs = seqs[1:]
		default:
			return err
		}
	}
	return r.removeDraft(ctx)
}

// refuse remembers that a message can't be stored, and why. An error means that it has to be tried again.
func (r *Restores) refuse(seq store.Seq, why error) error {
	if err := r.file.voidNotes(); err != nil {
		return err
	}
	r.refused = errors.Join(r.refused, fmt.Errorf("message %d: %w", seq, why))
	r.file.refused[seq] = true
	delete(r.file.at, seq)
	return nil
}

// isFinal says whether a message that was refused will be refused again.
func isFinal(err error) bool {
	final := []error{store.ErrExists, store.ErrInvalid, store.ErrSubject, store.ErrTooLarge, store.ErrSealed, store.ErrDenied}
	return slices.ContainsFunc(final, func(f error) bool { return errors.Is(err, f) })
}

// passOverStored forgets messages that were stored already, as a process was killed while it stored them, and refuses those whose
// sequence was used for something else.
func (r *Restores) passOverStored(ctx context.Context) error {
	st, err := r.stream.State(ctx)
	if err != nil {
		return err
	}
	var stored []store.Seq
	refused := map[store.Seq]error{}
	ours := r.file.noted(st.Last) && r.hasOrHad(ctx, st.Last) // nobody else came between, then
	for seq := range r.file.at {
		if seq > st.Last {
			continue
		}
		err := r.hasStored(ctx, seq)
		if errors.Is(err, store.ErrNotFound) && ours && r.file.noted(seq) {
			err = nil // they are stored in order, so it was, and a limit took it
		}
		if err != nil {
			refused[seq] = err
		} else {
			stored = append(stored, seq)
		}
	}
	for seq, why := range refused {
		if err := r.refuse(seq, why); err != nil {
			return err
		}
	}
	for _, seq := range stored {
		delete(r.file.at, seq)
	}
	return nil
}

// hasOrHad says that the stream has a message that is held, or nothing in its place.
func (r *Restores) hasOrHad(ctx context.Context, seq store.Seq) bool {
	err := r.hasStored(ctx, seq)
	return err == nil || errors.Is(err, store.ErrNotFound)
}

// hasStored returns nil if the stream has a message that is held, as a restore makes it, and [store.ErrNotFound] if it has nothing in its place.
func (r *Restores) hasStored(ctx context.Context, seq store.Seq) error {
	want, err := r.file.load(seq)
	if err != nil {
		return err
	}
	got, err := r.stream.Load(ctx, seq, nil)
	if err == nil && (got.Subject != want.Subject || !bytes.Equal(got.Header, want.Header) || !bytes.Equal(got.Data, want.Data)) {
		err = store.ErrExists
	}
	return err
}

// removeDraft removes the draft, or gives it a name of its own if something in it was refused. What was synced in the draft, and by time
// or fsync(2) that is most of it, is on disk in the stream before: nothing else says which of the two a loss of power takes.
func (r *Restores) removeDraft(ctx context.Context) error {
	err := r.stream.Sync(ctx)
	if err != nil {
		return err
	}
	if r.refused == nil {
		err = r.stream.RemoveDraft(ctx, Draft)
	} else {
		var name string
		if name, err = r.keepDraft(ctx); err == nil {
			r.opt.Report(fmt.Errorf("not all messages that were restored before those below them could be stored; the draft %s has them as JSON lines: %w", name, r.refused))
		}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	_ = r.file.d.Close() // nothing is written to it any more
	return nil
}

// keepDraft gives the draft a name of its own, as what is refused when nobody can be told any more has.
func (r *Restores) keepDraft(ctx context.Context) (name string, err error) {
	d, name, err := publish.NewDraft(ctx, r.stream, publish.Refused) // so that nobody else takes the name
	if err != nil {
		return "", err
	}
	_ = d.Close() // it is empty
	if err = r.stream.RenameDraft(ctx, Draft, name); err == nil {
		return name, nil
	}
	if d, oerr := r.stream.OpenDraft(ctx, Draft); oerr == nil { // it has its old name for certain
		err = errors.Join(err, d.Close(), r.stream.RemoveDraft(ctx, name))
	}
	return "", err
}
