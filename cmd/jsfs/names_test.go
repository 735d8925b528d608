package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A directory that can't be read, as its stream was truncated meanwhile or is damaged, is as one that is gone: others are still read.
func TestADirectoryThatCannotBeReadIsAsIfGone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	root, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Fstat(root, &st)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(root) }()
	if _, err := (namesRequest{Stream: ".", Node: st.Ino, Names: 1}).readIn(root); err != nil {
		t.Error(err)
	}
	for name, q := range map[string]namesRequest{
		"no directory":      {Stream: "file"},
		"another directory": {Stream: ".", Node: st.Ino + 1},
		"no such place":     {Stream: ".", Node: st.Ino, From: 1<<64 - 1},
	} {
		if next, err := q.readIn(root); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %d, %v", name, next, err)
		}
	}
}
