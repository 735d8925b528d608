package blockstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore/internal/pace"
	"jsfs/store/blockstore/internal/reserve"
	"jsfs/store/internal/record"
	"jsfs/store/internal/seal"
	"jsfs/store/internal/vfs"
	"jsfs/store/internal/watch"
	"jsfs/store/replicate"
)

// Store is a set of streams in a directory.
//
// Lock order: Store.originMu before Store.mu before a stream's locks. Nobody waits for the calls on a stream that others share to
// end while he holds mu: they may need it.
type Store struct {
	// Dependencies and constants, set before the Store is shared.
	fs      vfs.FS
	opt     Options
	id      record.ID
	boot    record.ID
	lock    io.Closer
	hub     *watch.Hub
	cache   *cache
	reserve *reserve.Reserve
	merged  int64 // how much a block may get that is written anew as the disk is full
	gate    *gate
	key     *seal.Key // nil if the store is not encrypted
	closeFS func() error
	found   []store.Damage // outside of any stream
	links   *replicate.Runner
	// sumsUntil is until when the store's end puts checksums of drafts on disk, which begins when it is called first.
	sumsUntil func() time.Time

	// originMu serialises updating, truncating, removing, and creating streams that have origins, so that these never lead back to a stream. Links are
	// stopped under it. It comes before mu.
	originMu sync.Mutex

	converted Conversion
	account   account
	reclaimer reclaimer

	// held counts the files of replaced blocks that are still open: their space is not given back yet.
	held atomic.Int64
	// rewritten counts the bytes that were written anew.
	rewritten atomic.Int64
	pace      *pace.Pace  // of what compaction writes
	closing   atomic.Bool // whoever gives space back is to stop

	// mu serialises creating and removing streams, and guards the rest. It is held while the disk
	// works for them.
	mu       sync.RWMutex
	streams  map[string]*Stream
	broken   map[string]error  // streams that can't be served, and why
	stays    map[string]uint64 // those of them that could not be removed, and are looked at again, by incarnation
	leaving  string            // the name of the stream that is being removed, and may be in its place still
	outdated []predecessor     // streams that were truncated and could not be moved yet
	unread   error             // why a stream could not be read, whose name may be any
	unclean  []error           // why streams that were to be removed could not be closed well
	reg      register
	closed   bool
	attic    map[string]*removedStream // what was found in removed/, by its name there
	looked   bool                      // attic is what is there
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Adopter = (*Store)(nil)
	_ store.Stream  = (*Stream)(nil)
)

// Streams implements [store.Store].
func (st *Store) Streams(ctx context.Context) ([]string, error) {
	if err := st.enter(ctx); err != nil {
		return nil, err
	}
	defer st.gate.leave()
	st.mu.RLock()
	defer st.mu.RUnlock()
	names := slices.Collect(maps.Keys(st.streams))
	names = slices.AppendSeq(names, maps.Keys(st.broken))
	slices.Sort(names)
	return names, nil
}

func (st *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return st.gate.enter()
}

// Stream implements [store.Store].
func (st *Store) Stream(ctx context.Context, name string) (store.Stream, error) {
	if err := st.enter(ctx); err != nil {
		return nil, err
	}
	defer st.gate.leave()
	st.mu.RLock()
	if _, ok := st.stays[name]; ok {
		st.mu.RUnlock()
		st.mu.Lock()
		err := st.lookAgainLocked(name)
		st.mu.Unlock()
		if err != nil {
			return nil, err
		}
		st.mu.RLock()
	}
	defer st.mu.RUnlock()
	if s := st.streams[name]; s != nil {
		return s, nil
	}
	if err := st.broken[name]; err != nil {
		return nil, err
	}
	if st.unread != nil {
		return nil, fmt.Errorf("stream %s: not all streams could be read: %w", name, st.unread)
	}
	return nil, fmt.Errorf("stream %s: %w", name, store.ErrNotFound)
}

