package blockstore

import (
	"encoding/binary"

	"jsfs/store/blockstore/internal/sealeddraft"
	"jsfs/store/internal/seal"
	"jsfs/store/internal/vfs"
)

// draftLabel begins what the key of a draft is derived from.
const draftLabel = "jsfs draft\x00"

// draftBox returns what seals the content of the draft with that id.
func (s *Stream) draftBox(id [sealeddraft.IDSize]byte) *seal.Box {
	return s.st.key.Box(id[:], string(binary.LittleEndian.AppendUint64([]byte(draftLabel+string(s.st.id[:])), s.inc)))
}

// newSealedDraft returns the content of a draft whose file, f, is empty. name is the file's.
func (s *Stream) newSealedDraft(f vfs.File, name string) *sealeddraft.Draft {
	return sealeddraft.New(f, name, s.draftBox)
}

// openDraft is a sealed draft that somebody has open. Its fields are guarded by Stream.draftMu, which comes before the
// draft's own lock.
type openDraft struct {
	*sealeddraft.Draft
	refs int
	file string // its name in Stream.openDrafts
}

// sharedDraft is one opening of a sealed draft.
type sharedDraft struct {
	*openDraft
	s *Stream
}

// shareDraft makes d what everybody gets who opens file. It is called under draftMu.
func (s *Stream) shareDraft(sealed *sealeddraft.Draft, file string) *sharedDraft {
	d := &openDraft{Draft: sealed, refs: 1, file: file}
	if file != "" {
		if s.openDrafts == nil {
			s.openDrafts = map[string]*openDraft{}
		}
		s.openDrafts[file] = d
	}
	return &sharedDraft{d, s}
}

// openShared opens the sealed draft in file. It is called under draftMu.
func (s *Stream) openShared(file string) (*sharedDraft, error) {
	if d := s.openDrafts[file]; d != nil {
		d.refs++
		return &sharedDraft{d, s}, nil
	}
	f, err := s.fs.Open(s.draftDir() + "/" + file)
	if err != nil {
		return nil, err
	}
	d, err := sealeddraft.Open(f, s.draftDir()+"/"+file, s.draftBox)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return s.shareDraft(d, file), nil
}

// moveShared notes that the file from has the name to, or none if that is "". What had that name before has none now. It
// is called under draftMu.
func (s *Stream) moveShared(from, to string) {
	s.namesSynced = false
	s.moveSize(from, to)
	s.movePlain(from, to)
	if old := s.openDrafts[to]; old != nil {
		old.file = ""
		delete(s.openDrafts, to)
	}
	d := s.openDrafts[from]
	if d == nil {
		return
	}
	delete(s.openDrafts, from)
	if d.file = to; to != "" {
		s.openDrafts[to] = d
	}
}

// Close ends one opening; the last one closes the file.
func (h *sharedDraft) Close() error {
	h.s.draftMu.Lock()
	defer h.s.draftMu.Unlock()
	d := h.openDraft
	if d.refs--; d.refs > 0 {
		return nil
	}
	if d.file != "" {
		delete(h.s.openDrafts, d.file)
	}
	return d.Draft.Close()
}

// sizeOfSealed returns the size of the draft in file, which f is. Nobody else may be closing it.
func (s *Stream) sizeOfSealed(f vfs.File, file string) (int64, error) {
	if d := s.openDrafts[file]; d != nil {
		return d.Size()
	}
	d, err := sealeddraft.Open(f, s.draftDir()+"/"+file, s.draftBox)
	if err != nil {
		return 0, err
	}
	return d.Size()
}
