package gather

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
)

// Restores are the messages of one stream that are held. All methods may be called concurrently; where something is held, one
// waits for the other, until the messages are stored.
type Restores struct {
	stream store.Stream
	opt    Options
	// gate is held for reading by who takes sequences of the stream in another way, and for writing by who brings a message: between
	// those that are held and their places nothing comes. It is taken before mu.
	gate sync.RWMutex
	// some says that messages are held. It is changed under mu.
	some atomic.Bool

	// mu guards all below.
	mu      sync.Mutex
	file    *file // nil unless some
	makers  makers
	latest  time.Time   // when a message came last
	unsafe  time.Time   // since when there are bytes that are not synced; zero if there are none
	timer   *time.Timer // looks whether it is time; nil unless some
	refused error       // what has no place in the stream any more, and so stays in a draft
	failed  error       // why they could not be stored the last time
	tried   time.Time   // when that was
}

// Options are what a mount says of its streams.
type Options struct {
	// Durable says that a message must be on disk when it is acknowledged.
	Durable bool
	// Busy, unless nil, says whether a maker is about to bring another message.
	Busy func() bool
	// Report is told why messages could not be stored, for those who do not wait for it.
	Report func(error)
}

// Draft is the name of the draft that holds messages. Nobody else may make or change one of that name.
const Draft = ".restoring.jsonl"

// How much is held of a stream, in bytes of payloads more or less and in messages, and how long makers may bring nothing before it is
// stored although they are there.
const (
	MaxBytes = 1 << 30
	MaxMsgs  = 4 << 20
	Idle     = 5 * time.Second
)

const (
	// lookEvery is how often it is looked whether it is time to store what is held, and syncAfter how long bytes stay that are not synced.
	lookEvery = 50 * time.Millisecond
	syncAfter = time.Second
	// retryAfter is how long a failure is the answer to whoever needs the messages.
	retryAfter = time.Second
)

// New returns the Restores of a stream.
func New(s store.Stream, opt Options) *Restores { return &Restores{stream: s, opt: opt} }

// Restore restores a message for the process that brings it, as [store.Writer] does, or holds it until those below it have come. A process of 0 is not
// known, and no message of it is held. When it returns nil the message survives the end of this process, and the power's if
// that is asked for.
func (r *Restores) Restore(ctx context.Context, m store.Msg, maker int) error {
	r.gate.Lock()
	defer r.gate.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	st, err := r.stream.State(ctx)
	if err != nil {
		return err
	}
	held := r.file != nil
	switch {
	case m.Seq <= st.Last || held && r.file.has(m.Seq):
		return fmt.Errorf("sequence %d: %w", m.Seq, store.ErrExists)
	case !held && m.Seq == st.Last+1:
		return r.stream.Restore(ctx, m)
	}
	if r.holdLocked(ctx, m, maker) == nil {
		return nil
	}
	// There is no room, or enough is held, or the maker is not known: then in the order in which they come.
	if err := r.settleLocked(ctx); err != nil {
		return err
	}
	return r.stream.Restore(ctx, m)
}

// errEnough means that no more messages are held.
var errEnough = errors.New("enough is held")

// holdLocked puts a message into the draft. If that fails it is as it was.
func (r *Restores) holdLocked(ctx context.Context, m store.Msg, maker int) error {
	if err := r.makers.add(maker); err != nil {
		return err
	}
	if r.file == nil {
		d, err := r.stream.CreateDraft(ctx, Draft)
		if err != nil {
			return err
		}
		r.beginLocked(newFile(d))
	}
	if r.file.end > MaxBytes-int64(len(m.Data)) || len(r.file.at) >= MaxMsgs {
		return errEnough
	}
	if err := r.file.add(m); err != nil {
		return err
	}
	r.latest = time.Now()
	if r.unsafe.IsZero() {
		r.unsafe = r.latest
	}
	if !r.opt.Durable {
		return nil
	}
	err := r.syncLocked()
	if err != nil {
		err = errors.Join(err, r.file.drop(m.Seq))
	}
	return err
}

func (r *Restores) beginLocked(f *file) {
	r.file = f
	r.some.Store(true)
	r.timer = time.AfterFunc(lookEvery, r.look)
}

// endLocked forgets what was held.
func (r *Restores) endLocked() {
	r.some.Store(false)
	r.timer.Stop()
	r.makers.clear()
	r.file, r.timer, r.refused, r.failed, r.unsafe = nil, nil, nil, nil, time.Time{}
}

