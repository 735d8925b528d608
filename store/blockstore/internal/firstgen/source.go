package firstgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"syscall"
	"time"

	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
	"jsfs/store/legacy"
)

const (
	// FileName is the file that makes a directory a stream of the first generation.
	FileName = "messages.jsonl"
	// MigratedName is its name once it was converted, or how that begins.
	MigratedName = FileName + ".migrated"
)

// Streams returns the directories in fsys that hold a stream of the first generation.
func Streams(fsys vfs.FS) ([]string, error) {
	names, err := fsys.List(".")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		ok, err := Holds(fsys, name)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, name)
		}
	}
	return found, nil
}

// Holds says whether a directory has such a file that can be opened. What leads nowhere, or out of the store,
// is none.
func Holds(fsys vfs.FS, dir string) (bool, error) {
	f, err := fsys.Open(dir + "/" + FileName)
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

// Options say how files of the first generation are read.
type Options struct {
	// Keys open encrypted payloads, as the key does that Secret is.
	Keys   []legacy.Key
	Secret *keys.Secret
	// Progress, if it is set, is called every few seconds: what is being done with the file of a stream,
	// and how many of its bytes are done.
	Progress func(stream, step string, done, total int64)
}

// Source is an open file of the first generation.
type Source struct {
	Stream string // the directory that it is in
	Name   string // of the file, in the store
	Size   int64  // when it was opened

	file vfs.File
	opt  Options
	keys []legacy.Key
	own  legacy.Key // of the keys, the one that Close overwrites
	told time.Time  // when Options.Progress was called last
}

// Open opens the file of that name in a stream's old directory.
func Open(fsys vfs.FS, stream, base string, opt Options) (*Source, error) {
	src := &Source{Stream: stream, Name: stream + "/" + base, opt: opt, told: time.Now()}
	src.keys = slices.Clone(opt.Keys)
	if opt.Secret != nil {
		_ = opt.Secret.Key(func(key []byte) error { // a passphrase is none
			src.own = bytes.Clone(key)
			src.keys = append(src.keys, src.own)
			return nil
		})
	}
	var err error
	if src.file, err = fsys.Open(src.Name); err != nil {
		clear(src.own)
		return nil, err
	}
	if src.Size, err = src.file.Size(); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return src, nil
}

// Close frees the file, and overwrites the key that the source made a copy of.
func (src *Source) Close() error {
	clear(src.own)
	return src.file.Close()
}

// tellEvery is how often Options.Progress is called.
const tellEvery = 5 * time.Second

// Lines walks the file as it was when it was opened. An error names the line. What the walk is for is told
// to Options.Progress.
func (src *Source) Lines(step string) iter.Seq2[legacy.Line, error] {
	return func(yield func(legacy.Line, error) bool) {
		for l, err := range legacy.Read(io.NewSectionReader(src.file, 0, src.Size), src.Stream, src.keys) {
			if src.opt.Progress != nil && time.Since(src.told) >= tellEvery {
				src.told = time.Now()
				src.opt.Progress(src.Stream, step, l.Offset, src.Size)
			}
			if err != nil {
				err = fmt.Errorf("%s:%d: %w", src.Name, l.Number, err)
			}
			if !yield(l, err) {
				return
			}
		}
	}
}

// Unchanged gives an error if the file grew or shrank since it was opened.
func (src *Source) Unchanged() error {
	size, err := src.file.Size()
	if err == nil && size != src.Size {
		err = fmt.Errorf("it had %d bytes and has %d: somebody writes to it; end the older program first", src.Size, size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", src.Name, err)
	}
	return nil
}
