package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// salvagePage is the unit in which Salvage gives bytes up.
const salvagePage = 4096

// Salvage is fsys as far as the disk below can be read: what it can't is zeros, page by page, so that
// checksums tell it from data. It is for reading.
func Salvage(fsys FS) FS { return salvage{fsys} }

type salvage struct{ FS }

// Open implements [FS].
func (s salvage) Open(name string) (File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return salvageFile{f}, nil
}

type salvageFile struct{ File }

// ReadAt implements [File].
func (f salvageFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, fs.ErrClosed) {
		return n, err
	}
	for n = 0; n < len(p); {
		end := min(len(p), n+salvagePage-int((off+int64(n))%salvagePage))
		got, err := f.File.ReadAt(p[n:end], off+int64(n))
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrClosed) {
			return n + got, err
		}
		if err != nil {
			clear(p[n:end])
		}
		n = end
	}
	return n, nil
}
