package fusefs

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

func TestLookup(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("ORDERS", "one\n", "two", "three")
	m.stream("EMPTY")
	if _, err := s.Remove(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	const absent = fuse.ENOENT
	for _, tt := range []struct {
		name, path string
		want       fuse.Status
		entry      time.Duration // for how long the name may be cached
		attr       time.Duration
		mode       uint32
		size       uint64
	}{
		{"a stream", "ORDERS", fuse.OK, keep, keep, syscall.S_IFDIR | 0o755, 0},
		{"no such stream", "NONE", absent, 0, 0, 0, 0},
		{"what no stream can be called", "a.b", absent, 0, 0, 0, 0},
		{"a name that is too long", strings.Repeat("x", 256), fuse.Status(syscall.ENAMETOOLONG), 0, 0, 0, 0},
		{"a message by its listed name", "ORDERS/000000000001", fuse.OK, keep, keep, syscall.S_IFREG | 0o644, 4},
		{"a message by another spelling", "ORDERS/1", fuse.OK, fresh, keep, syscall.S_IFREG | 0o644, 4},
		{"a message by a longer spelling", "ORDERS/0000000000001", fuse.OK, fresh, keep, syscall.S_IFREG | 0o644, 4},
		{"a removed message", "ORDERS/2", absent, 0, 0, 0, 0},
		{"a message above the last", "ORDERS/4", absent, 0, 0, 0, 0},
		{"message 0", "ORDERS/000000000000", absent, 0, 0, 0, 0},
		{"a number that no node number holds", "ORDERS/99999999999999", absent, 0, 0, 0, 0},
		{"a number that nothing holds", "ORDERS/99999999999999999999", absent, 0, 0, 0, 0},
		{"a name that is no subject", "ORDERS/a b", absent, 0, 0, 0, 0},
		{"broken UTF-8", "ORDERS/\xff\xfe", absent, 0, 0, 0, 0},
		{"the control directory", "ORDERS/.jsfs", fuse.OK, keep, keep, syscall.S_IFDIR | 0o755, 0},
		{"the log", "ORDERS/.jsfs/log", fuse.OK, keep, fresh, syscall.S_IFREG | 0o644, 4 + 6},
		{"the log's short name", "ORDERS/.log", fuse.OK, keep, fresh, syscall.S_IFREG | 0o644, 4 + 6},
		{"the first link", "ORDERS/.jsfs/first", fuse.OK, fresh, fresh, syscall.S_IFLNK | 0o777, 15},
		{"the first link's short name", "ORDERS/.first", fuse.OK, fresh, fresh, syscall.S_IFLNK | 0o777, 12},
		{"no first message", "EMPTY/.first", absent, 0, 0, 0, 0},
		{"no last message", "EMPTY/.jsfs/last", absent, 0, 0, 0, 0},
		{"what the control directory has not", "ORDERS/.jsfs/readme", absent, 0, 0, 0, 0},
		{"the root's control directory", ".jsfs", fuse.OK, keep, keep, syscall.S_IFDIR | 0o755, 0},
		{"the errors", ".jsfs/errors", fuse.OK, keep, fresh, syscall.S_IFREG | 0o600, 0},
		{"the version", ".jsfs/version", fuse.OK, keep, keep, syscall.S_IFREG | 0o444, 1},
		{"what the root's control directory has not", ".jsfs/log", absent, 0, 0, 0, 0},
		{"a name in a file", "ORDERS/1/x", fuse.ENOTDIR, 0, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m.errors = newErrorLog()
			dir, name := uint64(mapping.Root), tt.path
			if i := strings.LastIndexByte(tt.path, '/'); i >= 0 {
				dir, name = m.walk(tt.path[:i]).NodeId, tt.path[i+1:]
			}
			out, st := m.lookupAt(dir, name)
			if st != tt.want {
				t.Fatalf("status: got %v, want %v", st, tt.want)
			}
			if st == absent && len(m.reasons()) != 0 {
				t.Errorf("a name that is not there is no error, got %q", m.reasons())
			}
			if !st.Ok() {
				return
			}
			if out.EntryTimeout() != tt.entry || out.AttrTimeout() != tt.attr {
				t.Errorf("timeouts: got %v and %v, want %v and %v", out.EntryTimeout(), out.AttrTimeout(), tt.entry, tt.attr)
			}
			if out.Mode != tt.mode || out.Size != tt.size {
				t.Errorf("mode and size: got %o and %d, want %o and %d", out.Mode, out.Size, tt.mode, tt.size)
			}
			if out.Ino != out.NodeId || out.Nlink != 1 {
				t.Errorf("ino and nlink: got %d and %d, want %d and 1", out.Ino, out.Nlink, out.NodeId)
			}
			var attr fuse.AttrOut
			if st := m.GetAttr(nil, &fuse.GetAttrIn{InHeader: header(out.NodeId)}, &attr); !st.Ok() {
				t.Fatalf("getattr: %v", st)
			}
			if out.Mode&syscall.S_IFMT != syscall.S_IFDIR && out.NodeId != m.walk(".jsfs/errors").NodeId && attr.Attr != out.Attr {
				t.Errorf("getattr: got %+v, want lookup's %+v", attr.Attr, out.Attr)
			}
			if attr.Timeout() != tt.attr {
				t.Errorf("getattr's timeout: got %v, want %v", attr.Timeout(), tt.attr)
			}
		})
	}
}

