package replicate

import (
	"context"
	"errors"
	"fmt"

	"jsfs/store"
)

// batch takes messages from an origin as it is now: one incarnation, reached by one Open.
type batch struct {
	l      *link
	origin Origin
	ident  string
	after  store.Seq // the position

	ms    []store.Msg // loaded and not yet stored, in order
	bytes int64       // of their headers and payloads
}

// begin finds out after which sequence of the origin to go on.
func (b *batch) begin(ctx context.Context) (store.Seq, error) {
	b.l.note = ""
	at := b.l.g.position(b.l.key)
	if b.l.mirror {
		return b.beginMirror(ctx, at)
	}
	// An identity of another store came with a copy of the target: nobody knows which stream it was.
	if at.Ident != "" && at.Ident != b.ident && sameStore(at.Ident, b.ident) {
		b.l.noted("the origin was made again, so what it has is taken from its beginning")
		at = place{}
	}
	if at.Seq == 0 {
		first, err := b.first(ctx)
		if err != nil {
			return 0, err
		}
		at = place{Seq: first, Ident: b.ident}
		b.l.g.setPosition(b.l.key, at)
	}
	return at.Seq, nil
}

func (b *batch) beginMirror(ctx context.Context, at place) (store.Seq, error) {
	mine, err := b.l.g.t.State(ctx)
	if err != nil {
		return 0, err
	}
	if at.Ident == "" {
		b.l.g.setPosition(b.l.key, place{Ident: b.ident})
	} else if at.Ident != b.ident {
		b.l.noted("the origin was made again since the mirror began: messages of both can be in the mirror")
	}
	if mine.Last == 0 {
		return b.first(ctx)
	}
	return mine.Last, nil
}

// behind says that the origin ends before the position, if so: nothing comes until it gets there.
func (b *batch) behind(last store.Seq) string {
	if last >= b.after {
		return ""
	}
	return fmt.Sprintf("the origin ends at %d, and was followed up to %d before: what comes up to there is not taken", last, b.after)
}

// first returns the sequence before the one where the configuration says to begin.
func (b *batch) first(ctx context.Context) (store.Seq, error) {
	src := b.l.src
	if src.OptStartTime.IsZero() {
		return max(src.OptStartSeq, 1) - 1, nil
	}
	from := src.OptStartTime.UnixNano()
	if f, ok := b.origin.(store.Finder); ok {
		seq, err := f.SeekTime(ctx, from)
		return max(seq, 1) - 1, err
	}
	state, err := b.origin.State(ctx)
	if err != nil {
		return 0, err
	}
	for m, err := range b.origin.Scan(ctx, store.Query{To: state.Last}) {
		if err != nil {
			return 0, err
		}
		if m.Time >= from {
			return m.Seq - 1, nil
		}
	}
	return state.Last, nil
}

// catchUp takes everything that the origin has when it is called.
func (b *batch) catchUp(ctx context.Context) error {
	state, err := b.origin.State(ctx)
	if err != nil {
		return err
	}
	if state.Last > b.after {
		q := store.Query{From: b.after + 1, To: state.Last, Subject: b.l.src.FilterSubject}
		err := b.take(ctx, q)
		if serr := b.store(ctx); err == nil {
			err = serr
		}
		if err != nil {
			b.tellLag(ctx, state.Last)
			return err
		}
		if err := b.pass(ctx, state); err != nil {
			return err
		}
	}
	b.l.heard(0, b.behind(state.Last))
	return nil
}

// take loads the messages of q, and stores them whenever there are enough.
func (b *batch) take(ctx context.Context, q store.Query) error {
	for meta, err := range b.origin.Scan(ctx, q) {
		if err != nil {
			return err
		}
		m, err := b.origin.Load(ctx, meta.Seq, nil)
		var corrupt *store.CorruptError
		switch {
		case errors.Is(err, store.ErrNotFound): // removed meanwhile
			continue
		case errors.As(err, &corrupt):
			b.l.noted("message %d of the origin can't be read, and is not taken: %v", meta.Seq, err)
			continue
		case err != nil:
			return err
		}
		b.ms = append(b.ms, m)
		b.bytes += int64(len(m.Header) + len(m.Data))
		if len(b.ms) < batchMessages && b.bytes < batchBytes {
			continue
		}
		if err := b.store(ctx); err != nil {
			return err
		}
		b.tellLag(ctx, q.To)
		if b.l.g.due() == 0 {
			if err := b.l.g.remember(ctx); err != nil {
				return fmt.Errorf("remember positions: %w", err)
			}
		}
	}
	return nil
}

// store stores what is loaded, as much as the target takes.
func (b *batch) store(ctx context.Context) error {
	if len(b.ms) == 0 {
		return nil
	}
	n, err := b.storeIn(ctx, b.l.g.t)
	if n > 0 {
		b.after, b.l.moved = b.ms[n-1].Seq, true
	}
	clear(b.ms)
	b.ms, b.bytes = b.ms[:0], 0
	return err
}

func (b *batch) storeIn(ctx context.Context, t Target) (int, error) {
	if b.l.mirror {
		return t.RestoreAll(ctx, b.ms)
	}
	es := make([]store.Entry, 0, len(b.ms))
	var malformed error
	for _, m := range b.ms {
		e, err := entry(m, b.l.src, b.ident)
		if err != nil {
			malformed = err
			break
		}
		es = append(es, e)
	}
	n, err := b.l.g.append(b.l.key, b.ident, es, b.ms)
	if err == nil {
		err = malformed
	}
	return n, err
}

// pass goes to the end of the origin as state has it, behind which nothing was found to take. The mirror of a
// whole origin takes the sequences, so that it ends where the origin does.
func (b *batch) pass(ctx context.Context, state store.State) error {
	switch {
	case b.after >= state.Last:
		return nil
	case !b.l.mirror:
		b.l.g.setPosition(b.l.key, place{Seq: state.Last, Ident: b.ident})
	case b.l.src.FilterSubject == "":
		mine, err := b.l.g.t.State(ctx)
		if err != nil {
			return err
		}
		if mine.Last < state.Last {
			if err := b.l.g.t.SkipTo(ctx, state.Last, state.LastTime); err != nil {
				return err
			}
		}
	}
	b.after = state.Last
	return nil
}

// tellLag says how much is still to come of an origin that ends at last.
func (b *batch) tellLag(ctx context.Context, last store.Seq) {
	lag := uint64(last - min(last, b.after))
	if f, ok := b.origin.(store.Finder); ok {
		count, err := f.Count(ctx, store.Query{From: b.after + 1, Subject: b.l.src.FilterSubject})
		if err != nil {
			return
		}
		lag = count.Messages
	}
	b.l.heard(lag, "")
}
