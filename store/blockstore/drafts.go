package blockstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"jsfs/store"
)

// Files in a stream's drafts directory. The first byte says what a file is: the
// content of a draft whose escaped name follows, the content of one whose name is too long for that, the name
// of such a one, or a draft without a name.
const (
	draftPlain   = 'd'
	draftLong    = 'l'
	draftName    = 'n'
	draftScratch = 's'
	draftSealed  = 'e' // as draftPlain, the name sealed

	maxFileName  = 255
	maxDraftName = 255
)

// draftsName is the directory of drafts, in a stream's.
const draftsName = "drafts"

func (s *Stream) draftDir() string { return s.dir + "/" + draftsName }

// draftFiles returns the name of the file of a draft, and of the file that holds the name
// if that is too long to be part of the first.
func (s *Stream) draftFiles(name string) (file, nameFile string) {
	if s.st.key != nil {
		return s.sealedDraftFiles(name)
	}
	escaped := escapeDraft(name)
	if len(escaped)+1 <= maxFileName {
		return string(draftPlain) + escaped, ""
	}
	sum := sha256.Sum256([]byte(name))
	hash := hex.EncodeToString(sum[:])
	return string(draftLong) + hash, string(draftName) + hash
}

func checkDraftName(name string) error {
	switch {
	case name == "" || strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("draft %q: %w", name, store.ErrInvalid)
	case len(name) > maxDraftName:
		return fmt.Errorf("draft name of %d bytes: %w", len(name), store.ErrNameTooLong)
	}
	return nil
}

// beginDraft begins a call that changes drafts, and returns how it ends.
func (s *Stream) beginDraft(ctx context.Context, names ...string) (end func(), err error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err = checkDraftName(name); err != nil {
			s.gate.leave()
			return nil, err
		}
	}
	s.draftMu.Lock()
	end = func() {
		s.draftMu.Unlock()
		s.gate.leave()
	}
	switch {
	case s.retired:
		err = fmt.Errorf("stream was removed: %w", store.ErrClosed)
	case s.opt.ReadOnly:
		err = store.ErrReadOnly
	case slices.ContainsFunc(names, func(name string) bool { return s.returning[name] != "" }):
		err = fmt.Errorf("%w: what became of the draft shows when the stream is reopened", store.ErrReadOnly)
	}
	if err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// CreateDraft implements [store.Drafts].
func (s *Stream) CreateDraft(ctx context.Context, name string) (store.Draft, error) {
	end, err := s.beginDraft(ctx, name)
	if err != nil {
		return nil, err
	}
	defer end()
	file, nameFile := s.draftFiles(name)
	if err := s.makeDraftDir(); err != nil {
		return nil, draftError("create", name, err)
	}
	if err := s.keepName(name, nameFile); err != nil {
		return nil, err
	}
	if err := s.takeName(file); err != nil {
		return nil, draftError("create", name, err)
	}
	f, err := s.fs.Create(s.draftDir() + "/" + file)
	if err != nil {
		return nil, draftError("create", name, err)
	}
	if s.st.key != nil {
		return &draft{s.shareDraft(s.newSealedDraft(f, s.draftDir()+"/"+file), file), s, file, s.countDraft(file)}, nil
	}
	return &draft{s.newPlain(f, file), s, file, s.countDraft(file)}, nil
}

// makeDraftDir makes the directory of drafts, durably, if it is missing: copies of stores tend to lack what was empty. It is called
// under draftMu.
func (s *Stream) makeDraftDir() error {
	made, err := mkdirIfMissing(s.fs, s.draftDir())
	if err != nil || !made {
		return err
	}
	return s.fs.SyncDir(s.dir)
}

// keepName writes a name that is too long for a file name into a file, durably.
func (s *Stream) keepName(name, nameFile string) error {
	if nameFile == "" {
		return nil
	}
	full := s.draftDir() + "/" + nameFile
	if b, err := readFile(s.fs, full); err == nil && s.openName(b) == name {
		return nil
	}
	content := []byte(name)
	if s.st.key != nil {
		content = s.sealName(name)
	}
	if err := replaceFile(s.fs, full, content); err != nil {
		return draftError("create", name, err)
	}
	return nil
}

func draftError(what, name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		err = store.ErrExists
	case errors.Is(err, fs.ErrNotExist):
		err = store.ErrNotFound
	}
	return fmt.Errorf("%s draft %q: %w", what, name, diskError(err))
}

// OpenDraft implements [store.Drafts].
func (s *Stream) OpenDraft(ctx context.Context, name string) (store.Draft, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	if err := checkDraftName(name); err != nil {
		return nil, err
	}
	s.draftMu.Lock()
	defer s.draftMu.Unlock()
	file, _ := s.draftFiles(name)
	if marked := s.returning[name]; marked != "" {
		file = marked
	}
	if s.st.key != nil {
		d, err := s.openShared(file)
		if err != nil {
			return nil, draftError("open", name, err)
		}
		return &draft{d, s, file, s.draftSizes[file]}, nil
	}
	d, err := s.openPlain(file)
	if err != nil {
		return nil, draftError("open", name, err)
	}
	return &draft{d, s, file, s.draftSizes[file]}, nil
}

