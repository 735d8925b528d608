package blockstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"jsfs/store"
	"jsfs/store/blockstore/internal/firstgen"
	"jsfs/store/internal/vfs"
)

// MigratedFile is a file of the first generation that was converted.
type MigratedFile struct {
	File  string `json:"file"` // in the store's directory
	Bytes int64  `json:"bytes"`
	// Messages is how many are in it, Removed how many of them were removed from the stream since.
	Messages int64 `json:"messages,omitempty"`
	Removed  int64 `json:"removed,omitempty"`
	// Forgotten says that it was removed, Left why not.
	Forgotten bool   `json:"forgotten,omitempty"`
	Left      string `json:"left,omitempty"`

	stream, base string
}

// migratedFiles lists the files that conversions have set aside.
func migratedFiles(fsys vfs.FS) ([]MigratedFile, error) {
	dirs, err := fsys.List(".")
	if err != nil {
		return nil, err
	}
	var found []MigratedFile
	for _, dir := range dirs {
		if checkLegacyName(dir) != nil {
			continue
		}
		names, err := fsys.List(dir)
		if err != nil {
			continue // no directory
		}
		for _, base := range names {
			if !strings.HasPrefix(base, firstgen.MigratedName) {
				continue
			}
			src, err := firstgen.Open(fsys, dir, base, firstgen.Options{})
			if err != nil {
				return nil, err
			}
			found = append(found, MigratedFile{File: src.Name, Bytes: src.Size, stream: dir, base: base})
			if err := src.Close(); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// ForgetMigrated removes the files of the first generation that were converted, each after it found every message
// of it in the store, or removed from it, and every bad line in the quarantine. Whatever is not so stays, and the result says why. Of opt it
// takes what opening the store needs. It gives store.ErrKey if a file needs a key that is not among opt.LegacyKeys.
func ForgetMigrated(path string, opt Options) ([]MigratedFile, error) {
	fsys, err := openDir(path, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = fsys.Close() }()
	files, err := ForgetMigratedFS(context.Background(), fsys, opt)
	if err != nil {
		err = fmt.Errorf("store %s: %w", path, err)
	}
	return files, err
}

// ForgetMigratedFS is ForgetMigrated for a store in fsys.
func ForgetMigratedFS(ctx context.Context, fsys vfs.FS, opt Options) ([]MigratedFile, error) {
	st, err := Open(fsys, opt)
	if err != nil {
		return nil, err
	}
	files, err := migratedFiles(fsys)
	for i := range files {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = st.forget(&files[i], opt)
		}
	}
	return files, errors.Join(err, st.Close())
}

// forget removes a converted file if nothing is lost by that.
func (st *Store) forget(m *MigratedFile, opt Options) error {
	s := st.streams[m.stream]
	if s == nil {
		m.Left = "the store has no stream of that name"
		return nil
	}
	src, err := firstgen.Open(st.fs, m.stream, m.base, opt.legacy())
	if err != nil {
		return err
	}
	m.Left, err = m.accounted(src, s)
	if err = errors.Join(err, src.Close()); err != nil || m.Left != "" {
		return err
	}
	if err := st.fs.Remove(m.File); err != nil {
		return err
	}
	m.Forgotten = true
	if err := st.fs.SyncDir(m.stream); err != nil {
		return err
	}
	if names, err := st.fs.List(m.stream); err != nil || len(names) > 0 {
		return err
	}
	if err := st.fs.Remove(m.stream); err != nil {
		return err
	}
	return st.fs.SyncDir(".")
}

// accounted says what of the file the store does not have, "" if it has all of it.
func (m *MigratedFile) accounted(src *firstgen.Source, s *Stream) (left string, err error) {
	found, err := s.compare(src)
	m.Messages, m.Removed = found.messages, found.removed
	switch {
	case errors.Is(err, errDiffers):
		return err.Error(), nil
	case errors.Is(err, store.ErrKey):
		return "", fmt.Errorf("%w: %w", ErrUnconverted, err)
	case err != nil || found.bad == 0:
		return "", err
	}
	kept, err := findKept(s.fs, badLinesName(s.inc), src.CopyBad)
	if err == nil && kept == "" {
		left = fmt.Sprintf("%d lines of it are no messages, and are not in %s/ either", found.bad, quarantine)
	}
	return left, err
}

// ForgetMissing forgets the streams of the store at path whose directories are missing, so that nobody is told of them any more, and
// returns the directories. It changes nothing else, unless opening the store does. Of opt it takes what opening the store needs.
func ForgetMissing(path string, opt Options) ([]string, error) {
	fsys, err := openDir(path, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = fsys.Close() }()
	st, err := Open(fsys, opt)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	dirs, err := st.forgetMissing()
	if err = errors.Join(err, st.Close()); err != nil {
		return dirs, fmt.Errorf("store %s: %w", path, err)
	}
	return dirs, nil
}

// forgetMissing is ForgetMissing for a store that is open.
func (st *Store) forgetMissing() (dirs []string, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, inc := range st.reg.missing {
		if err := st.delistLocked(inc); err != nil {
			return dirs, diskError(err)
		}
		dirs = append(dirs, streamDir(inc))
	}
	st.reg.missing = nil
	return dirs, nil
}
