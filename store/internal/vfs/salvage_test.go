package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"syscall"
	"testing"

	"jsfs/store/internal/vfs"
)

// badPages is a file whose pages from first to last can't be read.
type badPages struct {
	vfs.File
	first, last int64
}

func (f badPages) ReadAt(p []byte, off int64) (int, error) {
	if off/4096 <= f.last && (off+int64(len(p))-1)/4096 >= f.first {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(p, off)
}

// badDisk gives its files bad pages.
type badDisk struct{ vfs.FS }

func (d badDisk) Open(name string) (vfs.File, error) {
	f, err := d.FS.Open(name)
	return badPages{f, 2, 3}, err
}

func TestSalvageGivesUpPagesThatCantBeRead(t *testing.T) {
	mem := vfs.NewMem()
	f, err := mem.Create("f")
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcdef"), 2000)
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(content)
	clear(want[2*4096 : 4*4096])
	s, err := vfs.Salvage(badDisk{mem}).Open("f")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]int{{0, len(want)}, {100, 20_000}, {8192, 10}, {9000, 9000}, {0, 8192}, {16384, 100}} {
		got := make([]byte, r[1])
		n, err := s.ReadAt(got, int64(r[0]))
		w := want[r[0]:min(len(want), r[0]+r[1])]
		if n != len(w) || !bytes.Equal(got[:n], w) || err != nil {
			t.Errorf("%d bytes at %d: got %d bytes and %v, or other ones", r[1], r[0], n, err)
		}
	}
	if n, err := s.ReadAt(make([]byte, 100), int64(len(want)-50)); n != 50 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: got %d, %v", n, err)
	}
	if n, err := s.ReadAt(make([]byte, 30_000), 4000); n != len(want)-4000 || !errors.Is(err, io.EOF) {
		t.Errorf("over bad pages to the end: got %d, %v", n, err)
	}
}
