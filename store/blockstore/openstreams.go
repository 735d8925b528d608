package blockstore

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// openAtOnce is how many streams are opened at a time at least: opening waits for the disk more than it computes.
const openAtOnce = 4

// loadStreams opens the streams side by side, as many at a time as there are cores or openAtOnce, and enters them in
// the order of incs. It fails if this process can't open as many files: then nothing is known of the streams.
func (st *Store) loadStreams(incs []uint64) error {
	opened, errs := make([]*Stream, len(incs)), make([]error, len(incs))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(max(runtime.GOMAXPROCS(0), openAtOnce), len(incs)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(incs); i = next.Add(1) - 1 {
				opened[i], errs[i] = st.openStream(streamDir(incs[i]), incs[i])
			}
		})
	}
	workers.Wait()
	if i := slices.IndexFunc(errs, vfs.IsExhausted); i >= 0 {
		for j, s := range opened {
			if errs[j] == nil {
				_ = s.close()
			}
		}
		return errs[i]
	}
	for i, s := range opened {
		st.enterStream(s, errs[i])
	}
	return nil
}

// openToWrite opens a stream that was put in its place just now: one that could only be read is not what was asked for.
func (st *Store) openToWrite(inc uint64) (*Stream, error) {
	s, err := st.openStream(streamDir(inc), inc)
	if err == nil && s.w.failed != nil {
		err = s.w.failed
		s.hub.Close()
		_ = s.close() // nothing was written
	}
	return s, err
}

// enterStream takes in a stream that was opened, or could not be: what keeps it from being served is
// kept for who asks for it, and does not keep the others back.
func (st *Store) enterStream(s *Stream, err error) {
	name := s.config.Load().Name
	if err != nil {
		st.broken[name] = err // it is counted when all are entered
		if !record.IsVersion(err) {
			st.unread = err
		}
		st.note(store.Damage{Stream: name, File: s.dir, Cause: err.Error()})
		return
	}
	if other := st.streams[name]; other != nil {
		cfg := *s.config.Load()
		cfg.Name = damagedName(s.inc)
		s.config.Store(&cfg)
		s.note(store.Damage{File: s.dir + "/config", Cause: fmt.Sprintf("stream %d has the name %s, too", other.inc, name)})
	}
	st.streams[s.config.Load().Name] = s
	s.account()
	if !st.opt.ReadOnly {
		s.settleDrafts()
		s.beginLimits(false)
		s.planLeft()
	}
	s.beginConsumers()
}

// logOpened says in one line what opening found, as a warning if something is damaged.
func (st *Store) logOpened(took time.Duration) {
	var live store.Totals
	var lost uint64
	unclean, damage := 0, len(st.found)
	for _, s := range st.streams {
		state := s.counts(s.cur.Load())
		live, lost = live.Plus(state.Live), lost+state.Lost
		damage += len(s.damage.List())
		if p := &s.w.plan; p.unclean || len(p.torn) > 0 {
			unclean++
		}
	}
	level := slog.LevelInfo
	if damage > 0 || len(st.broken) > 0 {
		level = slog.LevelWarn
	}
	st.opt.Logger.LogAttrs(context.Background(), level, "store opened",
		slog.Int("streams", len(st.streams)), slog.Int64("messages", live.Messages), slog.Int64("bytes", live.Payload),
		slog.Int("unclean", unclean), slog.Int("damaged_places", damage), slog.Uint64("lost_messages", lost),
		slog.Int("unreadable_streams", len(st.broken)), slog.Duration("took", took.Round(time.Microsecond)))
}
