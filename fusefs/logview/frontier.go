package logview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"

	"jsfs/store"
)

const (
	minAhead = 4 << 10
	maxAhead = 256 << 10
	// maxMsgs bounds the messages that are read ahead.
	maxMsgs = 4096
	// maxKept is the largest buffer that is used again.
	maxKept = 1 << 20
)

// frontier is where a pass reads on: messages that are framed and not all given out,
// and what comes after them. It goes by sequences; the layout's offsets only tell the marks.
type frontier struct {
	blank int64 // newlines to give out before buf

	buf  []byte
	at   int // bytes of buf that were given out
	msgs []framed
	cur  int // the first message that was not given out whole

	next  store.Seq // the message to load next, or the first one behind it that is live
	start int64     // where next would begin in the layout
	// into and size tell that the pass begins inside of message next; else into is 0.
	into, size int64

	from      store.Seq // next, when buf was loaded
	fromStart int64     // start, then
	ahead     int       // how much to load at once
	told      store.Seq // that something was lost below this was told to the reader
	settled   store.Seq // up to here the pass knows what was removed from a part
	owed      error     // see owe
	scratch   []byte

	changes, returns uint64 // those of the epoch when buf was loaded
	erasures         uint64 // how many there were before
}

// framed is a message in buf.
type framed struct {
	seq   store.Seq
	time  int64 // when it was stored
	end   int   // in buf
	start int64 // in the layout
}

// begin makes the frontier that of a new pass.
func (f *frontier) begin(at placeAt) {
	*f = frontier{
		blank: at.blank, next: at.seq, start: at.start, into: at.into, size: at.size,
		buf: f.buf[:0], msgs: f.msgs[:0], scratch: f.scratch,
	}
}

// owe keeps an error that the reader must be told of, though its read had bytes to give.
// Any other error is found again by the next read, if it is still there.
func (f *frontier) owe(err error) {
	var damage *store.CorruptError
	if errors.As(err, &damage) {
		f.owed = err
	}
}

// begins returns where in buf message i begins.
func (f *frontier) begins(i int) int {
	if i == 0 {
		return 0
	}
	return f.msgs[i-1].end
}

// before returns how many bytes of buf belong to messages that begin before the limit in the layout, or of which the reader
// has a part. There is no limit if it is 0.
func (f *frontier) before(limit int64) int {
	if limit == 0 || f.msgs[len(f.msgs)-1].start < limit {
		return len(f.buf)
	}
	i := sort.Search(len(f.msgs), func(i int) bool { return f.msgs[i].start >= limit })
	for f.begins(i) < f.at {
		i++
	}
	return f.begins(i)
}

// blankErased blanks what is to be given out of messages that were erased since they were loaded.
func (f *frontier) blankErased(ctx context.Context, e *epoch) error {
	now := e.erasures.Count()
	if now == f.erasures {
		return nil
	}
	for i := f.cur; i < len(f.msgs); i++ {
		m := f.msgs[i]
		gone, err := e.erasures.Gone(ctx, e.r, f.erasures, m.seq, m.time)
		if err != nil {
			return err
		}
		if gone {
			from := f.begins(i)
			e.framing.blankRest(f.buf[max(f.at, from):m.end], f.at > from)
		}
	}
	f.erasures = now
	return nil
}

// check drops what was read ahead and is not as it is any more: messages that were
// removed are not given out, except for the one that the reader is in the middle of.
func (f *frontier) check(e *epoch) {
	changes, returns := e.changes.Load(), e.returns.Load()
	if changes == f.changes {
		return
	}
	keep := f.cur
	if keep < len(f.msgs) && f.at > f.begins(keep) {
		keep++
	}
	if keep < len(f.msgs) && (returns != f.returns || e.anyRun(f.msgs[keep].seq, f.msgs[len(f.msgs)-1].seq)) {
		f.drop(keep)
	}
	f.changes, f.returns = changes, returns
}

// drop forgets the messages of buf from the i-th on.
func (f *frontier) drop(i int) {
	f.buf, f.msgs = f.buf[:f.begins(i)], f.msgs[:i]
	if i == 0 {
		f.next, f.start = f.from, f.fromStart
		return
	}
	m := f.msgs[i-1]
	f.next, f.start = m.seq+1, m.start+int64(m.end-f.begins(i-1))
}

// load fills buf, all of which was given out, or blank. It gives io.EOF at the end, and
// an error only if it has nothing to give.
func (f *frontier) load(ctx context.Context, h *Handle, want int) error {
	if err := f.owed; err != nil {
		f.owed = nil
		return err
	}
	f.reset(h.e, want)
	for len(f.buf) < f.ahead && len(f.msgs) < maxMsgs {
		more, err := f.loadNext(ctx, h)
		if err != nil && len(f.msgs) > 0 {
			return nil // it comes again when the reader is there
		}
		if !more || err != nil {
			return err
		}
	}
	return nil
}

func (f *frontier) reset(e *epoch, want int) {
	if cap(f.buf) > maxKept {
		f.buf = nil
	}
	f.buf, f.at, f.msgs, f.cur = f.buf[:0], 0, f.msgs[:0], 0
	f.from, f.fromStart = f.next, f.start
	f.ahead = min(max(2*f.ahead, want, minAhead), maxAhead)
	f.returns, f.changes, f.erasures = e.returns.Load(), e.changes.Load(), e.erasures.Count()
}

