package blockstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

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

const nameIV = 16

// nameKeys returns what the names of drafts are sealed with.
func (s *Stream) nameKeys() (mac, text []byte) {
	info := binary.LittleEndian.AppendUint64([]byte("jsfs draft names\x00"), s.inc)
	b := s.st.key.Derive(s.st.id[:], string(info), 2*seal.KeySize)
	return b[:seal.KeySize], b[seal.KeySize:]
}

// sealName seals a draft's name: the same name always gives the same bytes, so that its file is found.
func (s *Stream) sealName(name string) []byte {
	mac, key := s.nameKeys()
	m := hmac.New(sha256.New, mac)
	_, _ = m.Write([]byte(name))
	b := m.Sum(nil)[:nameIV]
	b = append(b, name...)
	cryptName(key, b)
	return b
}

func cryptName(key, b []byte) {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has the wrong length: a mistake in this program
	}
	cipher.NewCTR(block, b[:nameIV]).XORKeyStream(b[nameIV:], b[nameIV:])
}

// openName returns the name that b is, sealed if the store is; "" if it is none.
func (s *Stream) openName(b []byte) string {
	if s.st.key == nil {
		return string(b)
	}
	if len(b) <= nameIV {
		return ""
	}
	mac, key := s.nameKeys()
	b = append([]byte(nil), b...)
	cryptName(key, b)
	m := hmac.New(sha256.New, mac)
	_, _ = m.Write(b[nameIV:])
	if !hmac.Equal(m.Sum(nil)[:nameIV], b[:nameIV]) {
		return ""
	}
	return string(b[nameIV:])
}

// sealedDraftFiles is draftFiles for an encrypted store.
func (s *Stream) sealedDraftFiles(name string) (file, nameFile string) {
	sealed := s.sealName(name)
	if text := base64.RawURLEncoding.EncodeToString(sealed); len(text)+1 <= maxFileName {
		return string(draftSealed) + text, ""
	}
	hash := hex.EncodeToString(sealed[:nameIV])
	return string(draftLong) + hash, string(draftName) + hash
}
