package replicate

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"jsfs/store"
)

const (
	// rememberEvery and rememberAfter bound how much is read again after a crash: positions are remembered
	// when so much time went by, or so many messages came.
	rememberEvery = 5 * time.Second
	rememberAfter = 16384
)

// group is the links of one target.
type group struct {
	r      *Runner
	t      Target
	cfg    store.Config
	links  []*link
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed by run at its end

	// saving serialises remembering. It is held while the target's disk works.
	saving sync.Mutex

	// mu serialises what the links of a stream with sources append, so that pos never lags behind
	// what is stored. It is held while the target's disk works.
	mu    sync.Mutex
	pos   map[string]place // guarded by mu, as the rest; by Source.Key
	fresh int              // how many messages came since pos was remembered
	dirty bool             // pos is not what was remembered
	saved time.Time
}

// memory is what a target remembers, as JSON.
type memory struct {
	// Through is the sequence of the target up to which messages are accounted for in Origins.
	Through store.Seq        `json:"through"`
	Origins map[string]place `json:"origins"`
}

func newGroup(r *Runner, t Target, cfg store.Config) *group {
	g := &group{r: r, t: t, cfg: cfg, done: make(chan struct{}), pos: map[string]place{}, saved: time.Now()}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	for _, src := range cfg.Origins() {
		g.links = append(g.links, &link{
			g: g, src: src, key: src.Key(), mirror: cfg.Mirror != nil, wake: make(chan struct{}, 1),
			state: store.SourceState{Source: src},
		})
	}
	return g
}

// run runs all links until the group is cancelled.
func (g *group) run() {
	defer close(g.done)
	if !g.recall() {
		return
	}
	var links sync.WaitGroup
	for _, l := range g.links {
		links.Go(l.run)
	}
	links.Wait()
	// The last chance: what is not remembered now is found again by reading.
	if err := g.remember(context.WithoutCancel(g.ctx)); err != nil {
		g.r.opt.Logger.Info("positions in sources are not remembered, and will be read again", "stream", g.cfg.Name, "cause", err)
	}
}

// recall finds the positions, and says whether it did before the group was cancelled.
func (g *group) recall() bool {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := g.readPositions()
		if g.ctx.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		for _, l := range g.links {
			l.failed(err)
		}
		select {
		case <-g.ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
}

// readPositions sets pos from what the target remembers, and from the messages that came since.
func (g *group) readPositions() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	content, err := g.t.Recall(g.ctx)
	if err != nil {
		return err
	}
	state, err := g.t.State(g.ctx)
	if err != nil {
		return err
	}
	var m memory
	if json.Unmarshal(content, &m) != nil || m.Through > state.Last {
		m = memory{} // a cache: the messages tell
	}
	clear(g.pos)
	maps.Copy(g.pos, m.Origins)
	if g.cfg.Mirror != nil {
		return nil
	}
	for msg, err := range g.t.Kept(g.ctx, m.Through+1) {
		if err != nil {
			return err
		}
		if key, p, ok := origin(msg.Header); ok && (p.Ident != g.pos[key].Ident || p.Seq > g.pos[key].Seq) {
			g.pos[key] = p
			g.dirty = true
		}
	}
	return nil
}

// position returns the position of a source, or of a mirror's origin.
func (g *group) position(key string) place {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pos[key]
}

// setPosition notes a position that no message tells of.
func (g *group) setPosition(key string, p place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pos[key] != p {
		g.pos[key], g.dirty = p, true
	}
}

// append appends messages of a source, es being made of ms, and returns how many were stored.
func (g *group) append(key, ident string, es []store.Entry, ms []store.Msg) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, err := g.t.AppendAll(g.ctx, es)
	if n > 0 {
		g.pos[key] = place{Seq: ms[n-1].Seq, Ident: ident}
		g.dirty = true
		g.fresh += n
	}
	return n, err
}

// due says in what time positions should be remembered: 0 is now, below 0 that there is nothing to remember.
func (g *group) due() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.dirty:
		return -1
	case g.fresh >= rememberAfter:
		return 0
	}
	return max(0, rememberEvery-time.Since(g.saved))
}

// remember makes positions durable, and before them the messages that they stand for: positions must never
// be ahead of those.
func (g *group) remember(ctx context.Context) error {
	g.saving.Lock()
	defer g.saving.Unlock()
	m, err := g.memory(ctx)
	if err != nil || m == nil {
		return err
	}
	content, err := json.Marshal(m)
	if err == nil {
		err = g.t.Sync(ctx)
	}
	if err == nil {
		err = g.t.Remember(ctx, content)
	}
	if err != nil {
		g.mu.Lock()
		g.dirty = true
		g.mu.Unlock()
	}
	return err
}

// memory returns what is to be remembered now; nil if that is remembered already.
func (g *group) memory(ctx context.Context) (*memory, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.dirty {
		return nil, nil
	}
	state, err := g.t.State(ctx)
	if err != nil {
		return nil, err
	}
	g.dirty, g.fresh, g.saved = false, 0, time.Now()
	return &memory{Through: state.Last, Origins: maps.Clone(g.pos)}, nil
}

// PositionsUpTo returns what Remember was given last, for a stream with the configuration cfg that ends at last now; nil if that tells of
// messages above it: those that are left tell then. Of a mirror the identity of its origin alone counts, which stays.
func PositionsUpTo(content []byte, cfg *store.Config, last store.Seq) []byte {
	var m memory
	if cfg.Mirror == nil && (json.Unmarshal(content, &m) != nil || m.Through > last) {
		return nil
	}
	return content
}
