package blockstore

import (
	"runtime"
	"sync"
	"sync/atomic"

	"jsfs/store/internal/vfs"
)

// lastFile is the file of a block that was replaced, for those who still read the block: its name leads to other bytes
// now, or nowhere. It is closed when nobody can reach the block any more, or when nobody was inside the stream's gate at
// a moment after the block was unpublished, or with the stream.
type lastFile struct {
	vfs.File
	once   sync.Once
	closed atomic.Bool
	open   *atomic.Int64 // counts those that are not closed yet, each of which holds space
}

func (f *lastFile) close() {
	f.once.Do(func() {
		f.closed.Store(true)
		_ = f.File.Close()
		f.open.Add(-1)
	})
}

// hold opens the block's file for those who read it when its name is another's. It comes before the name is.
func (c *cache) hold(b *block, open *atomic.Int64) (*lastFile, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := b.last.Load(); f != nil {
		return f, nil // it was to be replaced before
	}
	f, err := c.fs.Open(b.name)
	if err != nil {
		return nil, err
	}
	l := &lastFile{File: f, open: open}
	open.Add(1)
	b.last.Store(l)
	return l, nil
}

// letGo lets blocks be what they were before hold, as none was replaced. Who reads one by its last file just now goes on.
func (s *Stream) letGo(blocks []*block) {
	s.lastMu.Lock()
	for _, b := range blocks {
		if l := b.last.Swap(nil); l != nil {
			s.lasts = append(s.lasts, l)
		}
	}
	s.lastMu.Unlock()
	s.release(false)
}

// dropReplaced forgets what is kept in memory of blocks that were replaced and unpublished. Who reads them goes on with their
// last files.
func (s *Stream) dropReplaced(old []*block) {
	for _, b := range old {
		l := b.last.Load()
		runtime.AddCleanup(b, (*lastFile).close, l)
		s.lastMu.Lock()
		s.lasts = append(s.lasts, l)
		s.lastMu.Unlock()
		s.ahead.forgetBlock(b)
	}
	s.cache.drop(old)
	s.release(false)
}

// release closes the last files of blocks that nobody reads any more; all of them if nobody can, as the stream is closed.
func (s *Stream) release(all bool) {
	if !all && !s.gate.empty() {
		return
	}
	s.lastMu.Lock()
	defer s.lastMu.Unlock()
	for _, l := range s.lasts {
		l.close()
	}
	s.lasts = nil
}
