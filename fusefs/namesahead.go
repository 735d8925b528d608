package fusefs

import (
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"jsfs/store"
)

const (
	// Who has looked up so many messages in order gets minNamesAhead of the next names at first, and then four times
	// as many each time, up to maxNamesAhead.
	namesAheadFrom = 32
	minNamesAhead  = 512
	maxNamesAhead  = 8192
	// namesRest is how many messages are looked up before it is tried again with one who had to look up what the kernel had been told.
	namesRest = 64 * namesAheadFrom
)

// NameReader reads directories of the mount from outside, as any program does, so that the kernel learns the names in them. It must be
// another process than the server: one that is killed while it waits for its own answer would never end.
type NameReader interface {
	// ReadNames reads as many names of a stream's directory as asked for, or more, from an offset of it on; node is the directory's. It returns the offset
	// behind the last one, which is the first one if there are no more. An error that wraps fs.ErrNotExist
	// says that the directory is gone, or can't be read; after any other one ReadNames is not called again. It is not called concurrently.
	ReadNames(stream string, node, from uint64, names int) (next uint64, err error)
	// Process is the number of the process that reads.
	Process() int
	// Close ends a ReadNames that is under way, whatever the process that reads waits for. The mount has ended, and ReadNames
	// is not called again.
	Close()
}

// namesAhead has the kernel know names and attributes of messages before they are looked up one by one, as by `cat *` and tar behind the
// names that their listing had attributes of. A kernel learns names from the answers to LOOKUP and READDIRPLUS alone, of which a
// READDIRPLUS costs a fifth for each name; so somebody else lists what comes next. What the kernel knows is also sent ahead (prefetcher).
type namesAhead struct {
	reader atomic.Pointer[NameReader] // nil reads nothing
	log    *slog.Logger

	// mu guards walks and busy. It is a leaf, and not held while anything is read.
	mu    sync.Mutex
	walks [maxCursors]*walk // most recently used first
	busy  *walk             // for which names are being read

	running sync.WaitGroup
}

// walk is where somebody is who looks up one message after the other.
type walk struct {
	stream *stream
	last   store.Seq // what was looked up or used last
	known  store.Seq // up to here the kernel was told the names
	looked int       // how many were looked up in order; below 0 while nothing is read ahead
	window int       // how many names were read the last time
	missed int       // how many of those were looked up nevertheless
}

// follows says whether message seq is what w would come to next.
func (w *walk) follows(s *stream, seq store.Seq) bool {
	return w != nil && w.stream == s && w.last <= seq && seq <= max(w.last, w.known)+prefetchGap
}

// lookedUp notes that the kernel asked for a message by its name.
func (a *namesAhead) lookedUp(s *stream, seq store.Seq) { a.come(s, seq, true) }

// used notes that a message is opened, read or removed: who gets names ahead is there.
func (a *namesAhead) used(s *stream, seq store.Seq) { a.come(s, seq, false) }

func (a *namesAhead) come(s *stream, seq store.Seq, looked bool) {
	r := a.reader.Load()
	if r == nil {
		return
	}
	if w, from, names := a.due(s, seq, looked); w != nil {
		a.running.Go(func() { a.read(*r, w, from, names) })
	}
}

// due finds who has come to a message. If names are to be read for him, it returns him, marked as busy, behind which message, and how many.
func (a *namesAhead) due(s *stream, seq store.Seq, looked bool) (w *walk, from store.Seq, names int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := 0
	for i < maxCursors-1 && !a.walks[i].follows(s, seq) {
		i++
	}
	w = a.walks[i]
	switch {
	case !w.follows(s, seq) && !looked:
		return nil, 0, 0
	case !w.follows(s, seq):
		w = &walk{stream: s}
	}
	copy(a.walks[1:], a.walks[:i])
	a.walks[0] = w
	if looked {
		w.looked++
		if seq <= w.known && a.busy != w {
			w.missed++
		}
	}
	w.last = seq
	if a.busy != nil || w.looked < namesAheadFrom || seq+store.Seq(w.window/2) < w.known {
		return nil, 0, 0
	}
	if w.missed > w.window/4 {
		// The kernel forgets what it is told before it is used, or somebody goes the same way without using it.
		*w = walk{stream: s, last: seq, looked: -namesRest}
		return nil, 0, 0
	}
	w.window, w.missed = min(max(4*w.window, minNamesAhead), maxNamesAhead), 0
	a.busy = w
	return w, max(seq, w.known), w.window
}

// read has names read.
func (a *namesAhead) read(r NameReader, w *walk, from store.Seq, names int) {
	next, err := r.ReadNames(w.stream.name, w.stream.node, uint64(from)+cookieFirst, names)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Debug("no names are read ahead any more", "cause", err)
		a.reader.Store(nil)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy = nil
	if seq := store.Seq(next - cookieFirst); err == nil && next < cookieControl && seq > from {
		w.known = seq
		return
	}
	*w = walk{stream: w.stream, last: w.last} // there are no more, or what comes is beyond messages
}

// reads says whether a directory is opened by who reads names ahead.
func (a *namesAhead) reads(s *stream, process func() int) bool {
	r := a.reader.Load()
	if r == nil {
		return false
	}
	a.mu.Lock()
	his := a.busy != nil && a.busy.stream == s
	a.mu.Unlock()
	return his && process() == (*r).Process()
}

// end returns when no names are being read any more. Nobody uses the mount by then.
func (a *namesAhead) end() {
	if r := a.reader.Swap(nil); r != nil {
		(*r).Close()
	}
	a.running.Wait()
}
