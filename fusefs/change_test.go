package fusefs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

func TestMkdir(t *testing.T) {
	const (
		invalid = fuse.EINVAL
		tooLong = fuse.Status(syscall.ENAMETOOLONG)
		exists  = fuse.Status(syscall.EEXIST)
	)
	m := newMounted(t, Options{Subjects: []string{"orders.>"}})
	m.stream("THERE")
	for _, tt := range []struct {
		name, dir string
		want      fuse.Status
	}{
		{"ORDERS", "", fuse.OK},
		{"ÜBERSICHT", "", fuse.OK},
		{strings.Repeat("n", 255), "", fuse.OK},
		{"THERE", "", exists},
		{"a.b", "", invalid},
		{"*", "", invalid},
		{">", "", invalid},
		{"a b", "", invalid},
		{"a\nb", "", invalid},
		{"\xff\xfe", "", invalid},
		{".hidden", "", invalid},
		{strings.Repeat("n", 256), "", tooLong},
		{"SUB", "THERE", fuse.EPERM},
		{"SUB", "THERE/.jsfs", fuse.EPERM},
		{"SUB", ".jsfs", fuse.EPERM},
	} {
		t.Run(tt.dir+"/"+tt.name, func(t *testing.T) {
			m.errors = newErrorLog()
			dir := uint64(mapping.Root)
			if tt.dir != "" {
				dir = m.walk(tt.dir).NodeId
			}
			var out fuse.EntryOut
			st := m.Mkdir(nil, &fuse.MkdirIn{InHeader: header(dir)}, tt.name, &out)
			if st != tt.want {
				t.Errorf("got %v, want %v", st, tt.want)
			}
			if st.Ok() {
				if found := m.walk(tt.name); found.NodeId != out.NodeId {
					t.Errorf("node: got %d, want %d, which lookup finds", out.NodeId, found.NodeId)
				}
				return
			}
			if got := len(m.reasons()); got != 1 {
				t.Errorf("lines in errors: got %d, want 1", got)
			}
		})
	}
	s, err := m.streams.named(t.Context(), "ORDERS")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Config().Subjects; len(got) != 1 || got[0] != "orders.>" {
		t.Errorf("subjects: got %q, want those of the options", got)
	}
}

func TestRmdir(t *testing.T) {
	m := newMounted(t, Options{})
	full := m.stream("FULL", "x")
	m.stream("EMPTY")
	drafts := m.stream("DRAFTS")
	m.draft(drafts, ".d")
	notEmpty := fuse.Status(syscall.ENOTEMPTY)
	for _, tt := range []struct {
		name string
		want fuse.Status
	}{
		{"EMPTY", fuse.OK}, {"EMPTY", fuse.ENOENT}, {"FULL", notEmpty}, {"DRAFTS", notEmpty}, {".jsfs", fuse.EPERM},
	} {
		root := header(mapping.Root)
		if st := m.Rmdir(nil, &root, tt.name); st != tt.want {
			t.Errorf("rmdir %s: got %v, want %v", tt.name, st, tt.want)
		}
	}
	if got := m.cat("FULL/1"); got != "x" {
		t.Errorf("got %q, want what was there", got)
	}
	if _, err := full.Remove(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	root := header(mapping.Root)
	if st := m.Rmdir(nil, &root, "FULL"); !st.Ok() {
		t.Errorf("rmdir of a stream whose messages were removed: got %v, want ok", st)
	}
}

func TestUnlink(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "1", "2", "3")
	for _, tt := range []struct {
		name string
		want fuse.Status
	}{
		{"2", fuse.OK}, {"2", fuse.ENOENT}, {"000000000003", fuse.OK}, {"9", fuse.ENOENT},
		{".log", fuse.EPERM}, {".first", fuse.EPERM}, {"nothing.here", fuse.ENOENT}, {"a b", fuse.EINVAL},
	} {
		dir := header(s.node)
		if st := m.Unlink(nil, &dir, tt.name); st != tt.want {
			t.Errorf("unlink %s: got %v, want %v", tt.name, st, tt.want)
		}
	}
	if got := m.list(s.node, 4096, false, nil); len(got) != 1 || got[0] != "000000000001" {
		t.Errorf("left: got %q, want message 1", got)
	}
	for _, path := range []string{".jsfs/README", "S/.jsfs/log"} {
		i := strings.LastIndexByte(path, '/')
		dir := header(m.walk(path[:i]).NodeId)
		if st := m.Unlink(nil, &dir, path[i+1:]); st != fuse.EPERM {
			t.Errorf("unlink %s: got %v, want EPERM", path, st)
		}
	}
}

