package replicate

import (
	"context"
	"iter"
	"log/slog"
	"sync"

	"jsfs/store"
)

// Origin is what a link needs of the stream that it follows.
type Origin interface {
	Incarnation() uint64
	store.Reader
	store.Follower
}

// Target is a stream that follows others.
//
// Positions in sources survive the messages that tell of them, whatever removes those: they are
// remembered from time to time, and what came since is read again, removed or not. So an engine must
// keep what is removed for a few seconds at least.
type Target interface {
	store.Stream

	// Remember keeps b durably, in place of what it kept before. If it fails either is kept.
	Remember(ctx context.Context, b []byte) error
	// Recall returns what Remember kept last; nothing if that is lost or there never was any.
	Recall(ctx context.Context) ([]byte, error)
	// Kept walks all messages from sequence from on of which the bytes are there, also those that
	// were removed. What is yielded is valid until the next step. What can't be read is passed over; an error
	// ends the walk.
	Kept(ctx context.Context, from store.Seq) iter.Seq2[store.Msg, error]
}

// Options say how a Runner works.
type Options struct {
	// Open finds an origin by the name that the target's configuration gives. An error that
	// wraps store.ErrNotFound means that there is none now. It may be slow.
	Open func(ctx context.Context, name string) (Origin, error)
	// Store tells the store with the origins apart from every other one. It is a few letters and digits.
	Store string
	// Logger is told of what goes wrong and of what was found; nil is silent.
	Logger *slog.Logger
}

// Runner runs the links of a store's streams.
//
// Lock order: Runner.mu before group.mu before link.mu. None is held while an origin is called.
type Runner struct {
	opt Options

	mu     sync.Mutex        // guards the rest
	groups map[uint64]*group // by incarnation of the target
	closed bool
	// running counts groups that are not done; waited for by Close only.
	running sync.WaitGroup
}

// New returns a Runner without links.
func New(opt Options) *Runner {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	return &Runner{opt: opt, groups: map[uint64]*group{}}
}

// Start begins to follow what t's configuration says. It does nothing if that names no origin, if t is
// followed for already, or after Close. It does not wait for any origin.
func (r *Runner) Start(t Target) {
	cfg := t.Config()
	if len(cfg.Origins()) == 0 || cfg.Sealed {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.groups[t.Incarnation()] != nil {
		return
	}
	g := newGroup(r, t, cfg)
	r.groups[t.Incarnation()] = g
	r.running.Go(g.run)
}

// Stop ends following for the target with that incarnation, and returns when nothing more is stored there by a
// link and positions are remembered. Nothing that a call to an origin or to the target waits for may be held.
func (r *Runner) Stop(incarnation uint64) {
	if g := r.take(incarnation); g != nil {
		g.cancel()
		<-g.done
	}
}

// Drop is Stop for a target that is gone already. It does not wait.
func (r *Runner) Drop(incarnation uint64) {
	if g := r.take(incarnation); g != nil {
		g.cancel()
	}
}

func (r *Runner) take(incarnation uint64) *group {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.groups[incarnation]
	delete(r.groups, incarnation)
	return g
}

// Wake tells that there is an origin with that name now, so that nobody pauses on its account.
func (r *Runner) Wake(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.groups {
		for _, l := range g.links {
			if l.src.Name == name {
				select {
				case l.wake <- struct{}{}:
				default:
				}
			}
		}
	}
}

// Origins is what the target's [store.Replica] says; cfg is its configuration.
func (r *Runner) Origins(incarnation uint64, cfg store.Config) []store.SourceState {
	r.mu.Lock()
	g := r.groups[incarnation]
	r.mu.Unlock()
	var out []store.SourceState
	for _, src := range cfg.Origins() {
		state := store.SourceState{Source: src}
		if g != nil {
			for _, l := range g.links {
				if l.src == src {
					state = l.current()
				}
			}
		}
		out = append(out, state)
	}
	return out
}

// Close stops all links, as Stop does each, and returns when none runs any more. Start does nothing then.
func (r *Runner) Close() {
	r.mu.Lock()
	r.closed = true
	for _, g := range r.groups {
		g.cancel()
	}
	clear(r.groups)
	r.mu.Unlock()
	r.running.Wait()
}
