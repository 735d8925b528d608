package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"syscall"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
	"jsfs/store/legacy"
)

// Names of the first generation: a stream is a directory with such a file in it.
const (
	legacyName   = "messages.jsonl"
	migratedName = legacyName + ".migrated"
)

// ErrUnconverted means that a directory holds streams of the first generation that are not converted:
// it was opened for reading only, or, if the error wraps store.ErrKey as well, a key is missing. Nothing was changed.
var ErrUnconverted = errors.New("streams of the first generation are not converted yet")

// ownNames are those that a store has in its directory, besides files that are being replaced.
var ownNames = []string{storeName, lockName, nextName, reserveName, streamsDir, removedDir, quarantine}

// legacyStreams returns the directories in fsys that hold a stream of the first generation.
func legacyStreams(fsys vfs.FS) ([]string, error) {
	names, err := fsys.List(".")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		ok, err := isFile(fsys, name+"/"+legacyName)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, name)
		}
	}
	return found, nil
}

// isFile says whether name is a file that can be opened. What leads nowhere, or out of the store,
// is none.
func isFile(fsys vfs.FS, name string) (bool, error) {
	f, err := fsys.Open(name)
	if err == nil {
		return true, f.Close()
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false, nil
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.EINVAL, syscall.ENAMETOOLONG:
		return false, nil
	}
	return false, err
}

// checkLegacyName refuses a directory whose name its stream can't have.
func checkLegacyName(name string) error {
	err := store.CheckName(name)
	if err == nil && slices.Contains(ownNames, name) {
		err = fmt.Errorf("stream name %q: %w: a store has that name for something else", name, store.ErrInvalid)
	}
	if err != nil {
		return fmt.Errorf("stream of the first generation in %q; rename the directory: %w", name, err)
	}
	return nil
}

// surveyLegacy finds out, before anything is changed, what would keep streams of the first
// generation from being converted: a name, or a key that is not there.
func surveyLegacy(fsys vfs.FS, opt Options) error {
	names, err := legacyStreams(fsys)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := checkLegacyName(name); err != nil {
			return err
		}
	}
	for _, name := range names {
		src, err := openLegacy(fsys, name, legacyName, opt)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process converts it just now, and has the lock
		}
		if err != nil {
			return err
		}
		for _, lineErr := range src.lines("read") {
			err = lineErr
		}
		if errors.Is(err, store.ErrKey) {
			err = fmt.Errorf("%w: %w", ErrUnconverted, err)
		}
		if err := errors.Join(err, src.close()); err != nil {
			return err
		}
	}
	return nil
}

// legacySource is an open file of the first generation.
type legacySource struct {
	fs     vfs.FS
	stream string
	name   string // in the store
	file   vfs.File
	size   int64
	opt    Options
	keys   []legacy.Key
	own    legacy.Key // of the keys, the one that close overwrites
	told   time.Time  // when Options.Converting was called last
}

// openLegacy opens the file of that name in a stream's old directory.
func openLegacy(fsys vfs.FS, stream, base string, opt Options) (*legacySource, error) {
	src := &legacySource{fs: fsys, stream: stream, name: stream + "/" + base, opt: opt, told: time.Now()}
	src.keys = slices.Clone(opt.LegacyKeys)
	if opt.Secret != nil {
		_ = opt.Secret.Key(func(key []byte) error { // a passphrase is none
			src.own = bytes.Clone(key)
			src.keys = append(src.keys, src.own)
			return nil
		})
	}
	var err error
	if src.file, err = fsys.Open(src.name); err != nil {
		clear(src.own)
		return nil, err
	}
	if src.size, err = src.file.Size(); err != nil {
		return nil, errors.Join(err, src.close())
	}
	return src, nil
}

// close frees the file, and overwrites the key that the source made a copy of.
func (src *legacySource) close() error {
	clear(src.own)
	return src.file.Close()
}

// tellEvery is how often Options.Converting is called.
const tellEvery = 5 * time.Second

// lines walks the file as it was when it was opened. An error names the line. What the walk is for is told
// to Options.Converting.
func (src *legacySource) lines(step string) iter.Seq2[legacy.Line, error] {
	return func(yield func(legacy.Line, error) bool) {
		for l, err := range legacy.Read(io.NewSectionReader(src.file, 0, src.size), src.stream, src.keys) {
			if src.opt.Converting != nil && time.Since(src.told) >= tellEvery {
				src.told = time.Now()
				src.opt.Converting(src.stream, step, l.Offset, src.size)
			}
			if err != nil {
				err = fmt.Errorf("%s:%d: %w", src.name, l.Number, err)
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// unchanged gives an error if the file grew or shrank since it was opened.
func (src *legacySource) unchanged() error {
	size, err := src.file.Size()
	if err == nil && size != src.size {
		err = fmt.Errorf("it had %d bytes and has %d: somebody writes to it; end the older program first", src.size, size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", src.name, err)
	}
	return nil
}

// freeName returns a name in dir that is free: base, or base and a number.
func freeName(fsys vfs.FS, dir, base string) (string, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return "", err
	}
	name := base
	for i := 2; slices.Contains(names, name); i++ {
		name = fmt.Sprintf("%s.%d", base, i)
	}
	return dir + "/" + name, nil
}
