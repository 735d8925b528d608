package fusefs

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// shownFiles are the files that show message 1 or 2 of stream S, small and large. The large one must be loaded for each READ of which the
// table of payloads has lost it.
var shownFiles = []string{
	"S/1", "S/2", "S/.jsfs/msg/1/raw", "S/.jsfs/msg/1/headers", "S/.jsfs/msg/1/json", "S/.jsfs/msg/1/subject", "S/.jsfs/msg/1/time", "S/.jsfs/msg/1/data",
	"S/.jsfs/msg/2/raw", "S/.jsfs/msg/2/json", "S/.jsfs/last-by-subject/one", "S/.jsfs/last-by-subject/two", "S/one", "S/two",
	"S/.jsfs/consumers/c/pending/1", "S/.jsfs/consumers/c/pending/2", "S/.jsfs/deleted/3", "S/.jsfs/deleted/4",
}

type shownFile struct {
	path string
	node uint64
	fh   uint64
	attr fuse.Attr
	all  string
}

// openShown opens all of shownFiles, in a stream with a consumer, whose deliveries are open.
func openShown(t *testing.T) (*mounted, *stream, []shownFile) {
	t.Helper()
	m := newMounted(t, Options{SeqWidth: 1})
	s := m.stream("S")
	large := strings.Repeat("0123456789abcdef", maxStateless/16) + "end"
	for _, e := range []store.Entry{
		{Subject: "one", Data: []byte("small"), Header: []byte("NATS/1.0\r\nA: b\r\n\r\n")}, {Subject: "two", Data: []byte(large)},
		{Subject: "gone", Data: []byte("small too")}, {Subject: "gone", Data: []byte(large + "!")},
	} {
		if _, err := s.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	consumer, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := consumer.Next(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	m.remove(s, 3, 4)
	var files []shownFile
	for _, path := range shownFiles {
		f := shownFile{path: path, all: m.cat(path)}
		out := m.walk(path)
		f.node, f.attr = out.NodeId, out.Attr
		opened, st := m.openAt(f.node, syscall.O_RDONLY)
		if !st.Ok() {
			t.Fatalf("open %s: %v", path, st)
		}
		f.fh = opened.Fh
		files = append(files, f)
	}
	return m, s, files
}

// wantShown demands that all files that are open have the bytes and attributes that they had, and the number of links.
func (m *mounted) wantShown(files []shownFile, links func(path string) uint32) {
	m.t.Helper()
	for _, f := range files {
		in, out := fuse.GetAttrIn{InHeader: header(f.node)}, fuse.AttrOut{}
		want := f.attr
		want.Nlink = links(f.path)
		if want.Nlink == 0 && f.path[2] != '.' && !strings.ContainsAny(f.path[2:], "0123456789") {
			want = fuse.Attr{} // a subject's name has no attributes of its own
		}
		if st := m.GetAttr(nil, &in, &out); !st.Ok() || want != (fuse.Attr{}) && out.Attr != want {
			m.t.Errorf("attributes of %s: got %+v, %v, want %+v", f.path, out.Attr, st, want)
		}
		var all strings.Builder
		for {
			m.big.drop(f.node) // others needed the room
			b, st := m.readAt(f.node, f.fh, int64(all.Len()), 100<<10)
			if !st.Ok() {
				m.t.Errorf("read of %s at %d: %v", f.path, all.Len(), st)
				break
			}
			if b == "" {
				break
			}
			all.WriteString(b)
		}
		if all.String() != f.all {
			m.t.Errorf("%s: got %d bytes, want the %d that it had", f.path, all.Len(), len(f.all))
		}
	}
}

func (m *mounted) closeShown(files []shownFile) {
	m.t.Helper()
	for _, f := range files {
		m.Release(nil, &fuse.ReleaseIn{InHeader: header(f.node), Fh: f.fh})
	}
	if len(m.shown.m) != 0 || len(m.big.refs) != 0 || m.big.bytes != 0 || len(m.handles.m) != 0 {
		m.t.Errorf("after the last close: %d files, %d large ones with %d bytes, %d handles", len(m.shown.m), len(m.big.refs), m.big.bytes, len(m.handles.m))
	}
}

func noLink(string) uint32 { return 0 }

// A file that is open is read to its end when what it shows is removed, as on any file system.
func TestAnOpenFileIsReadWhenItsMessageGoes(t *testing.T) {
	m, s, files := openShown(t)
	m.wantShown(files, func(string) uint32 { return 1 })
	m.remove(s, 1, 2)
	for _, seq := range []store.Seq{3, 4} {
		if err := s.Undelete(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	m.wantShown(files, noLink)
	for _, f := range files {
		if strings.Contains(f.path, ".jsfs") {
			if _, st := m.openAt(f.node, syscall.O_RDONLY); st != fuse.Status(syscall.ESTALE) {
				t.Errorf("another open of %s: %v, want ESTALE", f.path, st)
			}
		}
	}
	m.closeShown(files)
	if got := m.reasons(); len(got) != 0 {
		t.Errorf("errors: %q", got)
	}
}

func TestAnOpenDeliveryIsReadWhenItIsAcknowledged(t *testing.T) {
	m, s, files := openShown(t)
	files = slices.DeleteFunc(files, func(f shownFile) bool {
		pending := strings.Contains(f.path, "/pending/")
		if !pending {
			m.Release(nil, &fuse.ReleaseIn{InHeader: header(f.node), Fh: f.fh})
		}
		return !pending
	})
	consumer, err := s.Consumer(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []store.Seq{1, 2} {
		if err := consumer.Ack(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	m.wantShown(files, noLink)
	m.closeShown(files)
}

// The same when the stream goes, whether the mount knows of that already or not.
func TestAnOpenFileIsReadWhenItsStreamGoes(t *testing.T) {
	for _, told := range []bool{false, true} {
		m, s, files := openShown(t)
		m.remove(s, 1, 2)
		if err := m.st.Remove(t.Context(), "S"); err != nil {
			t.Fatal(err)
		}
		if told {
			m.streams.drop(s.Incarnation())
		}
		m.wantShown(files, noLink)
		for _, f := range files[:2] {
			if subject, st := m.getXattr(f.node, "user.jsfs.subject"); !st.Ok() || subject == "" {
				t.Errorf("subject of %s: %q, %v", f.path, subject, st)
			}
		}
		m.closeShown(files)
	}
}

// What was erased nobody reads any more, whatever became of the stream in which he opened it.
func TestAnOpenFileOfWhatWasErasedIsStale(t *testing.T) {
	for name, meanwhile := range map[string]func(*mounted, *stream){
		"nothing": func(*mounted, *stream) {},
		"its stream was removed and brought back": func(m *mounted, s *stream) {
			m.remove(s, 1, 2)
			if err := m.st.Remove(t.Context(), "S"); err != nil {
				t.Fatal(err)
			}
			m.streams.drop(s.Incarnation())
			if _, err := m.st.Revive(t.Context(), s.Incarnation()); err != nil {
				t.Fatal(err)
			}
		},
		"its stream was truncated": func(m *mounted, s *stream) {
			m.truncated(s)
			m.streams.drop(s.Incarnation())
		},
		"its stream was truncated, and nobody told of it": (*mounted).truncated,
	} {
		t.Run(name, func(t *testing.T) {
			m, s, files := openShown(t)
			meanwhile(m, s)
			m.wantErased(files)
		})
	}
}

// truncated puts another stream in the place of s, whose four messages it has.
func (m *mounted) truncated(s *stream) {
	m.t.Helper()
	m.append(s, "five")
	if _, err := m.st.Truncate(m.t.Context(), "S", 4); err != nil {
		m.t.Fatal(err)
	}
}

// A message that only has the number of one that was erased, in a stream that had the name before, is read on.
func TestAnOpenFileIsNoOtherMessagesErasure(t *testing.T) {
	m := newMounted(t, Options{SeqWidth: 1})
	s := m.stream("S", "kept")
	files := []shownFile{{path: "S/a.b"}, {path: "S/.jsfs/msg/1/raw"}}
	for i := range files {
		f := &files[i]
		f.all = m.cat(f.path)
		f.node = m.walk(f.path).NodeId
		opened, st := m.openAt(f.node, syscall.O_RDONLY)
		wantStatus(t, "open", st, 0)
		f.fh = opened.Fh
	}
	m.remove(s, 1)
	if err := m.st.Remove(t.Context(), "S"); err != nil {
		t.Fatal(err)
	}
	m.streams.drop(s.Incarnation())
	m.stream("S", "erased")
	m.ctl("S", "erase 1\n")
	for _, f := range files {
		if got, st := m.readAt(f.node, f.fh, 0, 100); got != f.all || !st.Ok() {
			t.Errorf("%s: got %q, %v, want %q", f.path, got, st, f.all)
		}
	}
	m.closeShown(files)
}

// ctl has commands done in a stream.
func (m *mounted) ctl(name string, lines ...string) {
	m.t.Helper()
	if st := m.tryCtl(name, lines...); !st.Ok() {
		m.t.Fatalf("%q: %v", lines, st)
	}
}

// tryCtl is ctl, up to the first command that is refused.
func (m *mounted) tryCtl(name string, lines ...string) fuse.Status {
	m.t.Helper()
	ctl := m.walk(name + "/.jsfs/ctl").NodeId
	opened, _ := m.openAt(ctl, syscall.O_WRONLY)
	defer m.Release(nil, &fuse.ReleaseIn{InHeader: header(ctl), Fh: opened.Fh})
	for _, line := range lines {
		if _, st := m.FS.Write(nil, &fuse.WriteIn{InHeader: header(ctl), Fh: opened.Fh}, []byte(line)); !st.Ok() {
			return st
		}
	}
	return fuse.OK
}

// wantErased erases what files show, and demands that nobody reads it any more.
func (m *mounted) wantErased(files []shownFile) {
	t := m.t
	t.Helper()
	m.ctl("S", "erase 1\n", "erase 2\n", "erase 3\n", "erase 4\n")
	for _, f := range files {
		if got, st := m.readAt(f.node, f.fh, 0, 10); st != fuse.Status(syscall.ESTALE) {
			t.Errorf("%s: read %q, %v, want ESTALE", f.path, got, st)
		}
		in, out := fuse.GetAttrIn{InHeader: header(f.node)}, fuse.AttrOut{}
		if st := m.GetAttr(nil, &in, &out); strings.Contains(f.path, ".jsfs") && st != fuse.Status(syscall.ESTALE) {
			t.Errorf("%s: attributes %v, %v, want ESTALE", f.path, out.Attr, st)
		}
	}
	m.closeShown(files)
}

// damagedKept is a stream of which a removed message can't be read.
type damagedKept struct{ store.Stream }

func (damagedKept) LoadKept(context.Context, store.Seq, []byte) (store.Msg, error) {
	return store.Msg{}, &store.CorruptError{}
}

func (damagedKept) StatKept(context.Context, store.Seq) (store.Meta, error) {
	return store.Meta{}, &store.CorruptError{}
}

// Damage of a removed message is EIO for who has it open, as it is for a live one.
func TestAnOpenFileOfWhatIsDamagedAndRemoved(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "one")
	node := m.walk("S/000000000001").NodeId
	opened, st := m.openAt(node, syscall.O_RDONLY)
	if !st.Ok() {
		t.Fatal(st)
	}
	m.remove(s, 1)
	s.Stream = damagedKept{s.Stream}
	if got, st := m.readAt(node, opened.Fh, 0, 10); st != fuse.EIO {
		t.Errorf("read %q, %v, want EIO", got, st)
	}
	in, out := fuse.GetAttrIn{InHeader: header(node)}, fuse.AttrOut{}
	if st := m.GetAttr(nil, &in, &out); st != fuse.EIO {
		t.Errorf("attributes: %v, want EIO", st)
	}
	if got := m.reasons(); len(got) != 2 {
		t.Errorf("errors: %q, want two", got)
	}
}