func TestSpellingsOfANumberAreOneFile(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S", "x")
	if a, b := m.walk("S/1").NodeId, m.walk("S/000000000001").NodeId; a != b {
		t.Errorf("got nodes %d and %d, want one", a, b)
	}
}

func TestAttributesOfAMessage(t *testing.T) {
	m := newMounted(t, Options{UID: ref[uint32](7), GID: ref[uint32](8), Umask: ref[uint32](0o077)})
	s := m.stream("S", strings.Repeat("x", 1025))
	meta, err := s.Stat(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	got := m.walk("S/1").Attr
	if mtime := got.ModTime(); mtime.UnixNano() != meta.Time {
		t.Errorf("mtime: got %v, want the message's time %v", mtime, time.Unix(0, meta.Time))
	}
	if got.Mode != syscall.S_IFREG|0o600 || got.Uid != 7 || got.Gid != 8 {
		t.Errorf("mode, owner: got %o %d %d, want 100600 7 8", got.Mode, got.Uid, got.Gid)
	}
	if got.Blocks != 3 {
		t.Errorf("blocks: got %d, want 3: they cover the size, or it looks like a hole", got.Blocks)
	}
	if dir := m.walk("S").Attr; dir.ModTime().UnixNano() != meta.Time || dir.Mode != syscall.S_IFDIR|0o700 {
		t.Errorf("directory: got %v %o, want the last message's time and 40700", dir.ModTime(), dir.Mode)
	}
}

func TestTimesBefore1970(t *testing.T) {
	var a fuse.Attr
	setTimes(&a, -1)
	if got, want := a.ModTime().UnixNano(), int64(-1); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestNodesOfARemovedStreamAreStale(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "x")
	msg, dir := m.walk("S/1").NodeId, m.walk("S").NodeId
	if _, err := s.Remove(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	root := header(mapping.Root)
	if st := m.Rmdir(nil, &root, "S"); !st.Ok() {
		t.Fatal(st)
	}
	m.stream("S", "another")
	stale := fuse.Status(syscall.ESTALE)
	if _, st := m.openAt(msg, syscall.O_RDONLY); st != stale {
		t.Errorf("open of a message: got %v, want %v", st, stale)
	}
	if got, st := m.readAt(msg, 0, 0, 100); !st.Ok() || got != "x" {
		t.Errorf("who has the message open reads %q, %v, want what it was", got, st)
	}
	if _, st := m.lookupAt(dir, "1"); st != stale {
		t.Errorf("lookup in the directory: got %v, want %v", st, stale)
	}
	if m.walk("S").NodeId == dir || m.walk("S/1").NodeId == msg {
		t.Error("a stream that was made again has nodes of the old one")
	}
	if got := m.cat("S/1"); got != "another" {
		t.Errorf("got %q, want what is in the new stream", got)
	}
}

func TestLinksPointToMessages(t *testing.T) {
	m := newMounted(t, Options{SeqWidth: 4})
	s := m.stream("S", "1", "2", "3", "4")
	for _, seq := range []uint64{1, 4} {
		if _, err := s.Remove(t.Context(), store.Seq(seq)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"S/.jsfs/first": "../0002", "S/.jsfs/last": "../0003", "S/.first": "0002", "S/.last": "0003",
	} {
		h := header(m.walk(path).NodeId)
		if got, st := m.Readlink(nil, &h); !st.Ok() || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", path, got, st, want)
		}
	}
	h := header(m.walk("S/2").NodeId)
	if _, st := m.Readlink(nil, &h); st != fuse.EINVAL {
		t.Errorf("readlink of a message: got %v, want EINVAL", st)
	}
}
