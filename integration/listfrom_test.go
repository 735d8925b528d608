package integration

import (
	"encoding/binary"
	"io"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// dirent is an entry of a directory, and the offset behind it.
type dirent struct {
	name string
	off  int64
}

// dirents reads an open directory from where it stands, up to most entries; 0 is all. Some more than that may have been read from it.
func dirents(t *testing.T, dir *os.File, most int) (all []dirent) {
	t.Helper()
	buf := make([]byte, 32<<10)
	for most == 0 || len(all) < most {
		n, err := unix.Getdents(int(dir.Fd()), buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		for b := buf[:n]; len(b) > 0; b = b[binary.NativeEndian.Uint16(b[16:]):] {
			name := b[19:binary.NativeEndian.Uint16(b[16:])]
			all = append(all, dirent{unix.ByteSliceToString(name), int64(binary.NativeEndian.Uint64(b[8:]))})
		}
	}
	return all
}

func (m *mnt) openDir(name string) *os.File {
	m.t.Helper()
	dir, err := os.Open(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = dir.Close() })
	return dir
}

// Who opens a directory anew and goes on where another listing was, as an NFS server does for each of its clients' requests,
// finds the rest.
func TestAListingGoesOnInAnotherOpen(t *testing.T) {
	m := mount(t)
	m.fill("S", 5000)
	all := dirents(t, m.openDir("S"), 0)
	if len(all) != 5002 {
		t.Fatalf("got %d entries, want 5000 and the two of each directory", len(all))
	}
	for _, i := range []int{0, 1, 2, 3, 1000, 4999, 5000} {
		dir := m.openDir("S")
		if _, err := dir.Seek(all[i].off, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, want := dirents(t, dir, 0), all[i+1:]; !slices.Equal(got, want) {
			t.Errorf("behind %q: got %d entries, want %d", all[i].name, len(got), len(want))
		}
	}
}
