package consume

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
)

// Stream is what consumers need of the stream that they read.
type Stream interface {
	Config() store.Config
	store.Reader
	store.Finder
}

// Keeper keeps consumers across a restart. Its methods may be slow, and are called without any lock of the stream's.
type Keeper interface {
	// Save keeps content for the consumer with that number, durably, in place of what was there.
	Save(id uint64, content []byte) error
	// Remove forgets what was kept, durably.
	Remove(id uint64) error
	// Settle makes durable what Discard has removed.
	Settle() error
}

// Stored is a consumer that was kept.
type Stored struct {
	ID      uint64
	Content []byte
	Err     error // why there is no content
}

// Options say how a Set works.
type Options struct {
	Stream Stream
	// Retention is what the stream does now with what is acknowledged: a sealed one keeps it, as with store.RetentionLimits.
	Retention func() store.Retention
	// Discard removes the live messages in ranges, which nobody needs any more.
	Discard func(ctx context.Context, ranges []store.Range) error
	// Keeper is nil where nothing survives a restart.
	Keeper Keeper
	// ReadOnly says that nothing may be delivered, as it can't be remembered.
	ReadOnly bool
	Now      func() int64
	Logger   *slog.Logger
}

const (
	// saveEvery is the least time between two writes of what consumers remember. It doubles with each that fails, maxBackoff times.
	saveEvery  = 100 * time.Millisecond
	maxBackoff = 6
)

// Set is all consumers of a stream. It implements [store.Consumers].
//
// Lock order: admin, settling, any Consumer.saving, the engine's locks, any Consumer.mu. The last is a leaf.
type Set struct {
	opt Options

	// admin serialises what changes the roster. It is held while the disk works.
	admin    sync.Mutex
	lastID   uint64 // guarded by admin, as is the next
	lastMade int64  // when the consumer was made that was made last

	// settling serialises acknowledgements in a stream that drops what is acknowledged: who looks whether another
	// consumer needs a message must see what that one did. Nor does a consumer begin, or begin anew, meanwhile.
	settling sync.Mutex

	// cur is immutable, replaced as a whole under admin. Loading it needs no lock.
	cur atomic.Pointer[roster]

	// unswept is up to which message a Sweep failed, which is to be tried again; 0 if none did. It is changed under settling.
	unswept atomic.Uint64

	saves struct {
		sync.Mutex // guards the rest; a leaf
		timer      *time.Timer
		closed     bool
		failures   int            // in a row
		running    sync.WaitGroup // saves that are planned or run
	}
}

// roster is the consumers there are.
type roster struct {
	consumers []*Consumer       // sorted by name
	broken    map[string]broken // those that can't be read
}

// broken is a consumer that can't be read.
type broken struct {
	id  uint64
	err error
}

var _ store.Consumers = (*Set)(nil)

// NewSet returns the consumers that were kept.
func NewSet(opt Options, stored []Stored) *Set {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Set{opt: opt}
	r := &roster{broken: map[string]broken{}}
	var unread []broken
	for _, kept := range stored {
		s.lastID = max(s.lastID, kept.ID)
		c, err := s.revive(kept)
		if err == nil && r.find(c.Config().Name) != nil {
			err = fmt.Errorf("there is another consumer %s", c.Config().Name)
		}
		if err != nil {
			unread = append(unread, broken{kept.ID, err})
			continue
		}
		s.lastMade = max(s.lastMade, c.created)
		r = r.with(c)
	}
	for _, b := range unread {
		name := fmt.Sprint("damaged-", b.id)
		for r.find(name) != nil { // somebody called one so
			name += "-"
		}
		r.broken[name] = b
	}
	s.cur.Store(r)
	return s
}

// Begin takes up what was left when the stream was closed, before anything else is called. With sweep, which is for a
// stream that was not closed, it does what Sweep does, if there is a consumer. What fails is tried again when it is needed.
func (s *Set) Begin(ctx context.Context, sweep bool) error {
	consumers := s.cur.Load().consumers
	var errs []error
	for _, c := range consumers {
		if err := c.recall(ctx); err != nil {
			errs = append(errs, fmt.Errorf("consumer %s: %w", c.cfg.Load().Name, err))
		}
	}
	if sweep && len(consumers) > 0 && !s.opt.ReadOnly {
		errs = append(errs, s.Sweep(ctx))
	}
	return errors.Join(errs...)
}

