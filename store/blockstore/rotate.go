package blockstore

import (
	"crypto/rand"
	"fmt"
	"path"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// rotateLocked seals the tail, if there is one, and begins a new block. A full disk leaves the
// stream as it was, or sealed without a tail; both can go on later.
func (s *Stream) rotateLocked() error {
	if s.w.file != nil {
		if err := s.flushLocked(); err != nil {
			return err
		}
		if err := s.sealTailLocked(); err != nil {
			return err
		}
	}
	return s.beginBlockLocked()
}

// sealTailLocked gives the tail its footer and makes it durable.
func (s *Stream) sealTailLocked() error {
	w := &s.w
	b := w.tail
	if err := s.syncMovesLocked(); err != nil { // who finds the footer need not look whether they are there
		return err
	}
	f, err := s.tailFooterLocked()
	if err != nil {
		return err
	}
	footer := f.Append(nil, &b.hdr)
	if err := s.writeTailLocked(footer); err != nil {
		return err
	}
	w.end = f.DataEnd // what was written is no records
	if err := s.syncTail(w.file); err != nil {
		return s.failLocked(&syncError{fmt.Errorf("sync %s: %w", b.name, err)})
	}
	w.synced = w.end
	s.publishStored()
	t := f.Trailer // without what is in the sections
	b.seal(&t, f.DataEnd+int64(len(footer)), w.runs)
	s.cache.addIndex(b, packOffsets(w.offs))
	_ = w.file.Close()
	w.file, w.tail, w.offs, w.runs, w.all, w.newest, w.first = nil, nil, nil, nil, store.Totals{}, 0, 0
	n := *s.cur.Load()
	n.open, n.tail = false, view{}
	s.publish(&n)
	if x := b.times.Load(); x != nil && !x.counted { // the cache does not know of what the tail had
		b.times.CompareAndSwap(x, nil)
	}
	return nil
}

// seal notes that b is sealed.
func (b *block) seal(t *record.Trailer, size int64, runs []record.Run) {
	b.trailer, b.size, b.runs = t, size, runs
	b.dataEnd, b.next, b.all = t.DataEnd, t.Next, t.All
}

// beginBlockLocked makes the next block, durably, and lets the state know of it.
func (s *Stream) beginBlockLocked() error {
	w := &s.w
	mark := max(w.state.Mark, markFor(w.next))
	hdr := record.Header{
		Store: s.st.id, Incarnation: s.inc, Block: w.lastBlock + 1, First: w.next, Mark: mark, Time: w.time,
	}
	_, _ = rand.Read(hdr.Salt[:]) // never fails
	if s.st.key != nil {
		hdr.Sealed, hdr.Chain = true, s.chain()
		hdr.Unlock(s.st.key)
	}
	b := newBlock(blockName(s.dir, hdr.Block), hdr)
	f, err := s.fs.Create(b.name)
	if err != nil {
		if isNoSpace(err) || vfs.IsExhausted(err) {
			return fmt.Errorf("begin %s: %w", b.name, diskError(err)) // nothing was done to the disk
		}
		return s.failLocked(fmt.Errorf("begin %s: %w", b.name, err))
	}
	_, err = f.WriteAt(hdr.Start(), 0)
	full := isNoSpace(err)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = s.fs.SyncDir(path.Dir(b.name))
	}
	if full || vfs.IsExhausted(err) { // the directory is opened to be synced
		_ = f.Close()
		if rerr := s.fs.Remove(b.name); rerr != nil {
			return s.failLocked(fmt.Errorf("begin %s: %w", b.name, rerr))
		}
		return fmt.Errorf("begin %s: %w", b.name, diskError(err))
	}
	if err != nil {
		_ = f.Close()
		return s.failLocked(fmt.Errorf("begin %s: %w", b.name, err))
	}
	s.grow(record.DataStart)
	w.lastBlock = hdr.Block
	w.notes.begin()
	w.file, w.tail, w.end, w.synced = f, b, record.DataStart, record.DataStart
	n := *s.cur.Load()
	n.blocks = append(n.blocks, b)
	n.open, n.tail = true, w.view()
	s.publish(&n)
	return s.writeStateLocked(false, mark)
}