func TestWhatIsRefusedEverywhere(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "x")
	m.stream("T")
	root, dir := header(mapping.Root), header(s.node)
	for name, got := range map[string]fuse.Status{
		"renaming a stream":         m.Rename(nil, &fuse.RenameIn{InHeader: root, Newdir: mapping.Root}, "S", "U"),
		"a stream into a stream":    m.Rename(nil, &fuse.RenameIn{InHeader: root, Newdir: s.node}, "T", "T"),
		"a message to the root":     m.Rename(nil, &fuse.RenameIn{InHeader: dir, Newdir: mapping.Root}, "1", "x"),
		"a file in the root":        m.Create(nil, &fuse.CreateIn{InHeader: root}, "x", &fuse.CreateOut{}),
		"a node in the root":        m.Mknod(nil, &fuse.MknodIn{InHeader: root, Mode: syscall.S_IFREG}, "x", &fuse.EntryOut{}),
		"a pipe":                    m.Mknod(nil, &fuse.MknodIn{InHeader: dir, Mode: syscall.S_IFIFO}, "x", &fuse.EntryOut{}),
		"a hard link":               m.Link(nil, &fuse.LinkIn{InHeader: dir}, "x", &fuse.EntryOut{}),
		"a symbolic link":           m.Symlink(nil, &dir, "x", "y", &fuse.EntryOut{}),
		"a file in a control dir":   m.Create(nil, &fuse.CreateIn{InHeader: header(m.walk("S/.jsfs").NodeId)}, "x", &fuse.CreateOut{}),
		"renaming in a control dir": m.Rename(nil, &fuse.RenameIn{InHeader: header(m.walk("S/.jsfs").NodeId), Newdir: s.node}, "log", "y"),
	} {
		if got != fuse.EPERM {
			t.Errorf("%s: got %v, want EPERM", name, got)
		}
	}
	if got := len(m.reasons()); got != 10 {
		t.Errorf("lines in errors: got %d, want 10", got)
	}
	if got := m.cat("S/1"); got != "x" {
		t.Errorf("got %q, want what was there", got)
	}
}

func TestAReadOnlyMountChangesNothing(t *testing.T) {
	m := newMounted(t, Options{ReadOnly: true})
	s := m.stream("S", "x")
	root, dir := header(mapping.Root), header(s.node)
	for name, got := range map[string]fuse.Status{
		"mkdir":  m.Mkdir(nil, &fuse.MkdirIn{InHeader: root}, "U", &fuse.EntryOut{}),
		"rmdir":  m.Rmdir(nil, &root, "S"),
		"unlink": m.Unlink(nil, &dir, "1"),
		"create": m.Create(nil, &fuse.CreateIn{InHeader: dir, Flags: syscall.O_WRONLY}, "a.b", &fuse.CreateOut{}),
		"rename": m.Rename(nil, &fuse.RenameIn{InHeader: dir, Newdir: s.node}, ".x", "a.b"),
	} {
		if got != fuse.EROFS {
			t.Errorf("%s: got %v, want EROFS", name, got)
		}
	}
	if st, err := s.State(t.Context()); err != nil || st.Live.Messages != 1 {
		t.Errorf("got %d messages, %v, want 1", st.Live.Messages, err)
	}
}

// panicking is an engine with a bug.
type panicking struct{ store.Stream }

func TestAPanicIsEIOAndTheStreamIsOnlyReadFromThenOn(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "x")
	other := m.stream("T")
	whole := s.Stream
	s.Stream = panicking{} // every call on it panics
	if _, st := m.lookupAt(s.node, "1"); st != fuse.EIO {
		t.Errorf("got %v, want EIO", st)
	}
	s.Stream = whole
	if got := m.reasons(); len(got) != 1 || !strings.Contains(got[0], "lookup S/1 EIO a bug in jsfs") {
		t.Errorf("errors: got %q, want a line about a bug", got)
	}
	if got := m.cat("S/1"); got != "x" {
		t.Errorf("reading after that: got %q, want the message", got)
	}
	dir := header(s.node)
	if st := m.Unlink(nil, &dir, "1"); st != fuse.EROFS {
		t.Errorf("unlink after that: got %v, want EROFS", st)
	}
	if err := m.writable(other); err != nil {
		t.Errorf("another stream: got %v, want it writable", err)
	}
}

func TestStatFs(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S", "x", "y")
	u, err := m.st.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out fuse.StatfsOut
	root := header(mapping.Root)
	if st := m.StatFs(nil, &root, &out); !st.Ok() {
		t.Fatal(st)
	}
	unit := uint64(out.Bsize)
	if out.Blocks != u.Total/unit || out.Bavail != u.Free/unit || out.Files-out.Ffree != 2 || out.NameLen != 255 {
		t.Errorf("got %+v, want what the store says: %+v", out, u)
	}
}
