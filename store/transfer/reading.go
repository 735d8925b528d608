package transfer

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"jsfs/store"
)

// A batch has at most so many messages, and ends with the one that brings it to so many bytes.
const (
	batchMessages = 8192
	batchBytes    = 2 << 20
	// ownSize is the size of a payload from which on it is kept where it was loaded.
	ownSize = 16 << 10
)

// origin is where the messages of a stream come from.
type origin struct {
	config store.Config
	// last and lastTime are where the stream ends, total is how many messages are expected.
	last     store.Seq
	lastTime int64
	total    int64
	// consumers are what the stream's consumers are and remember, by name: nothing of a message above last.
	consumers []store.ConsumerState
	// batches walks the messages in order. Each batch is its receiver's to keep.
	batches iter.Seq2[[]store.Msg, error]
	// salvage is set in a rescue.
	salvage *salvage
	// unread is how many consumers can't be read.
	unread int
	// lost tells, when the walk is over, which messages it could not give, and which consumers can't be read.
	lost func(ctx context.Context) ([]Lost, []LostConsumer, error)
}

// originOf makes a stream as it is now an origin.
func originOf(ctx context.Context, st store.Stream) (*origin, error) {
	consumers, unread, err := consumersOf(ctx, st) // before the state, so that they are not ahead of it
	if err != nil {
		return nil, err
	}
	state, err := st.State(ctx)
	if err != nil {
		return nil, err
	}
	until(state.Last, consumers)
	return &origin{
		config: st.Config(), last: state.Last, lastTime: state.LastTime, total: state.Live.Messages, consumers: consumers, unread: len(unread),
		batches: readBatches(ctx, st, 1, state.Last),
		lost: func(ctx context.Context) ([]Lost, []LostConsumer, error) {
			lost, err := lostOf(ctx, st, state.Last)
			return lost, unread, err
		},
	}, nil
}

// readBatches walks the live messages from from to to. What is removed meanwhile, and what is lost, is
// passed over.
func readBatches(ctx context.Context, st store.Stream, from, to store.Seq) iter.Seq2[[]store.Msg, error] {
	return func(yield func([]store.Msg, error) bool) {
		if from > to {
			return
		}
		b := newBatch()
		for m, err := range st.Scan(ctx, store.Query{From: from, To: to}) {
			if err == nil {
				err = b.load(ctx, st, m)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if b.full() {
				if !yield(b.msgs, nil) {
					return
				}
				b = newBatch()
			}
		}
		if len(b.msgs) > 0 {
			yield(b.msgs, nil)
		}
	}
}

// batch gathers messages in memory of their own.
type batch struct {
	msgs    []store.Msg
	bytes   int64
	arena   []byte // small payloads and headers, one behind the other
	scratch []byte
}

func newBatch() *batch {
	return &batch{scratch: make([]byte, 2*ownSize)}
}

func (b *batch) full() bool { return len(b.msgs) >= batchMessages || b.bytes >= batchBytes }

// load adds a message, unless it is gone.
func (b *batch) load(ctx context.Context, st store.Stream, meta store.Meta) error {
	buf := b.scratch
	if meta.Size >= ownSize {
		buf = nil
	}
	m, err := st.Load(ctx, meta.Seq, buf)
	var corrupt *store.CorruptError
	switch {
	case errors.Is(err, store.ErrNotFound) || errors.As(err, &corrupt):
		return nil
	case err != nil:
		return err
	}
	if meta.Size < ownSize {
		m.Header, m.Data = b.keep(m.Header), b.keep(m.Data)
	}
	b.msgs = append(b.msgs, m)
	b.bytes += int64(len(m.Header)+len(m.Data)) + int64(len(m.Subject))
	return nil
}

// keep returns a copy of p.
func (b *batch) keep(p []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	if cap(b.arena)-len(b.arena) < len(p) {
		b.arena = make([]byte, 0, max(256<<10, len(p)))
	}
	n := len(b.arena)
	b.arena = append(b.arena, p...)
	return b.arena[n:len(b.arena):len(b.arena)]
}

// lostOf lists the messages up to last that the stream knows to be lost.
func lostOf(ctx context.Context, st store.Stream, last store.Seq) ([]Lost, error) {
	damage, err := st.Damage(ctx)
	if err != nil {
		return nil, err
	}
	var all []Lost
	for _, d := range damage {
		if d.First > 0 && d.First <= last {
			all = append(all, Lost{d.First, min(d.Last, last)})
		}
	}
	slices.SortFunc(all, func(a, b Lost) int { return cmp.Compare(a.First, b.First) })
	merged := all[:0]
	for _, l := range all {
		if n := len(merged); n > 0 && l.First <= merged[n-1].Last+1 {
			merged[n-1].Last = max(merged[n-1].Last, l.Last)
			continue
		}
		merged = append(merged, l)
	}
	return merged, nil
}

// ahead runs a walk in a goroutine of its own, a little ahead of who takes from it.
func ahead[T any](walk iter.Seq2[T, error]) iter.Seq2[T, error] {
	type item struct {
		v   T
		err error
	}
	return func(yield func(T, error) bool) {
		items, stop := make(chan item, 1), make(chan struct{})
		go func() {
			defer close(items)
			for v, err := range walk {
				select {
				case items <- item{v, err}:
				case <-stop:
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range items { // until the goroutine has ended
			}
		}()
		for i := range items {
			if !yield(i.v, i.err) {
				return
			}
		}
	}
}
