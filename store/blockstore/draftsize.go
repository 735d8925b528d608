package blockstore

import (
	"cmp"
	"sync"
)

// draftSize is how much of the store's account a draft takes: as many bytes as its content has, for as long as it has a name.
// Nobody counts drafts where nothing bounds them: then it is nil.
type draftSize struct {
	s *Stream

	// mu is held while the draft's content changes. It comes after Stream.draftMu and Stream.wmu, and before what the
	// content itself is guarded by.
	mu    sync.Mutex
	bytes int64
	named bool
}

// countDrafts counts the drafts that there are. It comes before the Stream is shared.
func (s *Stream) countDrafts() {
	if s.opt.Limits.MaxStorage == 0 {
		return
	}
	s.draftMu.Lock()
	defer s.draftMu.Unlock()
	names, err := s.draftNames()
	if err != nil {
		s.log.Warn("what drafts take could not be found out", "stream", s.config.Load().Name, "cause", err)
	}
	for name, file := range names {
		info, _ := s.draftInfo(file, name) // one that can't be read counts when it is written
		s.countDraft(file).set(info.Size)
	}
}

// countDraft begins to count the draft in file, which is empty. It is called under draftMu.
func (s *Stream) countDraft(file string) *draftSize {
	if s.opt.Limits.MaxStorage == 0 {
		return nil
	}
	if s.draftSizes == nil {
		s.draftSizes = map[string]*draftSize{}
	}
	z := &draftSize{s: s, named: true}
	s.draftSizes[file] = z
	return z
}

// moveSize notes that the draft in the file from is in the file to, or has no name if that is "". What was there before has
// none now. It is called under draftMu.
func (s *Stream) moveSize(from, to string) {
	z := s.draftSizes[from]
	s.draftSizes[to].release()
	delete(s.draftSizes, from)
	delete(s.draftSizes, to)
	switch {
	case z == nil:
	case to == "":
		z.release()
	default:
		s.draftSizes[to] = z
	}
}

// set notes the size of the draft's content. The caller holds mu, or nobody else has z.
func (z *draftSize) set(bytes int64) {
	if z.named {
		z.s.grow(bytes - z.bytes)
		z.bytes = bytes
	}
}

// release stops counting the draft, and returns what it counted.
func (z *draftSize) release() (bytes int64) {
	if z == nil {
		return 0
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	bytes = z.bytes
	z.set(0)
	z.named = false
	return bytes
}

// retake counts the draft again, of which release returned that size.
func (z *draftSize) retake(bytes int64) {
	if z == nil {
		return
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.named = true
	z.set(bytes)
}

// change does what changes the content of f, whose size is end then if it is not more, and counts it. It refuses what the
// store's limit has no room for.
func (z *draftSize) change(f draftFile, end int64, do func() error) error {
	if z == nil {
		return do()
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.named && end > z.bytes {
		if err := z.s.storable(0, end-z.bytes); err != nil {
			return err
		}
		z.set(end) // before it is: others take room, too
	}
	err := do()
	size, serr := f.Size()
	if serr == nil {
		z.set(size)
	}
	return cmp.Or(err, serr)
}