// Create implements [store.Store].
func (st *Store) Create(ctx context.Context, cfg store.Config) (store.Stream, error) {
	if err := st.enter(ctx); err != nil {
		return nil, err
	}
	defer st.gate.leave()
	if cfg.Compression == "" {
		cfg.Compression = st.opt.Compression
	}
	cfg = cfg.WithDefaults().Clone()
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("create stream: %w", err)
	}
	if st.opt.ReadOnly {
		return nil, fmt.Errorf("create stream %s: %w", cfg.Name, store.ErrReadOnly)
	}
	if len(cfg.Origins()) == 0 { // it leads nowhere: who has originMu need not be waited for
		s, err := st.create(cfg, false)
		if !errors.Is(err, errLeaving) {
			return s, err
		}
	}
	st.originMu.Lock()
	defer st.originMu.Unlock()
	if err := st.checkOrigins(cfg); err != nil {
		return nil, fmt.Errorf("create stream %s: %w", cfg.Name, err)
	}
	return st.create(cfg, true)
}

// errLeaving says that a stream of the name is being removed.
var errLeaving = errors.New("a stream of that name is being removed")

// create makes and opens a stream, and begins to follow its origins. alone says that the caller holds originMu, so that none is being removed.
func (st *Store) create(cfg store.Config, alone bool) (store.Stream, error) {
	s, err := st.makeStream(cfg, alone)
	if err != nil {
		return nil, err
	}
	st.links.Wake(cfg.Name)
	st.links.Start(s)
	return s, nil
}

func (st *Store) makeStream(cfg store.Config, alone bool) (*Stream, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !alone && st.leaving == cfg.Name {
		return nil, errLeaving
	}
	if st.streams[cfg.Name] != nil || st.broken[cfg.Name] != nil {
		return nil, fmt.Errorf("stream %s: %w", cfg.Name, store.ErrExists)
	}
	if st.unread != nil {
		return nil, fmt.Errorf("create stream %s: not all streams could be read: %w", cfg.Name, st.unread)
	}
	if err := st.opt.Limits.CheckStream(len(st.streams) + len(st.broken)); err != nil {
		return nil, fmt.Errorf("create stream %s: %w", cfg.Name, err)
	}
	inc := st.reg.next
	if err := st.makeStreamLocked(inc, cfg, nil); err != nil {
		return nil, fmt.Errorf("create stream %s: %w", cfg.Name, diskError(err))
	}
	s, err := st.openToWrite(inc)
	if err != nil {
		err = fmt.Errorf("create stream %s: %w", cfg.Name, err)
		if gone, _ := st.unmakeStream(inc); !gone {
			st.breakLocked(cfg.Name, err) // it is on disk: the name is taken
		}
		return nil, err
	}
	s.account()
	s.beginLimits(false)
	s.beginConsumers()
	st.streams[cfg.Name] = s
	st.reg.add(inc)
	st.hub.Post(store.Event{Kind: store.StreamCreated, Stream: cfg.Name, Incarnation: inc})
	return s, nil
}

// makeStreamLocked makes a stream's directory, durably, under a temporary name first. There fill, if it
// is not nil, puts into the stream what it is to begin with.
func (st *Store) makeStreamLocked(inc uint64, cfg store.Config, fill func(dir string) error) error {
	content, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	if err := st.countIncarnationLocked(inc); err != nil { // first of all
		return err
	}
	temp := fmt.Sprintf("%s/%s%016x", streamsDir, tempPrefix, inc)
	err = st.fillStream(temp, inc, content)
	if err == nil && fill != nil {
		err = fill(temp)
	}
	if err != nil {
		st.removeTree(temp)
		return err
	}
	if err := st.fs.Rename(temp, streamDir(inc)); err != nil {
		st.removeTree(temp)
		return err
	}
	if err := st.fs.SyncDir(streamsDir); err != nil {
		// Whether it is there after a crash nobody knows. It must not be there now.
		st.unmakeStream(inc)
		return err
	}
	return nil
}