// loadNext adds to buf what comes next: of a whole stream messages that follow each other, of a part one. more is false if there is no
// use in going on.
func (f *frontier) loadNext(ctx context.Context, h *Handle) (more bool, err error) {
	if f.next == 0 {
		return false, io.EOF // the highest number there is has been passed
	}
	if h.e.part {
		return f.loadNextOfPart(ctx, h)
	}
	for m, e := range h.r.LoadRun(ctx, f.next, f.scratch) {
		if err = e; err != nil || h.e.isHidden(f.next) {
			break
		}
		if f.add(h, m); len(f.buf) >= f.ahead || len(f.msgs) >= maxMsgs {
			return true, nil
		}
		more = true
	}
	if more {
		return true, nil // what ended the run is found again
	}
	return f.pass(ctx, h, f.next, err)
}

func (f *frontier) loadNextOfPart(ctx context.Context, h *Handle) (more bool, err error) {
	m, err := h.e.load(ctx, f.next, f.scratch)
	if m.Seq > f.next && f.into == 0 && !h.e.isHidden(m.Seq) {
		if err := f.jump(ctx, h.e, m.Seq); err != nil {
			return false, err
		}
	}
	if err != nil || m.Seq != f.next || h.e.isHidden(f.next) {
		return f.pass(ctx, h, m.Seq, err)
	}
	f.add(h, m)
	return true, nil
}

// pass moves on past message next, which is not to be given out: loading it gave err, or message found instead, or it is hidden.
func (f *frontier) pass(ctx context.Context, h *Handle, found store.Seq, err error) (more bool, _ error) {
	var damage *store.CorruptError
	switch {
	case f.into > 0 && (errors.Is(err, store.ErrNotFound) || found > f.next):
		// What the reader sought into is gone: the rest of it is.
		f.blank, f.into = f.size-f.into, 0
		f.start += f.size
		f.next++
		f.from, f.fromStart = f.next, f.start
		return false, nil
	case err == nil || errors.Is(err, store.ErrNotFound):
		return f.skip(ctx, h)
	case errors.Is(err, store.ErrBeyond):
		return false, io.EOF
	case errors.As(err, &damage):
		return f.damaged(ctx, h, err)
	}
	return false, err
}

func (f *frontier) add(h *Handle, m store.Msg) {
	f.grow(m)
	begin := len(f.buf)
	f.buf = h.e.framing.Append(f.buf, m)
	f.msgs = append(f.msgs, framed{f.next, m.Time, len(f.buf), f.start})
	f.start += int64(len(f.buf) - begin)
	f.next++
	f.at, f.into = f.at+int(f.into), 0
}

// grow sees to it that the next message like m finds room in scratch. What an engine
// keeps of a message besides its parts needs some, too.
func (f *frontier) grow(m store.Msg) {
	const slack = 512
	if n := len(m.Subject) + len(m.Header) + len(m.Data) + slack; n > cap(f.scratch) {
		f.scratch = make([]byte, 0, min(2*n, maxKept))
	}
}

// skip moves on to the next message that is shown, past what was removed.
func (f *frontier) skip(ctx context.Context, h *Handle) (more bool, err error) {
	to, err := f.nextShown(ctx, h)
	if err != nil {
		return false, err
	}
	st, err := h.r.State(ctx)
	if err != nil {
		return false, err
	}
	if st.Lost > 0 && !h.e.part {
		end := to
		if end == 0 {
			end = st.Last + 1
		}
		if err := f.tellLost(ctx, h, end); err != nil {
			return false, err
		}
	}
	if to == 0 {
		return false, io.EOF
	}
	start, err := h.e.startAfter(ctx, st.Rev, f.next, f.start, to)
	if err != nil {
		return false, err
	}
	f.next, f.start = to, start
	return true, nil
}

// nextShown returns the first live message from next on that is not hidden, or 0.
func (f *frontier) nextShown(ctx context.Context, h *Handle) (store.Seq, error) {
	for m, err := range h.r.Scan(ctx, h.e.within(f.next, 0)) {
		if err != nil {
			return 0, err
		}
		if !h.e.isHidden(m.Seq) {
			return m.Seq, nil
		}
	}
	return 0, nil
}

// tellLost gives an error, once, if a message from next up to end, not included, was lost.
func (f *frontier) tellLost(ctx context.Context, h *Handle, end store.Seq) error {
	if f.told >= end {
		return nil
	}
	all, err := h.r.Damage(ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.First > 0 && d.First < end && d.Last >= max(f.next, f.told) {
			if len(f.msgs) == 0 {
				f.told = end
			}
			return fmt.Errorf("messages %d to %d: %w", d.First, d.Last,
				&store.CorruptError{File: d.File, Offset: d.Offset, Err: errors.New(d.Cause)})
		}
	}
	return nil
}

// damaged handles that message next can't be read. If its size is known it stands in
// the reader's way; if not, it is told of once, with the lost ones behind it.
func (f *frontier) damaged(ctx context.Context, h *Handle, cause error) (more bool, err error) {
	if _, err := h.r.Stat(ctx, f.next); err == nil || len(f.msgs) > 0 {
		return false, cause
	}
	if f.next < f.told {
		return f.skip(ctx, h)
	}
	to, err := f.nextShown(ctx, h)
	if err != nil {
		return false, err
	}
	if to == 0 {
		st, err := h.r.State(ctx)
		if err != nil {
			return false, err
		}
		to = st.Last + 1
	}
	f.told = to
	return false, cause
}