// Broken returns why consumers can't be read, by the names that they have.
func (s *Set) Broken() map[string]error {
	out := map[string]error{}
	for name, b := range s.cur.Load().broken {
		out[name] = b.err
	}
	return out
}

// Unread returns why a consumer can't be read, nil if all can.
func (s *Set) Unread() error {
	for name, b := range s.cur.Load().broken {
		return fmt.Errorf("consumer %s: %w", name, b.err)
	}
	return nil
}

func byName(c *Consumer, name string) int { return cmp.Compare(c.cfg.Load().Name, name) }

func (r *roster) find(name string) *Consumer {
	if i, ok := slices.BinarySearchFunc(r.consumers, name, byName); ok {
		return r.consumers[i]
	}
	return nil
}

func (r *roster) with(c *Consumer) *roster {
	i, _ := slices.BinarySearchFunc(r.consumers, c.cfg.Load().Name, byName)
	return &roster{slices.Insert(slices.Clone(r.consumers), i, c), r.broken}
}

// Len is how many consumers there are.
func (s *Set) Len() int {
	r := s.cur.Load()
	return len(r.consumers) + len(r.broken)
}

// Poke tells those who wait that messages were stored. It never waits.
func (s *Set) Poke() {
	for _, c := range s.cur.Load().consumers {
		c.wake()
	}
}

// Wanted says whether a message that comes now on that subject has a consumer. It takes no lock.
func (s *Set) Wanted(subject string) bool {
	r := s.cur.Load()
	return len(r.broken) > 0 || slices.ContainsFunc(r.consumers, func(c *Consumer) bool { return c.matches(subject) })
}

// Needed says whether a consumer still needs message seq: it is to be delivered, or its delivery was not acknowledged.
func (s *Set) Needed(seq store.Seq, subject string) bool {
	r := s.cur.Load()
	return len(r.broken) > 0 || slices.ContainsFunc(r.consumers, func(c *Consumer) bool { return c.needs(seq, subject) })
}

// CheckUndelete returns nil if a removed message may come back to a stream with retention r. Where messages are there for consumers, one must still need it:
// with interest it would go again, and in a work queue it would stay for ever, if the one that it is for has passed it.
func (s *Set) CheckUndelete(r store.Retention, seq store.Seq, subject string) error {
	if r == store.RetentionLimits || s.Needed(seq, subject) || r == store.RetentionWorkQueue && !s.Wanted(subject) {
		return nil
	}
	return fmt.Errorf("%w: no consumer needs it, and retention is %q", store.ErrLimit, r)
}

// neededBut is Needed for the consumers but one. The message's subject is read only where it decides, and a message of which it
// can't be read is left as it is.
func (s *Set) neededBut(ctx context.Context, but *Consumer, seq store.Seq) (bool, error) {
	r := s.cur.Load()
	if len(r.broken) > 0 {
		return true, nil
	}
	known, subject := false, ""
	for _, c := range r.consumers {
		if c == but {
			continue
		}
		n := c.needOf(seq)
		if n == neededIfMatching && !known {
			var err error
			if subject, err = s.opt.Stream.SubjectOf(ctx, seq); isGone(err) {
				return true, nil
			} else if err != nil {
				return false, err
			}
			known = true
		}
		if n == needed || n == neededIfMatching && c.matches(subject) {
			return true, nil
		}
	}
	return false, nil
}

// Sweep removes, in a stream with interest retention, the messages that no consumer needs. If that fails it is tried again in the
// background. It must not be called with a lock of the engine.
func (s *Set) Sweep(ctx context.Context) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	return s.sweepLocked(ctx, 0)
}

