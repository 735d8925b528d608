package blockstore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"

	"jsfs/store/internal/vfs"
)

// quarantineName returns a name in the quarantine that is free.
func (st *Store) quarantineName(base string) (string, error) {
	return freeName(st.fs, quarantine, base)
}

// keepOnce makes a file in the quarantine with what write writes, durably. One that is there already, its
// name beginning with base, serves as well.
func (st *Store) keepOnce(base string, write func(io.Writer) error) (string, error) {
	name, err := findKept(st.fs, base, write)
	if err != nil {
		return "", err
	}
	if name != "" { // from a try that did not get further
		return name, st.syncKept(name)
	}
	if name, err = st.quarantineName(base); err != nil {
		return "", err
	}
	return name, st.writeKept(name, write)
}

// findKept returns the file in the quarantine that begins with base and holds what write writes, "" if there is none.
func findKept(fsys vfs.FS, base string, write func(io.Writer) error) (string, error) {
	names, err := fsys.List(quarantine)
	if err != nil {
		return "", err
	}
	var want []byte
	for _, name := range names {
		if !strings.HasPrefix(name, base) {
			continue
		}
		if want == nil {
			h := sha256.New()
			if err := write(h); err != nil {
				return "", err
			}
			want = h.Sum(nil)
		}
		got, err := digestOf(fsys, quarantine+"/"+name)
		if err != nil {
			return "", err
		}
		if bytes.Equal(got, want) {
			return quarantine + "/" + name, nil
		}
	}
	return "", nil
}

// digestOf is the SHA-256 of a file.
func digestOf(fsys vfs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(h, io.NewSectionReader(f, 0, size))
	return h.Sum(nil), err
}

// writeKept makes a file in the quarantine, durably.
func (st *Store) writeKept(name string, write func(io.Writer) error) error {
	f, err := st.fs.Create(name)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(io.NewOffsetWriter(f, 0), writeSize)
	if err = write(out); err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = st.fs.Remove(name)
		return err
	}
	return st.fs.SyncDir(quarantine)
}

// syncKept makes a file in the quarantine durable that may not be.
func (st *Store) syncKept(name string) error {
	f, err := st.fs.Open(name)
	if err != nil {
		return err
	}
	if err = errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return st.fs.SyncDir(quarantine)
}
