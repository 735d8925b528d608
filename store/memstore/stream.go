package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/consume"
	"jsfs/store/internal/watch"
	"jsfs/store/jsonl"
)

// message is a message that was stored, live or removed.
type message struct {
	store.Msg
	live   bool
	erased bool  // its header and payload are gone
	at     int   // its index in stream.msgs
	due    int64 // of a removed one: until when it is kept
	// removed is when it was removed, 0 if a limit did.
	removed int64
}

// space is what a message takes in memory, about.
func (m *message) space() int64 {
	return 256 + int64(len(m.Subject)+len(m.Header)+len(m.Data))
}

// clone returns a copy of a message, whose bytes are its own.
func (m *message) clone() *message {
	c := *m
	c.Header, c.Data = bytes.Clone(m.Header), bytes.Clone(m.Data)
	return &c
}

// extentLen is how many messages an extent has at most.
const extentLen = 4096

// stream is one stream. What changes in it is guarded by the store's mu.
type stream struct {
	s         *Store
	cfg       store.Config
	inc       uint64
	hub       *watch.Hub
	consumers *consume.Set // set before the stream is shared

	gone      bool // removed from the store
	msgs      []*message
	first     int            // no message below this index is live
	extents   []store.Totals // of the live messages of each extentLen in msgs
	bySubject map[string][]*message
	onSubject map[string]*tally // of the subjects that have a live message
	last      store.Seq
	lastTime  int64
	rev       uint64
	live      store.Totals
	appended  store.Totals
	drafts    map[string]*draftFile
	origins   []byte        // what Remember kept
	skipped   []store.Range // in order: the sequences that were never used

	policies
}

var _ store.Stream = (*stream)(nil)

// Config implements [store.Stream].
func (st *stream) Config() store.Config {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	return st.cfg.Clone()
}

// Incarnation implements [store.Stream].
func (st *stream) Incarnation() uint64 { return st.inc }

// Watch implements [store.Follower].
func (st *stream) Watch() store.Subscription { return st.hub.Watch() }

func (st *stream) openLocked() error {
	if st.s.closed || st.gone {
		return fmt.Errorf("stream %s: %w", st.cfg.Name, store.ErrClosed)
	}
	return nil
}

// indexLocked returns where the first message at or above seq is, or would be.
func (st *stream) indexLocked(seq store.Seq) int {
	i, _ := slices.BinarySearchFunc(st.msgs, seq, func(m *message, seq store.Seq) int { return cmp.Compare(m.Seq, seq) })
	return i
}

// findLocked returns the message seq, live or removed, or nil.
func (st *stream) findLocked(seq store.Seq) *message {
	if i := st.indexLocked(seq); i < len(st.msgs) && st.msgs[i].Seq == seq {
		return st.msgs[i]
	}
	return nil
}

// liveLocked returns the message seq, or the error that Load gives.
func (st *stream) liveLocked(seq store.Seq) (*message, error) {
	if err := st.openLocked(); err != nil {
		return nil, err
	}
	if seq > st.last {
		return nil, fmt.Errorf("message %d of stream %s: %w", seq, st.cfg.Name, store.ErrBeyond)
	}
	m := st.findLocked(seq)
	if m == nil || !m.live {
		return nil, fmt.Errorf("message %d of stream %s: %w", seq, st.cfg.Name, store.ErrNotFound)
	}
	return m, nil
}

func (st *stream) stateLocked() store.State {
	state := store.State{
		Rev: st.rev, First: st.last + 1, Last: st.last, LastTime: st.lastTime, Live: st.live, Appended: st.appended,
		Consumers: st.consumers.Len(),
	}
	if st.live.Messages > 0 {
		for !st.msgs[st.first].live {
			st.first++
		}
		m := st.msgs[st.first]
		state.First, state.FirstTime = m.Seq, m.Time
		state.Deleted = uint64(st.last-m.Seq) + 1 - uint64(st.live.Messages) //nolint:gosec // a count
	}
	return state
}