// Holds says whether a message is held.
func (r *Restores) Holds(seq store.Seq) bool {
	if !r.some.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file != nil && r.file.has(seq)
}

// Held tells of a message that is held, and whether it is.
func (r *Restores) Held(seq store.Seq) (store.Meta, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil || !r.file.has(seq) {
		return store.Meta{}, false
	}
	m, err := r.file.load(seq)
	return m.Meta, err == nil
}

// Settle stores what is held, in order. An error means that not all of it could be stored, and that it is held still.
func (r *Restores) Settle(ctx context.Context) error {
	if !r.some.Load() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settleLocked(ctx)
}

// Settled calls do when what is held is stored. Nothing is held until do has returned. If not all could be stored, do is not called.
func (r *Restores) Settled(ctx context.Context, do func() error) error {
	r.gate.RLock()
	defer r.gate.RUnlock()
	if err := r.Settle(ctx); err != nil {
		return err
	}
	return do()
}

// SettleIfOver is Settle if no maker is there any more. Of an error only the report tells: whoever looks at the stream sees it without what is held.
func (r *Restores) SettleIfOver() {
	if !r.some.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.makers.over() {
		_ = r.settleLocked(context.Background())
	}
}

// SettleFor is Settle if the process is one of the makers: it looks at what it made. It is asked for only where something is held.
func (r *Restores) SettleFor(process func() int) {
	if !r.some.Load() {
		return
	}
	pid := process()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.makers.has(pid) {
		_ = r.settleLocked(context.Background()) // as in SettleIfOver
	}
}

func (r *Restores) settleLocked(ctx context.Context) error {
	switch {
	case r.file == nil:
		return nil
	case r.failed != nil && time.Since(r.tried) < retryAfter:
		return r.failed
	}
	err := r.storeLocked(context.WithoutCancel(ctx))
	if err == nil {
		r.endLocked()
		return nil
	}
	r.failed, r.tried = fmt.Errorf("%d restored messages wait in the draft %s to be stored: %w", len(r.file.at), Draft, err), time.Now()
	r.opt.Report(r.failed)
	return r.failed
}

// Sync makes durable what is held.
func (r *Restores) Sync() error {
	if !r.some.Load() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	return r.syncLocked()
}

func (r *Restores) syncLocked() error {
	err := r.file.d.Sync()
	if err == nil {
		r.unsafe = time.Time{}
	}
	return err
}

// look stores what is held when it is time, and syncs it until then.
func (r *Restores) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return
	}
	if r.makers.over() || time.Since(r.latest) > Idle && (r.opt.Busy == nil || !r.opt.Busy()) {
		if r.settleLocked(context.Background()) == nil { // an error is reported
			return
		}
	}
	if !r.unsafe.IsZero() && time.Since(r.unsafe) > syncAfter {
		_ = r.syncLocked() // it is tried again
	}
	r.timer.Reset(lookEvery)
}

// Recover stores what the draft holds if a process before was killed; what can't be stored yet is held.
func (r *Restores) Recover(ctx context.Context) error {
	d, err := r.stream.OpenDraft(ctx, Draft)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	f := newFile(d)
	whole, err := f.recover()
	if err != nil {
		return errors.Join(err, d.Close())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.beginLocked(f)
	if !whole {
		r.refused = &store.CorruptError{File: Draft, Err: errors.New("not all of it can be read")}
	}
	_ = r.settleLocked(ctx) // an error is reported
	return nil
}

// Count returns how many messages a stream holds that it has not stored, as the mount was killed that held them; what can't be read is not counted. Nobody
// else may use the draft.
func Count(ctx context.Context, s store.Stream) (int, error) {
	d, err := s.OpenDraft(ctx, Draft)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	f, n := newFile(d), 0
	_, err = f.recover()
	st, serr := s.State(ctx)
	for seq := range f.at {
		if seq > st.Last {
			n++
		}
	}
	return n, errors.Join(err, serr, d.Close())
}

// End is Settle at the end of the mount: what can't be stored stays in its draft, for the next one.
func (r *Restores) End(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil || r.settleLocked(ctx) == nil {
		return
	}
	_ = errors.Join(r.syncLocked(), r.file.d.Close()) // nobody is there to be told
	r.endLocked()
}
