package blockstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"syscall"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/internal/watch"
	"jsfs/store/replicate"
)

// replacesName is the file in a stream's directory that names the incarnation whose place it took. It is there until that one
// is out of the way.
const replacesName = "replaces"

// Truncate implements [store.Store]. What is to stay is copied into a new stream, whose messages are under other keys and checks: it
// takes as long as that.
func (st *Store) Truncate(ctx context.Context, name string, last store.Seq) (store.Stream, error) {
	if err := st.enter(ctx); err != nil {
		return nil, err
	}
	defer st.gate.leave()
	st.originMu.Lock() // its configuration can't change meanwhile
	defer st.originMu.Unlock()
	found, err := st.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("truncate: %w", err)
	}
	s := found.(*Stream)
	next, err := st.truncate(ctx, s, uint64(last))
	if err != nil {
		return nil, fmt.Errorf("truncate stream %s: %w", name, err)
	}
	return next, nil
}

// truncate returns the stream that ends at last: another one, or s if it ends there already.
func (st *Store) truncate(ctx context.Context, s *Stream, last uint64) (*Stream, error) {
	cfg := s.config.Load()
	if last < uint64(cfg.First()) {
		last = 0
	}
	if err := s.truncatable(last); err != nil {
		return nil, err
	}
	n := s.cur.Load()
	if end := max(last, uint64(cfg.First())-1); end == n.last {
		return s, nil
	}
	if err := s.settleBefore(); err != nil {
		return nil, err
	}
	inc, err := st.takeIncarnation()
	if err != nil {
		return nil, diskError(err)
	}
	temp := fmt.Sprintf("%s/%s%016x", streamsDir, tempPrefix, inc)
	var next *Stream
	if err = st.fillTruncated(ctx, s, temp, inc, last); err != nil {
		st.removeTree(temp)
	} else {
		next, err = st.takeOver(s, temp, inc)
	}
	if err != nil {
		s.revive()
		return nil, diskError(err)
	}
	s.releaseDrafts(true)
	st.links.Drop(s.inc)
	if err := s.closeRetired(); err != nil {
		s.log.Error("stream that was truncated could not be closed well", "stream", cfg.Name, "incarnation", s.inc, "cause", err)
	}
	r := predecessor{s.dir, s.inc, next.dir, st.opt.Now()}
	if err := st.setReplacedAside(r); err != nil {
		s.log.Warn("stream that was truncated is still in its place, and is moved later", "stream", cfg.Name, "cause", err)
		st.setAsideLater(r, err)
	}
	st.links.Wake(cfg.Name)
	st.links.Start(next)
	return next, nil
}

// truncatable refuses what Truncate does.
func (s *Stream) truncatable(last uint64) error {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.config.Load().CheckRemoveAll(); err != nil {
		return err
	}
	if end := s.cur.Load().last; last > end {
		return fmt.Errorf("sequence %d: %w, which is %d", last, store.ErrBeyond, end)
	}
	return s.writableLocked()
}

// holdDrafts keeps drafts what they are, until releaseDrafts: none is made, renamed or removed, and who writes one waits.
func (s *Stream) holdDrafts() {
	s.draftMu.Lock()
	s.retired = true
	s.draftMu.Unlock()
	s.draftIO.Lock()
	s.draftsHeld = true
}

// releaseDrafts lets drafts go on, if they were held, unless they are another stream's now.
func (s *Stream) releaseDrafts(gone bool) {
	if !s.draftsHeld {
		return
	}
	s.draftMu.Lock()
	s.retired = gone
	s.draftMu.Unlock()
	s.draftsHeld = false
	s.draftsGone.Store(gone)
	s.draftIO.Unlock()
}

// revive lets the stream go on that was to be replaced, unless it fails: then the one that was to replace it may be there when
// the store is opened.
func (s *Stream) revive() {
	s.wmu.Lock()
	if errors.Is(s.w.failed, store.ErrClosed) {
		s.w.failed = nil
		s.planAgainLocked()
	}
	failed := s.w.failed != nil
	s.wmu.Unlock()
	s.releaseDrafts(failed)
}

// planAgainLocked plans what was planned before the stream was to be replaced: its time may have come meanwhile.
func (s *Stream) planAgainLocked() {
	if len(s.w.spent) > 0 {
		s.planSpentLocked()
	} else {
		s.planSyncLocked()
	}
	s.expireLocked()
}

// closeRetired closes a stream that takes no changes any more.
func (s *Stream) closeRetired() error {
	s.stopping.Store(true)
	s.gate.close() // who is inside finds the stream closed
	s.wmu.Lock()
	s.w.failed = nil
	s.wmu.Unlock()
	return s.close()
}

// fillTruncated makes a stream in the directory temp, durably, with what s has up to last. From when that is copied s takes
// no change, and its drafts are held.
func (st *Store) fillTruncated(ctx context.Context, s *Stream, temp string, inc, last uint64) (err error) {
	config, err := json.Marshal(s.config.Load())
	if err != nil {
		return err
	}
	if err := st.fillStream(temp, inc, config); err != nil {
		return err
	}
	t, err := st.openStream(temp, inc)
	if err != nil {
		return err
	}
	t.opt.Sync = SyncNever // closing syncs what sealing blocks did not
	t.opt.Limits = store.AccountLimits{}
	t.hub = watch.NewHub(nil)
	err = t.copyMessages(ctx, s, last)
	if err == nil {
		s.holdDrafts()
		err = t.copyDrafts(ctx, s)
	}
	if err == nil {
		err = t.copyConsumers(s, last)
	}
	if err = errors.Join(err, t.close()); err != nil {
		return err
	}
	if err := t.copyPositions(ctx, s, last); err != nil {
		return err
	}
	content := st.smallFile(record.MagicReplaces, inc, []byte(strconv.FormatUint(s.inc, 10)))
	if err := writeNewFile(st.fs, temp+"/"+replacesName, content); err != nil {
		return err
	}
	return st.fs.SyncDir(temp)
}