// unmakeStream takes a stream away that was just made, and says whether it is gone, and whether it is so for good. If not, a crash may
// bring it back: it stays whole until the store is opened again.
func (st *Store) unmakeStream(inc uint64) (gone, forGood bool) {
	temp := fmt.Sprintf("%s/%s%016x", streamsDir, tempPrefix, inc)
	if st.fs.Rename(streamDir(inc), temp) != nil {
		return false, false
	}
	if st.fs.SyncDir(streamsDir) != nil {
		return true, false
	}
	st.removeTree(temp)
	return true, true
}

func (st *Store) fillStream(dir string, inc uint64, config []byte) error {
	if err := st.fs.Mkdir(dir); err != nil {
		return err
	}
	if err := st.fs.Mkdir(dir + "/" + draftsName); err != nil {
		return err
	}
	if err := writeNewFile(st.fs, dir+"/config", st.smallFile(record.MagicConfig, inc, config)); err != nil {
		return err
	}
	state := make([]byte, record.StateSize)
	for gen := range uint64(2) {
		s := record.State{Generation: gen + 1, Store: st.id, Incarnation: inc, Boot: st.boot, Clean: true}
		b, off := s.Slot()
		copy(state[off:], b)
	}
	if err := writeNewFile(st.fs, dir+"/state", state); err != nil {
		return err
	}
	return st.fs.SyncDir(dir)
}

// Watch implements [store.Store].
func (st *Store) Watch() store.Subscription { return st.hub.Watch() }

// Usage implements [store.Store].
func (st *Store) Usage(ctx context.Context) (store.Usage, error) {
	if err := st.enter(ctx); err != nil {
		return store.Usage{}, err
	}
	defer st.gate.leave()
	u, err := st.fs.Usage()
	if err != nil {
		return store.Usage{}, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	var messages, free, onDisk, forLimit int64
	used := st.reserve.Used()
	removed, err := st.lookLocked()
	if err != nil {
		return store.Usage{}, err
	}
	for _, r := range removed {
		used, free = used+r.size, free+r.size
	}
	for _, s := range st.streams {
		n := s.cur.Load()
		messages += n.live.Messages
		onDisk += s.reclaimable(effort{thorough: true, urgent: true})
		if st.opt.Limits.MaxStorage > 0 {
			forLimit += s.reclaimable(effort{thorough: true, urgent: true, limited: true})
		}
		used += sizeOf(n)
	}
	free = min(free+onDisk, used)
	owed := min(u.Free+uint64(free), uint64(st.reserve.Owed())) // nobody else may take it
	return st.limited(store.Usage{
		Total: uint64(used) + u.Free, Free: u.Free + uint64(free) - owed, Used: uint64(used-free) + owed,
		Messages: uint64(max(messages, 0)), BlockSize: u.BlockSize,
	}, forLimit), nil
}

// sizeIn is the size of the i-th block of n, 0 if it is the tail.
func (b *block) sizeIn(n *snapshot, i int) int64 {
	if n.open && i == len(n.blocks)-1 {
		return 0
	}
	return b.size
}

// Close implements [store.Store].
func (st *Store) Close() error {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return nil
	}
	st.closed = true
	st.mu.Unlock()
	st.links.Close()
	st.stopReclaiming()
	st.gate.close()
	st.mu.Lock()
	errs := append([]error{st.closeRegister()}, st.unclean...)
	for name := range st.stays {
		errs = append(errs, st.broken[name])
	}
	streams := maps.Clone(st.streams)
	st.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		if err := streams[name].close(); err != nil {
			errs = append(errs, fmt.Errorf("close stream %s: %w", name, err))
		}
	}
	st.reclaimer.wait()
	errs = append(errs, st.lock.Close(), st.closeFS())
	st.key.Wipe()
	return errors.Join(errs...)
}

// note adds damage that is in no stream.
func (st *Store) note(d store.Damage) {
	st.found = append(st.found, d)
	st.opt.Logger.LogAttrs(context.Background(), slog.LevelWarn, "damage found",
		slog.String("stream", d.Stream), slog.String("file", d.File), slog.String("cause", d.Cause))
}
