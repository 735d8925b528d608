package blockstore

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"jsfs/store"
	"jsfs/store/blockstore/internal/firstgen"
	"jsfs/store/blockstore/internal/reserve"
	"jsfs/store/internal/vfs"
)

// ErrUnconverted means that a directory holds streams of the first generation that are not converted:
// it was opened for reading only, or, if the error wraps store.ErrKey as well, a key is missing. Nothing was changed.
var ErrUnconverted = errors.New("streams of the first generation are not converted yet")

// ownNames are those that a store has in its directory, besides files that are being replaced.
var ownNames = []string{storeName, lockName, nextName, reserve.FileName, streamsDir, removedDir, quarantine}

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
	names, err := firstgen.Streams(fsys)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := checkLegacyName(name); err != nil {
			return err
		}
	}
	for _, name := range names {
		src, err := firstgen.Open(fsys, name, firstgen.FileName, opt.legacy())
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process converts it just now, and has the lock
		}
		if err != nil {
			return err
		}
		for _, lineErr := range src.Lines("read") {
			err = lineErr
		}
		if errors.Is(err, store.ErrKey) {
			err = fmt.Errorf("%w: %w", ErrUnconverted, err)
		}
		if err := errors.Join(err, src.Close()); err != nil {
			return err
		}
	}
	return nil
}

// legacy is how files of the first generation are read.
func (o Options) legacy() firstgen.Options {
	return firstgen.Options{Keys: o.LegacyKeys, Secret: o.Secret, Progress: o.Converting}
}