// copyConsumers copies what the consumers of from remember of the messages that stay. One that can't be read stays behind.
func (s *Stream) copyConsumers(from *Stream, last uint64) error {
	list, err := from.consumers.Truncated(store.Seq(last))
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := (keeper{s}).Save(c.ID, c.Content); err != nil {
			return err
		}
	}
	return nil
}

// copyPositions copies how far the origins were followed, unless that is ahead of the messages that stay. The stream is closed.
func (s *Stream) copyPositions(ctx context.Context, from *Stream, last uint64) error {
	content, err := from.Recall(ctx)
	content = replicate.PositionsUpTo(content, from.config.Load(), store.Seq(last))
	if err != nil || content == nil {
		return err
	}
	return writeNewFile(s.fs, s.dir+"/"+originsName, s.st.smallFile(record.MagicOrigins, s.inc, content))
}

// takeOver gives the stream in temp its place, or takes it away. From the rename on, it is the one that has the name of s.
func (st *Store) takeOver(s *Stream, temp string, inc uint64) (*Stream, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	name := s.config.Load().Name
	var err error
	if st.streams[name] != s {
		err = fmt.Errorf("it was removed: %w", store.ErrNotFound)
	} else {
		err = st.fs.Rename(temp, streamDir(inc))
	}
	if err != nil {
		st.removeTree(temp)
		return nil, err
	}
	err = st.fs.SyncDir(streamsDir)
	synced := err == nil
	var next *Stream
	if synced {
		next, err = st.openToWrite(inc)
	}
	if err == nil {
		if err = next.consumers.Unread(); err != nil { // they were just copied
			next.hub.Close()
			_ = next.close() // nothing was written
		}
	}
	if err != nil {
		if _, forGood := st.unmakeStream(inc); !forGood || !synced {
			s.mayBeReplaced(err)
			st.countUnreadLocked()
		}
		return nil, err
	}
	next.account()
	next.beginLimits(false)
	next.beginConsumers()
	st.streams[name] = next
	st.reg.add(inc)
	s.post(store.StreamRemoved, s.cur.Load().rev+1, store.Meta{})
	s.hub.Close()
	st.hub.Post(store.Event{Kind: store.StreamCreated, Stream: name, Incarnation: inc})
	return next, nil
}

// mayBeReplaced makes s serve reads only, because the stream that was to take its place may be on disk: then that one counts when
// the store is opened, and what s would store would be lost.
func (s *Stream) mayBeReplaced(err error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	s.w.failed = nil // it is to be read
	_ = s.failLocked(fmt.Errorf("whether the stream was truncated shows when the store is opened again: %w", err))
}

// replacedBy reads which stream inc has replaced, from what its file replaces has.
func (st *Store) replacedBy(inc uint64, b []byte) (old uint64, err error) {
	content, _, err := st.openSmallFile(record.MagicReplaces, inc, b)
	if err == nil {
		old, err = strconv.ParseUint(string(content), 10, 64)
	}
	if err == nil && old >= inc {
		err = record.ErrBad
	}
	return old, err
}

// settleReplaced returns incs without the streams that others have replaced. A crash left them in their place, from which they are
// moved, unless the store is only read. Streams of which it can't be read whom they have replaced come first, so that the name is theirs.
func (st *Store) settleReplaced(incs []uint64) ([]uint64, error) {
	var gone, heirs []uint64
	for _, inc := range incs {
		b, err := readFile(st.fs, streamDir(inc)+"/"+replacesName)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if vfs.IsExhausted(err) {
			return nil, err
		}
		if err != nil {
			st.note(store.Damage{File: streamDir(inc) + "/" + replacesName, Cause: fmt.Sprintf("it can't be read, and the stream that was replaced may be there, too: %v", err)})
			heirs = append(heirs, inc)
			continue
		}
		old, err := st.replacedBy(inc, b)
		if err != nil {
			st.note(store.Damage{File: streamDir(inc) + "/" + replacesName, Length: int64(len(b)), Cause: "it is damaged: the stream that was replaced may be there, too"})
			heirs = append(heirs, inc)
			continue
		}
		gone = append(gone, old)
		if st.opt.ReadOnly {
			continue
		}
		err = st.fs.SyncDir(streamsDir) // the process may have been killed before it did that
		if err == nil {
			err = st.setReplacedAside(predecessor{streamDir(old), old, streamDir(inc), st.opt.Now()})
		}
		if err != nil {
			st.opt.Logger.Warn("stream that was truncated is still in its place", "incarnation", old, "cause", err)
		}
	}
	incs = slices.DeleteFunc(incs, func(inc uint64) bool { return slices.Contains(gone, inc) || slices.Contains(heirs, inc) })
	return append(heirs, incs...), nil
}
