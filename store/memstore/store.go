package memstore

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"jsfs/store"
	"jsfs/store/internal/consume"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/watch"
	"jsfs/store/replicate"
)

// DefaultMaxBytes is what a store takes unless its options say otherwise.
const DefaultMaxBytes = 1 << 30

// Options are the settings of a store. The zero Options are the defaults.
type Options struct {
	// Now is the time that messages are stored with, and expire by; nil is the clock.
	Now func() int64
	// Logger is told when removed messages are forgotten; nil is silent.
	Logger *slog.Logger
	// KeepDeleted is for how long what was removed is kept at least: 24 h unless set; nothing is kept if it is
	// negative. KeepLimits keeps what limits, ages and rollups remove, too.
	KeepDeleted time.Duration
	KeepLimits  bool
	// MaxBytes bounds what messages and drafts take in memory; 0 is DefaultMaxBytes.
	MaxBytes int64
	// Limits bound how many streams and consumers there are. MaxBytes is its limit of what they take.
	Limits store.AccountLimits
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().UnixNano() }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.KeepDeleted == 0 {
		o.KeepDeleted = store.DefaultKeep
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	return o
}

// Store is a set of streams in memory.
type Store struct {
	opt   Options
	hub   *watch.Hub
	links *replicate.Runner

	// making serialises making consumers, so that no two are the last one that may be. It comes before mu.
	making sync.Mutex

	// updating serialises changes of configurations, for which links are stopped. It comes before mu.
	updating sync.Mutex

	// mu guards everything below, all streams and all drafts. Events are posted with it held.
	mu      sync.Mutex
	streams map[string]*stream
	lastInc uint64
	closed  bool
	used    int64 // bytes that messages and drafts take
	removed int64 // of these, bytes of removed messages
	attic   []removedStream
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Adopter = (*Store)(nil)
)

// New returns an empty store.
func New(opt Options) *Store {
	s := &Store{opt: opt.withDefaults(), hub: watch.NewHub(nil), streams: map[string]*stream{}}
	s.links = s.newLinks()
	return s
}

// Streams implements [store.Store].
func (s *Store) Streams(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	return slices.Sorted(maps.Keys(s.streams)), nil
}

// Stream implements [store.Store].
func (s *Store) Stream(_ context.Context, name string) (store.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.findLocked(name)
	if err != nil {
		return nil, err
	}
	return st, nil
}

func (s *Store) findLocked(name string) (*stream, error) {
	if s.closed {
		return nil, store.ErrClosed
	}
	st := s.streams[name]
	if st == nil {
		return nil, fmt.Errorf("stream %q: %w", name, store.ErrNotFound)
	}
	return st, nil
}

// Create implements [store.Store].
func (s *Store) Create(_ context.Context, cfg store.Config) (store.Stream, error) {
	cfg = cfg.WithDefaults().Clone()
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	st, err := s.create(cfg)
	if err != nil {
		return nil, err
	}
	s.links.Wake(cfg.Name)
	s.links.Start(st)
	return st, nil
}

func (s *Store) create(cfg store.Config) (*stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	if err := cfg.CheckOrigins(s.configLocked); err != nil {
		return nil, err
	}
	if s.streams[cfg.Name] != nil {
		return nil, fmt.Errorf("stream %s: %w", cfg.Name, store.ErrExists)
	}
	if err := s.opt.Limits.CheckStream(len(s.streams)); err != nil {
		return nil, fmt.Errorf("create stream %s: %w", cfg.Name, err)
	}
	s.lastInc++
	st := &stream{
		s: s, cfg: cfg, inc: s.lastInc, hub: watch.NewHub(s.hub), last: cfg.First() - 1,
		bySubject: map[string][]*message{}, onSubject: map[string]*tally{}, drafts: map[string]*draftFile{},
	}
	st.clock = policy.NewClock(s.opt.Now(), time.Now())
	st.consumers = st.newConsumers()
	s.streams[cfg.Name] = st
	s.hub.Post(st.eventLocked(store.StreamCreated, store.Meta{}))
	return st, nil
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, cfg store.Config) error {
	return s.configure(ctx, cfg, store.Config.CheckUpdate, true)
}

// Adopt implements [store.Adopter].
func (s *Store) Adopt(ctx context.Context, cfg store.Config) error {
	return s.configure(ctx, cfg, store.Config.CheckAdopt, false)
}

// checkChange says whether a stream in that state may get the configuration to.
type checkChange func(c, to store.Config, state store.State) error

