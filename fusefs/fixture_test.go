package fusefs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/memstore"
)

// mounted is a file system over a memory store whose requests a test makes itself.
type mounted struct {
	*FS
	t testing.TB
}

func newMounted(t testing.TB, opt Options) *mounted {
	t.Helper()
	st := memstore.New(memstore.Options{})
	t.Cleanup(func() { _ = st.Close() })
	return mountedOn(t, st, opt)
}

func mountedOn(t testing.TB, st store.Store, opt Options) *mounted {
	t.Helper()
	opt = opt.withDefaults()
	if err := opt.validate(); err != nil {
		t.Fatal(err)
	}
	return &mounted{newFS(st, opt), t}
}

// stream makes a stream with messages of these payloads, all on subject a.b.
func (m *mounted) stream(name string, payloads ...string) *stream {
	m.t.Helper()
	made, err := m.st.Create(m.t.Context(), store.Config{Name: name})
	if err != nil {
		m.t.Fatal(err)
	}
	s, err := m.streams.enter(made)
	if err != nil {
		m.t.Fatal(err)
	}
	m.append(s, payloads...)
	return s
}

func (m *mounted) append(s *stream, payloads ...string) {
	m.t.Helper()
	for _, p := range payloads {
		if _, err := s.Append(m.t.Context(), store.Entry{Subject: "a.b", Data: []byte(p)}); err != nil {
			m.t.Fatal(err)
		}
	}
}

func header(node uint64) fuse.InHeader { return fuse.InHeader{NodeId: node} }

func (m *mounted) lookupAt(dir uint64, name string) (fuse.EntryOut, fuse.Status) {
	var out fuse.EntryOut
	h := header(dir)
	st := m.Lookup(nil, &h, name, &out)
	return out, st
}

// walk looks up a path from the root, and fails the test if it is not there.
func (m *mounted) walk(path string) fuse.EntryOut {
	m.t.Helper()
	out := fuse.EntryOut{NodeId: mapping.Root}
	for name := range strings.SplitSeq(path, "/") {
		var st fuse.Status
		if out, st = m.lookupAt(out.NodeId, name); !st.Ok() {
			m.t.Fatalf("lookup %q in %q: %v", name, path, st)
		}
	}
	return out
}

func (m *mounted) openAt(node uint64, flags uint32) (fuse.OpenOut, fuse.Status) {
	var out fuse.OpenOut
	st := m.Open(nil, &fuse.OpenIn{InHeader: header(node), Flags: flags}, &out)
	return out, st
}

func (m *mounted) readAt(node, fh uint64, off int64, size int) (string, fuse.Status) {
	m.t.Helper()
	buf := make([]byte, size)
	res, st := m.Read(nil, &fuse.ReadIn{InHeader: header(node), Fh: fh, Offset: uint64(off), Size: uint32(size)}, buf)
	if !st.Ok() {
		return "", st
	}
	b, st := res.Bytes(make([]byte, res.Size()))
	return string(b), st
}

// cat opens a file, reads it to its end in pieces, and closes it.
func (m *mounted) cat(path string) string {
	m.t.Helper()
	node := m.walk(path).NodeId
	open, st := m.openAt(node, syscall.O_RDONLY)
	if !st.Ok() {
		m.t.Fatalf("open %s: %v", path, st)
	}
	defer m.Release(nil, &fuse.ReleaseIn{InHeader: header(node), Fh: open.Fh})
	var all strings.Builder
	for {
		b, st := m.readAt(node, open.Fh, int64(all.Len()), 4096)
		if !st.Ok() {
			m.t.Fatalf("read %s: %v", path, st)
		}
		if b == "" {
			return all.String()
		}
		all.WriteString(b)
	}
}

// list lists a directory through a buffer of size bytes a READDIR. between is called
// after each.
func (m *mounted) list(node uint64, size int, plus bool, between func(names []string)) []string {
	m.t.Helper()
	var opened fuse.OpenOut
	if st := m.OpenDir(nil, &fuse.OpenIn{InHeader: header(node)}, &opened); !st.Ok() {
		m.t.Fatalf("opendir: %v", st)
	}
	defer m.ReleaseDir(&fuse.ReleaseIn{InHeader: header(node), Fh: opened.Fh})
	var names []string
	var off uint64
	for {
		in := &fuse.ReadIn{InHeader: header(node), Fh: opened.Fh, Offset: off, Size: uint32(size)}
		out := fuse.NewDirEntryList(make([]byte, size), off)
		var entries []fuse.DirEntry
		var err error
		if plus {
			if st := m.ReadDirPlus(nil, in, out); !st.Ok() {
				m.t.Fatalf("readdirplus: %v", st)
			}
			entries, _, err = fuse.ParseDirLookupEntries(out.Bytes())
		} else {
			if st := m.ReadDir(nil, in, out); !st.Ok() {
				m.t.Fatalf("readdir: %v", st)
			}
			entries, err = fuse.ParseDirEntries(out.Bytes())
		}
		if err != nil {
			m.t.Fatal(err)
		}
		if len(entries) == 0 {
			return names
		}
		for _, e := range entries {
			if e.Off <= off {
				m.t.Fatalf("cookie of %q: got %d, want more than %d", e.Name, e.Off, off)
			}
			off = e.Off
			if e.Name != "." && e.Name != ".." {
				names = append(names, e.Name)
			}
		}
		if between != nil {
			between(names)
		}
	}
}

// reasons returns the lines of .jsfs/errors.
func (m *mounted) reasons() []string {
	start, end := m.errors.extent()
	b := make([]byte, end-start)
	m.errors.readAt(b, start)
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}