// RenameDraft implements [store.Drafts]. The new name is durable when it returns.
func (s *Stream) RenameDraft(ctx context.Context, from, to string) error {
	end, err := s.beginDraft(ctx, from, to)
	if err != nil {
		return err
	}
	defer end()
	dir := s.draftDir()
	old, oldName := s.draftFiles(from)
	file, nameFile := s.draftFiles(to)
	f, err := s.fs.Open(dir + "/" + old)
	if err != nil {
		return draftError("rename", from, err)
	}
	defer f.Close()
	if from == to {
		return nil
	}
	if err := s.keepName(to, nameFile); err != nil {
		return err
	}
	if err := s.takeName(file); err != nil {
		return draftError("rename", from, err)
	}
	if err := s.loosenSums(f, old); err != nil {
		return draftError("rename", from, err)
	}
	if err := s.fs.Rename(dir+"/"+old, dir+"/"+file); err != nil {
		return draftError("rename", from, err)
	}
	s.moveShared(old, file)
	if oldName != "" {
		_ = s.fs.Remove(dir + "/" + oldName)
	}
	if err := s.fs.SyncDir(dir); err != nil {
		return draftError("rename", from, err)
	}
	s.sumsDropped = false
	return nil
}

// RemoveDraft implements [store.Drafts].
func (s *Stream) RemoveDraft(ctx context.Context, name string) error {
	end, err := s.beginDraft(ctx, name)
	if err != nil {
		return err
	}
	defer end()
	file, nameFile := s.draftFiles(name)
	if err := s.fs.Remove(s.draftDir() + "/" + file); err != nil {
		return draftError("remove", name, err)
	}
	s.moveShared(file, "")
	_ = s.dropSums(file) // what could not be removed is tried again when the name is another draft's
	if nameFile != "" {
		_ = s.fs.Remove(s.draftDir() + "/" + nameFile)
	}
	return nil
}

// ListDrafts implements [store.Drafts].
func (s *Stream) ListDrafts(ctx context.Context) ([]store.DraftInfo, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	s.draftMu.Lock()
	defer s.draftMu.Unlock()
	return s.listDrafts()
}

// listDrafts is ListDrafts under draftMu: what becomes a message is one or the other, and who has a sealed draft open knows its
// size.
func (s *Stream) listDrafts() ([]store.DraftInfo, error) {
	names, err := s.draftNames()
	if err != nil {
		return nil, err
	}
	var list []store.DraftInfo
	for name, file := range names {
		info, err := s.draftInfo(file, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil { // it is told when it is opened
			info = store.DraftInfo{Name: name}
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b store.DraftInfo) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// draftNames returns the files of all drafts, by the drafts' names.
func (s *Stream) draftNames() (map[string]string, error) {
	files, err := s.fs.List(s.draftDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := maps.Clone(s.returning)
	if names == nil {
		names = map[string]string{}
	}
	for _, file := range files {
		if name, ok := s.draftNamed(file); ok {
			names[name] = file
		}
	}
	return names, nil
}

// draftNamed returns the name of the draft that a file is, if it is one: others may have put files there.
func (s *Stream) draftNamed(file string) (string, bool) {
	switch file[0] {
	case draftPlain:
		name, ok := unescapeDraft(file[1:])
		return name, ok && checkDraftName(name) == nil
	case draftSealed:
		b, err := base64.RawURLEncoding.DecodeString(file[1:])
		name := s.openName(b)
		return name, err == nil && s.st.key != nil && name != ""
	case draftLong:
		if len(file) < 17 {
			return "", false
		}
		b, err := readFile(s.fs, s.draftDir()+"/"+string(draftName)+file[1:])
		if name := s.openName(b); err == nil && name != "" {
			return name, true
		}
		return "long-" + file[1:17], true // better another name than none
	}
	return "", false
}

func (s *Stream) draftInfo(file, name string) (store.DraftInfo, error) {
	f, err := s.fs.Open(path.Join(s.draftDir(), file))
	if err != nil {
		return store.DraftInfo{}, err
	}
	defer f.Close()
	size, err := f.Size()
	if err == nil && s.st.key != nil {
		size, err = s.sizeOfSealed(f, file)
	}
	if err != nil {
		return store.DraftInfo{}, err
	}
	mod, err := f.ModTime()
	return store.DraftInfo{Name: name, Size: size, ModTime: mod}, err
}

// scratches numbers the drafts without a name.
var scratches atomic.Uint64

// ScratchDraft implements [store.Drafts].
func (s *Stream) ScratchDraft(ctx context.Context) (store.Draft, error) {
	end, err := s.beginDraft(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := s.makeDraftDir(); err != nil {
		return nil, fmt.Errorf("scratch draft: %w", diskError(err))
	}
	name := fmt.Sprintf("%s/%c%d", s.draftDir(), draftScratch, scratches.Add(1))
	f, err := s.fs.Create(name)
	if err != nil {
		return nil, fmt.Errorf("scratch draft: %w", diskError(err))
	}
	if err := s.fs.Remove(name); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("scratch draft: %w", err)
	}
	if s.st.key != nil {
		return &draft{s.shareDraft(s.newSealedDraft(f, name), ""), s, "", nil}, nil
	}
	return &draft{s.newPlain(f, ""), s, "", nil}, nil
}
