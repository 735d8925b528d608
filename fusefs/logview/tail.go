package logview

import (
	"context"
	"errors"
	"fmt"
	"io"

	"jsfs/store"
)

// Tail reads the messages that are stored from its beginning on, without an end: a read waits for the next one. It
// goes by sequences, and reads from the store. So one that is slow gets all that is still there when it arrives,
// and takes no memory for what it has not read.
type Tail struct {
	r        Source
	q        store.Query
	framing  Framing
	bell     *Bell
	erasures *Erasures

	closed chan struct{} // closed by Close
	// turn is held by the read that is under way; who waits for it can be interrupted. It
	// guards the rest.
	turn    chan struct{}
	next    store.Seq // 0 behind the highest number that there is
	buf     []byte    // the last message that was loaded, framed; rest is what was not given out
	rest    []byte
	of      erased // the message that rest is of
	loaded  uint64 // how many erasures there were before it was loaded
	scratch []byte
}

// NewTail returns a Tail of the messages of q that are stored from now on. It is to be closed.
func NewTail(ctx context.Context, r Source, q store.Query, f Framing, b *Bell) (*Tail, error) {
	b.acquire()
	st, err := r.State(ctx)
	if err != nil {
		b.release()
		return nil, err
	}
	next := st.Last + 1
	if next > 0 {
		next = max(next, q.From)
	}
	return &Tail{
		r: r, q: q, framing: f, bell: b, erasures: erasuresOf(r), next: next,
		closed: make(chan struct{}), turn: make(chan struct{}, 1),
	}, nil
}

// Read gives what there is, up to len(p) bytes, and waits if there is nothing. It gives io.EOF once nothing can come any
// more: the range is exhausted, the stream was removed, the bell ended, or the Tail is closed. An interrupted read has
// taken nothing. A damaged message gives its error once.
func (t *Tail) Read(ctx context.Context, p []byte) (int, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-t.closed:
		return 0, io.EOF
	}
	if err := t.blankErased(ctx); err != nil {
		return 0, err
	}
	for len(p) > 0 {
		ring := t.bell.next()
		n, err := t.fill(ctx, p)
		switch {
		case errors.Is(err, store.ErrClosed):
			return n, io.EOF
		case n > 0 || err != nil:
			return n, err
		}
		if err := t.wait(ctx, ring); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// blankErased blanks what is to be given out of a message that was erased since it was loaded.
func (t *Tail) blankErased(ctx context.Context) error {
	if len(t.rest) == 0 {
		return nil
	}
	now := t.erasures.Count()
	gone, err := t.erasures.Gone(ctx, t.r, t.loaded, t.of.seq, t.of.time)
	switch {
	case errors.Is(err, store.ErrClosed):
		return io.EOF
	case err != nil:
		return err
	case gone:
		t.framing.blankRest(t.rest, len(t.rest) < len(t.buf))
	}
	t.loaded = now
	return nil
}

// wait waits for the next change. What ends a Tail ends it only when it has given all that was stored before.
func (t *Tail) wait(ctx context.Context, ring <-chan struct{}) error {
	select {
	case <-ring:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.closed:
	case <-t.bell.silence:
	}
	return io.EOF
}

// Close ends the Tail, and reads that are under way.
func (t *Tail) Close() {
	close(t.closed)
	t.turn <- struct{}{} // until the read has ended
	t.bell.release()
}

// fill copies what there is to p. It gives an error only if it has nothing to give.
func (t *Tail) fill(ctx context.Context, p []byte) (n int, err error) {
	for n < len(p) {
		if len(t.rest) > 0 {
			k := copy(p[n:], t.rest)
			t.rest = t.rest[k:]
			n += k
			continue
		}
		if t.q.To > 0 && t.next > t.q.To {
			return n, orNil(io.EOF, n)
		}
		if more, err := t.load(ctx, n > 0); !more || err != nil {
			return n, orNil(err, n)
		}
	}
	return n, nil
}

// orNil is err unless there are bytes to give: it comes again.
func orNil(err error, n int) error {
	if n > 0 {
		return nil
	}
	return err
}

// load loads the next message. What is damaged is passed over, unless the caller has bytes to give before.
func (t *Tail) load(ctx context.Context, later bool) (more bool, err error) {
	if t.next == 0 {
		return false, nil
	}
	q := t.q
	q.From = t.next
	t.loaded = t.erasures.Count()
	m, err := t.r.Next(ctx, q, t.scratch[:0])
	var damage *store.CorruptError
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrBeyond):
		return false, nil
	case errors.As(err, &damage) && m.Seq >= t.next && !later:
		t.next = m.Seq + 1
		return false, fmt.Errorf("message %d: %w", m.Seq, err)
	case err != nil:
		return false, err
	}
	if need := len(m.Data) + len(m.Header) + len(m.Subject); need > cap(t.scratch) && need <= maxKept {
		t.scratch = make([]byte, 0, 2*need)
	}
	if cap(t.buf) > maxKept {
		t.buf = nil
	}
	t.buf = t.framing.Append(t.buf[:0], m)
	t.rest, t.of = t.buf, erased{m.Seq, m.Time}
	t.next = m.Seq + 1
	return true, nil
}