// State implements [store.Reader].
func (st *stream) State(context.Context) (store.State, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return store.State{}, err
	}
	return st.stateLocked(), nil
}

// Load implements [store.Reader].
func (st *stream) Load(_ context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	m, err := st.liveLocked(seq)
	if err != nil {
		return store.Msg{}, err
	}
	return m.copyTo(buf), nil
}

// LoadRun implements [store.Reader]. The lock is not held while the caller looks at a message.
func (st *stream) LoadRun(ctx context.Context, seq store.Seq, buf []byte) iter.Seq2[store.Msg, error] {
	return func(yield func(store.Msg, error) bool) {
		m, err := st.Load(ctx, seq, buf)
		for yield(m, err) && err == nil {
			if m, err = st.Load(ctx, m.Seq+1, buf); err != nil {
				return // who reads on is told
			}
		}
	}
}

// copyTo returns the message with its bytes in buf, or in new memory if they don't fit.
func (m *message) copyTo(buf []byte) store.Msg {
	out, h, n := m.Msg, len(m.Header), len(m.Header)+len(m.Data)
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	copy(buf, m.Header)
	copy(buf[h:], m.Data)
	out.Header, out.Data = buf[:h:h], buf[h:n:n]
	return out
}

// Stat implements [store.Reader].
func (st *stream) Stat(_ context.Context, seq store.Seq) (store.Meta, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	m, err := st.liveLocked(seq)
	if err != nil {
		return store.Meta{}, err
	}
	return m.Meta, nil
}

// LoadLast implements [store.Reader].
func (st *stream) LoadLast(_ context.Context, subject string, buf []byte) (store.Msg, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	return st.prevLocked(store.Query{Subject: subject}, buf)
}

// Scan implements [store.Reader].
func (st *stream) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Meta, error] {
	return func(yield func(store.Meta, error) bool) {
		at := 0 // where the walk expects the message q.From
		for {
			meta, next, err := st.next(ctx, q, at)
			if err != nil {
				yield(store.Meta{}, err)
				return
			}
			if meta.Seq == 0 || !yield(meta, nil) || meta.Seq == math.MaxUint64 {
				return
			}
			q.From, at = meta.Seq+1, next
		}
	}
}

// next returns the first live message of q, without a sequence if there is none, and the
// index behind it. The search starts at index at if that is the right place.
func (st *stream) next(ctx context.Context, q store.Query, at int) (store.Meta, int, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := cmp.Or(ctx.Err(), st.openLocked(), q.Check()); err != nil {
		return store.Meta{}, 0, err
	}
	if at == 0 || at > len(st.msgs) || st.msgs[at-1].Seq != q.From-1 {
		at = st.indexLocked(q.From)
	}
	for ; at < len(st.msgs); at++ {
		m := st.msgs[at]
		if q.To > 0 && m.Seq > q.To {
			break
		}
		if m.live && q.Matches(m.Subject) {
			return m.Meta, at + 1, nil
		}
	}
	return store.Meta{}, 0, nil
}

// Extents implements [store.Reader].
func (st *stream) Extents(context.Context) ([]store.Extent, store.State, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if err := st.openLocked(); err != nil {
		return nil, store.State{}, err
	}
	state := st.stateLocked()
	var out []store.Extent
	from := state.First
	for i, live := range st.extents {
		end := min((i+1)*extentLen, len(st.msgs)) - 1
		if to := st.msgs[end].Seq; to >= from {
			out = append(out, store.Extent{First: from, Last: to, Live: live})
			from = to + 1
		}
	}
	return out, state, nil
}

// Damage implements [store.Reader]: there is none.
func (st *stream) Damage(context.Context) ([]store.Damage, error) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	return nil, st.openLocked()
}

func metaOf(seq store.Seq, t int64, subject string, header, data []byte) store.Meta {
	return store.Meta{
		Seq: seq, Time: t, Size: int64(len(data)), JSON: jsonl.Size(seq, subject, header, data),
		HasHeader: len(header) > 0, NoNewline: len(data) == 0 || data[len(data)-1] != '\n',
	}
}
