package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jsfs/store/blockstore"
)

func TestParseSource(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	for _, err := range []error{
		os.WriteFile(file, []byte("x"), 0o600),
		os.Mkdir(filepath.Join(dir, "store"), 0o700),
		os.Symlink("store", filepath.Join(dir, "link")),
		os.Symlink("nothing", filepath.Join(dir, "dangling")),
		os.Symlink("circle", filepath.Join(dir, "circle")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, arg, want string }{
		{"mem: is a memory store", "mem:", "mem:"},
		{"a directory is itself", dir + "/store", dir + "/store"},
		{"a symbolic link is what it leads to", dir + "/link/", dir + "/store"},
		{"a missing directory is fine", dir + "/link/a/b", dir + "/store/a/b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseSource(c.arg)
			if err != nil || got.name != c.want {
				t.Errorf("got %q, %v, want %q", got.name, err, c.want)
			}
		})
	}
	for _, c := range []struct{ name, arg, want string }{
		{"nothing is refused", "", "empty"},
		{"a file is refused", file, "is a file"},
		{"a path through a file is refused", file + "/x", "is a file"},
		{"a device is refused", "/dev/null", "is a device"},
		{"a link to nothing is refused", dir + "/dangling", "no such file"},
		{"a circle of links is refused", dir + "/circle", "circle"},
		{"a live server is for a later version", "nats://localhost:4222", "this version"},
		{"a server's context is for a later version", "nats:prod", "this version"},
		{"a server's directory is for a later version", "natsdir:/var/lib/nats", "this version"},
		{"an unknown scheme is refused", "s3:bucket", "no kind of source"},
		{"a memory store has no name", "mem:x", "write mem: alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseSource(c.arg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, error %v, want an error with %q", got, err, c.want)
			}
		})
	}
}

func TestCheckMountPoint(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.WriteFile(dir+"/file", []byte("x"), 0o600),
		os.MkdirAll(dir+"/store/inner", 0o700),
		os.Mkdir(dir+"/empty", 0o700),
		os.MkdirAll(dir+"/full/x", 0o700),
		os.Symlink("store/inner", dir+"/hidden"),
		os.MkdirAll(dir+"/other/inner", 0o700),
		os.WriteFile(dir+"/other/"+blockstore.Marker, nil, 0o600),
		os.Symlink("empty", dir+"/link"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	src := source{name: dir + "/store", dir: dir + "/store"}
	for _, c := range []struct {
		name, arg string
		nonEmpty  bool
		want      mountPoint
	}{
		{"an empty directory is good", "empty", false, mountPoint{path: dir + "/empty"}},
		{"a link to one is good", "link", false, mountPoint{path: dir + "/empty"}},
		{"a missing one is made", "a/b", false, mountPoint{path: dir + "/a/b", missing: true}},
		{"a full one is good if asked for", "full", true, mountPoint{path: dir + "/full"}},
		{"a name that begins like the store's is not in it", "store2", false, mountPoint{path: dir + "/store2", missing: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := checkMountPoint(dir+"/"+c.arg, src, c.nonEmpty)
			if err != nil || got != c.want {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
	for _, c := range []struct{ name, arg, want string }{
		{"a file is refused", dir + "/file", "is a file"},
		{"a full directory is refused", dir + "/full", "not empty"},
		{"the store itself is refused", dir + "/store", "the store itself"},
		{"a place in the store is refused", dir + "/store/inner", "inside its own store"},
		{"a missing place in the store is refused", dir + "/store/new", "inside its own store"},
		{"a link into the store is refused", dir + "/hidden", "inside its own store"},
		{"a place in another store is refused", dir + "/other/inner", "inside the store " + dir + "/other"},
		{"a directory above the store is refused", dir, "would hide it"},
		{"a mount of something else is refused", "/proc", "of type proc"},
		{"nothing is refused", "", "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := checkMountPoint(c.arg, src, false)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, error %v, want an error with %q", got, err, c.want)
			}
		})
	}
}

func TestAStoreInAStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+blockstore.Marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := parseSource(dir + "/new/store"); err == nil || !strings.Contains(err.Error(), "inside the store "+dir) {
		t.Errorf("got %v, error %v, want a refusal that names the store", got, err)
	}
	if _, err := parseSource(dir); err != nil {
		t.Errorf("the store itself: %v", err)
	}
}

func TestMakeDirs(t *testing.T) {
	dir := t.TempDir()
	made, err := makeDirs(dir+"/a/b", 0o700)
	if err != nil || len(made) != 2 {
		t.Fatalf("got %q, %v, want two directories", made, err)
	}
	if err := os.WriteFile(dir+"/a/kept", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unmakeDirs(made)
	if _, err := os.Stat(dir + "/a/b"); !os.IsNotExist(err) {
		t.Errorf("an empty directory that was made: got %v, want that it is gone", err)
	}
	if _, err := os.Stat(dir + "/a/kept"); err != nil {
		t.Errorf("a directory that is in use: got %v, want that it stays", err)
	}
}
