package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
36 22 0:29 / /srv/a\040b rw,nosuid shared:1 master:2 - fuse.jsfs /var/lib/a\040b rw,user_id=0
37 36 0:30 / /srv/a\040b ro - tmpfs none rw
38 22 0:31 / /mnt/new\012line\134 rw - fuse.jsfs mem: rw
39 22 0:32 / /mnt/a b rw - fuse.jsfs /srv/a b rw
`

func TestParseMountinfo(t *testing.T) {
	got, err := parseMountinfo(strings.NewReader(mountinfo))
	if err != nil {
		t.Fatal(err)
	}
	want := []mountEntry{
		{"/", "ext4", "/dev/vda", "254:0"},
		{"/srv/a b", "fuse.jsfs", "/var/lib/a b", "0:29"},
		{"/srv/a b", "tmpfs", "none", "0:30"},
		{"/mnt/new\nline\\", "fuse.jsfs", "mem:", "0:31"},
		{"/mnt/a\u00a0b", "fuse.jsfs", "/srv/a\u2003b", "0:32"},
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if e, ok := topmost(got, "/srv/a b"); !ok || e.Type != "tmpfs" {
		t.Errorf("topmost: got %v %v, want the tmpfs, which was mounted last", e, ok)
	}
	if e, ok := topmost(got, "/srv"); ok {
		t.Errorf("topmost: got %v for a path where nothing is mounted", e)
	}
	if _, err := parseMountinfo(strings.NewReader("no mountinfo\n")); err == nil {
		t.Error("a line in another form: got no error")
	}
}

func TestParseLock(t *testing.T) {
	for _, c := range []struct {
		name, line string
		pid        int
		inode      uint64
		ok         bool
	}{
		{"a flock has a holder and a file", "1: FLOCK  ADVISORY  WRITE 812 fe:00:1311 0 EOF", 812, 1311, true},
		{"another kind of lock does not count", "2: POSIX  ADVISORY  WRITE 812 fe:00:1311 0 EOF", 0, 0, false},
		{"who waits holds nothing", "1: -> FLOCK  ADVISORY  WRITE 813 fe:00:1311 0 EOF", 0, 0, false},
		{"an empty line is none", "", 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pid, inode, ok := parseLock(c.line)
			if ok != c.ok || ok && (pid != c.pid || inode != c.inode) {
				t.Errorf("got %d, %d, %v, want %d, %d, %v", pid, inode, ok, c.pid, c.inode, c.ok)
			}
		})
	}
}
