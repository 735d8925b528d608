package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"jsfs/store"
)

// What an earlier call left of a backup: a file that is not finished is gone on with, one that is has to be the backup that is asked for.

// openOld opens what an earlier call left, if it is in the form that is asked for now.
func (w *fileWriter) openOld(part string) {
	b, err := Open(part)
	if err != nil {
		return
	}
	if w.old = b; (b.text.zstd == nil) != w.opt.Plain {
		w.dropOld()
	}
}

func (w *fileWriter) dropOld() {
	if w.old != nil {
		_ = w.old.Close()
		w.old = nil
	}
}

// takeOver looks at what the file has of the part already, and goes on behind it. It says whether that
// is all.
func (p *partWriter) takeOver(ctx context.Context, st store.Stream) (done bool, err error) {
	w := p.w
	if w.old == nil {
		return false, nil
	}
	old, err := w.old.Next()
	if err != nil || !p.head.same(&old.head) {
		w.dropOld()
		return false, nil //nolint:nilerr // what can't be read is written anew
	}
	whole, err := p.compareOld(ctx, st, old)
	if err != nil {
		return false, err
	}
	if !whole {
		w.dropOld()
		return false, nil
	}
	w.off = old.good
	w.opt.Done(old.result(p.tally.Messages))
	return true, nil
}

// compareOld compares an old part with the stream, and takes over what is good of it: nothing if anything
// differs. It says whether that is all of the part.
func (p *partWriter) compareOld(ctx context.Context, st store.Stream, old *Part) (whole bool, err error) {
	off := p.w.off
	if consumers, err := old.consumers(); err != nil || !sameConsumers(consumers, p.head.consumers) {
		return false, nil // what is damaged is written anew
	}
	if old.good > off { // the header and the consumers
		p.begun, p.sum, p.w.off = true, old.sum, old.good
	}
	c := newComparison(readBatches(ctx, st, 1, p.head.Last))
	defer c.stop()
	t := newTally()
	for ms, err := range old.batches() {
		if err != nil {
			return false, nil // what is damaged is written anew
		}
		for i := range ms {
			if c.same(old.Stream(), &ms[i]) != nil { // the stream is another one now
				p.forget(off)
				return false, ctx.Err()
			}
			t.add(&ms[i])
		}
		if old.good > p.w.off { // what follows can be written there
			taken := *t
			p.tally, p.sum, p.resumed, p.begun, p.w.off = &taken, old.sum, t.Messages, true, old.good
		}
		p.w.opt.progress(t.Messages, p.head.Messages)
	}
	if c.end(old.Stream()) != nil { // what was removed when that was written has come back
		p.forget(off)
		return false, ctx.Err()
	}
	return true, nil
}

// forget takes nothing over: the part is written anew from off on.
func (p *partWriter) forget(off int64) {
	p.tally, p.sum, p.resumed, p.begun, p.w.off = newTally(), newSum(), 0, false, off
}

// compare demands that the file that exists is a backup of the same streams in the same state.
func (w *fileWriter) compare(ctx context.Context) error {
	refuse := func(why string) error { return fmt.Errorf("%s %w: %s", w.name, store.ErrExists, why) }
	another := func(p *Part) error {
		return refuse(fmt.Sprintf("it is a backup of stream %s in another state", p.Stream()))
	}
	b, err := Open(w.name)
	if err != nil {
		return refuse("it is no backup that could be gone on with")
	}
	defer b.Close()
	for _, name := range w.streams {
		p, err := b.Next()
		if err != nil {
			return refuse("it is no whole backup of these streams")
		}
		st, err := w.s.Stream(ctx, name)
		if err != nil {
			return err
		}
		h, err := w.header(ctx, st)
		if err != nil {
			return err
		}
		if consumers, err := p.consumers(); err != nil || !p.head.same(&h) || !sameConsumers(consumers, h.consumers) {
			return another(p)
		}
		if err := w.compareMessages(ctx, st, p); errors.Is(err, store.ErrExists) {
			return another(p)
		} else if err != nil {
			return err
		}
		w.opt.Done(p.result(p.tally.Messages))
	}
	if _, err := b.Next(); !errors.Is(err, io.EOF) {
		return refuse("it has more than these streams")
	}
	return nil
}

// compareMessages demands that a part has the stream's messages, and no others.
func (w *fileWriter) compareMessages(ctx context.Context, st store.Stream, p *Part) error {
	c := newComparison(readBatches(ctx, st, 1, p.head.Last))
	defer c.stop()
	for ms, err := range p.batches() {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		for i := range ms {
			if err := c.same(p.Stream(), &ms[i]); err != nil {
				return err
			}
		}
		w.opt.progress(p.tally.Messages, p.head.Messages)
	}
	return c.end(p.Stream())
}