// sweepLocked is Sweep of the messages up to one, 0 being all. The caller holds settling.
func (s *Set) sweepLocked(ctx context.Context, to store.Seq) error {
	err := s.dropUnneeded(ctx, to)
	switch {
	case err == nil, errors.Is(err, store.ErrReadOnly): // who opens a stream that became read-only sweeps it
		s.unswept.Store(0)
	case to > 0: // it was noted
		s.planSave()
	default:
		last := store.Seq(math.MaxUint64) // the stream is being closed: nothing comes any more
		if st, serr := s.opt.Stream.State(context.Background()); serr == nil {
			last = st.Last // consumers of what is restored later come after it: it must not go
		}
		s.unswept.Store(uint64(last))
		s.planSave()
	}
	return err
}

// Unswept says whether there may be messages that no consumer needs, and could not be removed.
func (s *Set) Unswept() bool { return s.unswept.Load() > 0 }

func (s *Set) dropUnneeded(ctx context.Context, to store.Seq) error {
	if s.opt.Retention() != store.RetentionInterest || len(s.cur.Load().broken) > 0 {
		return nil
	}
	var gone []store.Range
	for m, err := range s.opt.Stream.Scan(ctx, store.Query{To: to}) {
		if err != nil {
			return err
		}
		subject, err := s.opt.Stream.SubjectOf(ctx, m.Seq)
		if isGone(err) {
			continue
		}
		if err != nil {
			return err
		}
		if s.Needed(m.Seq, subject) {
			continue
		}
		if n := len(gone); n > 0 && gone[n-1].Last+1 == m.Seq {
			gone[n-1].Last = m.Seq
		} else {
			gone = append(gone, store.Range{First: m.Seq, Last: m.Seq})
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return s.opt.Discard(ctx, gone)
}

// isGone says whether a message can't be had any more, for whatever reason.
func isGone(err error) bool {
	var corrupt *store.CorruptError
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrBeyond) || errors.As(err, &corrupt)
}

// planSave sees to it that what changed is kept in time.
func (s *Set) planSave() {
	if s.opt.Keeper == nil {
		return
	}
	p := &s.saves
	p.Lock()
	defer p.Unlock()
	if p.timer != nil || p.closed {
		return
	}
	p.running.Add(1)
	p.timer = time.AfterFunc(saveEvery<<min(p.failures, maxBackoff), s.saveInBackground)
}

func (s *Set) saveInBackground() {
	defer s.saves.running.Done()
	s.saves.Lock()
	s.saves.timer = nil
	s.saves.Unlock()
	err := s.Flush()
	if s.Unswept() {
		err = errors.Join(err, s.SweepAgain())
	}
	s.saves.Lock()
	if s.saves.failures++; err == nil {
		s.saves.failures = 0
	}
	s.saves.Unlock()
	if err != nil {
		s.opt.Logger.Warn("what consumers remember could not be written, and will be again", "stream", s.opt.Stream.Config().Name, "cause", err)
		s.planSave()
	}
}

// SweepAgain is Sweep for what failed before, if anything did.
func (s *Set) SweepAgain() error {
	s.settling.Lock()
	defer s.settling.Unlock()
	to := s.unswept.Load()
	if to == 0 {
		return nil
	}
	if err := s.sweepLocked(context.Background(), store.Seq(to)); err != nil && !errors.Is(err, store.ErrReadOnly) && !errors.Is(err, store.ErrClosed) {
		return fmt.Errorf("messages that no consumer wants could not be removed: %w", err)
	}
	return nil
}

// Flush makes durable what consumers remember of all that was done before.
func (s *Set) Flush() error {
	var errs []error
	for _, c := range s.cur.Load().consumers {
		errs = append(errs, c.save())
	}
	return errors.Join(errs...)
}

// Close ends all calls with store.ErrClosed, those that wait, too, and makes durable what consumers remember.
func (s *Set) Close() error {
	p := &s.saves
	p.Lock()
	p.closed = true
	if p.timer != nil && p.timer.Stop() {
		p.running.Done()
	}
	p.timer = nil
	p.Unlock()
	s.admin.Lock()
	defer s.admin.Unlock()
	for _, c := range s.cur.Load().consumers {
		c.end()
	}
	p.running.Wait()
	return s.Flush()
}