// configure gives a stream another configuration, if check lets it. With sweep, a change of retention removes what no consumer wants.
func (s *Store) configure(ctx context.Context, cfg store.Config, check checkChange, sweep bool) error {
	cfg = cfg.WithDefaults().Clone()
	if err := cfg.Check(); err != nil {
		return err
	}
	s.updating.Lock()
	defer s.updating.Unlock()
	old, err := s.Stream(ctx, cfg.Name)
	if err != nil {
		return err
	}
	if st := old.(*stream); !cfg.SameOrigins(st.Config()) {
		s.links.Stop(st.inc)
		defer s.links.Start(st)
	}
	was := old.Config().Retention
	if err := s.update(cfg, check); err != nil {
		return err
	}
	if sweep && cfg.Retention != was {
		return old.(*stream).consumers.Sweep(ctx)
	}
	return nil
}

func (s *Store) update(cfg store.Config, check checkChange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.findLocked(cfg.Name)
	if err != nil {
		return err
	}
	if err := cfg.CheckOrigins(s.configLocked); err != nil {
		return fmt.Errorf("update stream %s: %w", cfg.Name, err)
	}
	if err := check(st.cfg, cfg, st.stateLocked()); err != nil {
		return fmt.Errorf("update stream %s: %w", cfg.Name, err)
	}
	if reflect.DeepEqual(st.cfg, cfg) {
		return nil
	}
	if cfg.First() != st.cfg.First() && st.last < st.cfg.First() {
		st.last = cfg.First() - 1
	}
	st.cfg = cfg
	st.reconsiderLocked()
	return nil
}

// Remove implements [store.Store].
func (s *Store) Remove(_ context.Context, name string) error {
	return s.removeStream(name, false)
}

// RemoveSealed implements [store.Store].
func (s *Store) RemoveSealed(_ context.Context, name string) error {
	return s.removeStream(name, true)
}

// removeStream takes a stream away, if it is sealed and whole is set with its messages.
func (s *Store) removeStream(name string, whole bool) error {
	consumers, err := s.remove(name, whole)
	if err != nil {
		return err
	}
	return consumers.Close()
}

// remove takes a stream away. What it returns is to be closed.
func (s *Store) remove(name string, whole bool) (*consume.Set, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.findLocked(name)
	if err != nil {
		return nil, err
	}
	whole = whole && st.cfg.Sealed
	if st.live.Messages > 0 && !whole || len(st.drafts) > 0 {
		return nil, fmt.Errorf("stream %s: %w", name, store.ErrNotEmpty)
	}
	delete(s.streams, name)
	s.setAsideLocked(st)
	st.endLocked()
	return st.consumers, nil
}

// Watch implements [store.Store].
func (s *Store) Watch() store.Subscription { return s.hub.Watch() }

// Usage implements [store.Store].
func (s *Store) Usage(context.Context) (store.Usage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.Usage{}, store.ErrClosed
	}
	u := store.Usage{
		Total: uint64(s.opt.MaxBytes), Used: uint64(s.used), BlockSize: 4096, //nolint:gosec // both are at least 0
		Free: uint64(max(0, s.opt.MaxBytes-s.used+s.removed)), //nolint:gosec // as above
	}
	for _, st := range s.streams {
		u.Messages += uint64(st.live.Messages) //nolint:gosec // a count
	}
	return u, nil
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.links.Close()
	for _, c := range s.allConsumers() {
		_ = c.Close() // nothing is kept
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, st := range s.streams {
		st.stopLocked()
	}
	return nil
}

// takeLocked counts n more bytes as used, and makes room for them if it must.
func (s *Store) takeLocked(n int64) error {
	if n <= s.opt.MaxBytes-s.used+s.removed {
		s.makeRoomLocked(n)
	}
	if n > s.opt.MaxBytes-s.used {
		return fmt.Errorf("%d bytes more: %w of %d bytes", n, store.ErrNoSpace, s.opt.MaxBytes)
	}
	s.used += n
	return nil
}

// makeRoomLocked makes room for n more bytes, as far as it can, by forgetting what was removed: what need not be kept, and then
// what is kept for the shortest time, first.
func (s *Store) makeRoomLocked(n int64) {
	if n <= s.opt.MaxBytes-s.used {
		return
	}
	was := s.removed
	s.forgetLocked(s.dueForLocked(n - (s.opt.MaxBytes - s.used)))
	if was > s.removed {
		s.opt.Logger.Info("removed messages are forgotten to make room", "bytes", was-s.removed)
	}
}
