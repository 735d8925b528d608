package blockstore

import (
	"sync"
	"sync/atomic"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// cache bounds what sealed blocks keep in memory and open. It is a clock: what was
// used since the hand passed last is spared. Readers find what is cached in the block
// itself, without the lock.
type cache struct {
	fs       vfs.FS
	maxBytes int64
	maxFiles int
	pieces   pieces

	mu    sync.Mutex // guards the rest, and is held while a file is opened; a leaf
	bytes int64
	kept  []cached
	files []*block
}

// cached is something that a block keeps in memory.
type cached struct {
	b    *block
	what what
}

type what int

const (
	theIndex what = iota
	theTable
	theTimes
)

// used returns the mark that says whether c was used, nil if the block has it no more.
func (c cached) used() *atomic.Bool {
	switch c.what {
	case theTable:
		if t := c.b.table.Load(); t != nil {
			return &t.used
		}
	case theTimes:
		if x := c.b.times.Load(); x != nil {
			return &x.used
		}
	default:
		if x := c.b.index.Load(); x != nil {
			return &x.used
		}
	}
	return nil
}

// drop takes c away from its block, and returns how many bytes it took.
func (c cached) drop() int64 {
	switch c.what {
	case theTable:
		if t := c.b.table.Swap(nil); t != nil {
			t.kept = false
			return t.size
		}
	case theTimes:
		if x := c.b.times.Swap(nil); x != nil && x.counted {
			return x.size()
		}
	default:
		if x := c.b.index.Swap(nil); x != nil {
			return x.offs.size()
		}
	}
	return 0
}

// addIndex gives b an index, and takes others' away to make room.
func (c *cache) addIndex(b *block, offs offsets) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.index.Load() != nil || b.last.Load() != nil {
		return
	}
	x := &index{offs: offs}
	x.used.Store(true)
	b.index.Store(x)
	c.keepLocked(cached{b, theIndex}, offs.size())
}

// addTable gives b a table of its subjects unless it has one, and returns the one that it has then.
func (c *cache) addTable(b *block, t *subjectTable) *subjectTable {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := b.table.Load(); old != nil {
		return old
	}
	if b.last.Load() != nil { // it was replaced
		return t
	}
	t.used.Store(true)
	t.kept, t.size = true, int64(t.Size())
	b.table.Store(t)
	c.keepLocked(cached{b, theTable}, t.size)
	return t
}

// forgetTable takes b's table away: names in it may be those of a message that was erased.
func (c *cache) forgetTable(b *block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes -= cached{b, theTable}.drop()
}

// addTimes gives b what is to be remembered of its times unless it has as much, and returns what it has then.
func (c *cache) addTimes(b *block, x *blockTimes) *blockTimes {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := b.times.Load(); old != nil && len(old.first) >= len(x.first) {
		return old
	}
	if b.last.Load() != nil {
		return x
	}
	x.counted = true
	x.used.Store(true)
	b.times.Store(x)
	c.keepLocked(cached{b, theTimes}, x.size())
	return x
}

// resize notes that t takes size bytes now.
func (c *cache) resize(t *subjectTable, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.kept {
		c.bytes += size - t.size
		t.size = size
	}
}

// keepLocked counts in what a block was given, and takes others' away to make room.
func (c *cache) keepLocked(e cached, size int64) {
	c.bytes += size
	c.kept = append(c.kept, e)
	for spared := 0; c.bytes > c.maxBytes && len(c.kept) > 1; {
		old := c.kept[0]
		c.kept = c.kept[1:]
		used := old.used()
		if used != nil && (old == e || used.Swap(false)) && spared <= len(c.kept) {
			c.kept = append(c.kept, old)
			spared++
			continue
		}
		c.bytes -= old.drop()
	}
}

// open returns the block's file. A caller may find it closed at any time, and then
// asks again.
func (c *cache) open(b *block) (vfs.File, error) {
	if f := b.file.Load(); f != nil {
		if !f.used.Load() {
			f.used.Store(true)
		}
		return f.File, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := b.file.Load(); f != nil {
		return f.File, nil
	}
	if l := b.last.Load(); l != nil { // its name may be another's
		if l.closed.Load() {
			return nil, store.ErrClosed
		}
		return l.File, nil
	}
	f, err := c.fs.Open(b.name)
	if err != nil {
		return nil, err
	}
	c.addFileLocked(b, f)
	return f, nil
}

// addFile gives b the open file f.
func (c *cache) addFile(b *block, f vfs.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addFileLocked(b, f)
}

func (c *cache) addFileLocked(b *block, f vfs.File) {
	bf := &blockFile{File: f}
	bf.used.Store(true)
	b.file.Store(bf)
	c.files = append(c.files, b)
	for spared := 0; len(c.files) > c.maxFiles; {
		old := c.files[0]
		c.files = c.files[1:]
		of := old.file.Load()
		if of == nil {
			continue
		}
		if (old == b || of.used.Swap(false)) && spared <= len(c.files) {
			c.files = append(c.files, old)
			spared++
			continue
		}
		// Unpublish before Close: who still has the file finds it closed and asks again.
		old.file.Store(nil)
		_ = of.Close()
	}
}

// drop forgets blocks and closes their files.
func (c *cache) drop(blocks []*block) {
	gone := make(map[*block]bool, len(blocks))
	for _, b := range blocks {
		gone[b] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var kept []cached
	for _, e := range c.kept {
		if gone[e.b] {
			c.bytes -= e.drop()
		} else {
			kept = append(kept, e)
		}
	}
	c.kept = kept
	c.files = keep(c.files, gone, func(b *block) {
		if f := b.file.Swap(nil); f != nil {
			_ = f.Close()
		}
	})
}

// keep returns the blocks that are not gone, and calls drop for the others.
func keep(blocks []*block, gone map[*block]bool, drop func(*block)) []*block {
	var kept []*block
	for _, b := range blocks {
		if gone[b] {
			drop(b)
		} else {
			kept = append(kept, b)
		}
	}
	return kept
}

// indexOf returns where the messages of v stand.
func (s *Stream) indexOf(v *view) (offsets, error) {
	if v.known {
		return offsets{wide: v.tail}, nil
	}
	if x := v.index.Load(); x != nil {
		if !x.used.Load() {
			x.used.Store(true)
		}
		return x.offs, nil
	}
	list, err := s.readOffsets(v.block)
	if record.IsVersion(err) {
		return offsets{}, err
	}
	if err != nil {
		// The footer's list is damaged. The records themselves have it.
		s.noteFile(v.block, err)
		c, err := s.rescan(v.block)
		if err != nil {
			return offsets{}, err
		}
		list = v.align(c)
	}
	offs := packOffsets(list)
	s.cache.addIndex(v.block, offs)
	return offs, nil
}

func (s *Stream) readOffsets(b *block) ([]uint32, error) {
	bytes, err := s.readSection(b, b.trailer, record.Offsets)
	if err != nil {
		return nil, err
	}
	return b.trailer.Offsets(&b.hdr, bytes)
}
