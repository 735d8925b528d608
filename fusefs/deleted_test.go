package fusefs

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/memstore"
)

func (m *mounted) remove(s *stream, seqs ...store.Seq) {
	m.t.Helper()
	for _, seq := range seqs {
		if live, err := s.Remove(m.t.Context(), seq); !live || err != nil {
			m.t.Fatalf("remove %d: got %v, %v", seq, live, err)
		}
	}
}

// move renames from one path to another, of which the directories must be there.
func (m *mounted) move(from, to string, flags uint32) fuse.Status {
	m.t.Helper()
	dir := func(path string) (uint64, string) {
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return mapping.Root, path
		}
		return m.walk(path[:i]).NodeId, path[i+1:]
	}
	oldDir, oldName := dir(from)
	newDir, newName := dir(to)
	return m.Rename(nil, &fuse.RenameIn{InHeader: header(oldDir), Newdir: newDir, Flags: flags}, oldName, newName)
}

// newDeleted mounts a stream S of which messages 2, 3 and 5 were removed, and a stream T.
func newDeleted(t *testing.T, opt Options) (*mounted, *stream) {
	t.Helper()
	opt.SeqWidth = 1
	m, s := newViews(t, opt)
	m.remove(s, 2, 3, 5)
	m.stream("T", "x")
	return m, s
}

func TestRemovedMessagesAreShown(t *testing.T) {
	m, s := newDeleted(t, Options{})
	for _, size := range []int{256, 4096} {
		for _, plus := range []bool{false, true} {
			if got := strings.Join(m.list(m.walk("S/.jsfs/deleted").NodeId, size, plus, nil), " "); got != "2 3 5" {
				t.Errorf("listed in %d bytes: %q", size, got)
			}
		}
	}
	if got := m.cat("S/.jsfs/deleted/003"); got != "payload 3" {
		t.Errorf("its bytes: %q", got)
	}
	out := m.walk("S/.jsfs/deleted/3")
	if want := viewsBegin.Add(3 * time.Minute).Unix(); out.Size != 9 || out.Mode != syscall.S_IFREG|0o444 || int64(out.Mtime) != want {
		t.Errorf("its attributes: %d bytes, mode %o, time %d, want 9, 444, %d", out.Size, out.Mode, out.Mtime, want)
	}
	live, _ := s.message(3)
	if again := m.walk("S/.jsfs/deleted/0003"); out.NodeId == live || out.NodeId != again.NodeId {
		t.Errorf("its node is %x, by another name %x, live %x", out.NodeId, again.NodeId, live)
	}
	h := header(out.NodeId)
	buf := make([]byte, 100)
	if n, st := m.GetXAttr(nil, &h, mapping.XattrSubject, buf); !st.Ok() || string(buf[:n]) != "bills" {
		t.Errorf("its subject: got %q, %v", buf[:n], st)
	}
	if n, st := m.ListXAttr(nil, &h, buf); !st.Ok() || !strings.Contains(string(buf[:n]), mapping.XattrSubject+"\x00") {
		t.Errorf("its attributes: got %q, %v", buf[:n], st)
	}
	for _, name := range []string{"1", "4", "6", "x", "0", ".d", "99999999999999"} {
		if _, st := m.lookupAt(m.walk("S/.jsfs/deleted").NodeId, name); st != fuse.ENOENT {
			t.Errorf("lookup of %s: %v", name, st)
		}
	}
	if _, st := m.openAt(out.NodeId, syscall.O_WRONLY); st != fuse.EPERM {
		t.Errorf("open for writing: %v", st)
	}
	if _, st := m.lookupAt(m.walk("S/.jsfs/subjects/bills/.jsfs").NodeId, "deleted"); st != fuse.ENOENT {
		t.Errorf("in a view: %v", st)
	}
	if err := s.Undelete(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if _, st := m.openAt(out.NodeId, syscall.O_RDONLY); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("open of what is back: %v", st)
	}
}

func TestRemovedMessagesComeBackByRename(t *testing.T) {
	m, _ := newDeleted(t, Options{})
	for _, c := range []struct {
		from, to string
		flags    uint32
		want     syscall.Errno
	}{
		{"S/.jsfs/deleted/2", "S/3", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "S/orders.new", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "S/.draft", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "T/2", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "2", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "S/.jsfs/2", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "S/.jsfs/deleted/2", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "S/.jsfs/subjects/orders.us.new/2", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "S/2", renameExchange, syscall.EINVAL},
		{"S/.jsfs/deleted/x", "S/x", 0, syscall.ENOENT},
		{"S/.jsfs/deleted/4", "S/4", 0, syscall.EEXIST},
		{"S/.jsfs/deleted/6", "S/6", 0, syscall.ENOENT},
		{"S/4", "S/.jsfs/deleted/4", 0, syscall.EPERM},
		{"S/.jsfs/deleted/2", "S/2", 0, 0},
		{"S/.jsfs/deleted/2", "S/2", 0, syscall.EEXIST},
		{"S/.jsfs/deleted/5", "S/000005", renameNoReplace, 0},
	} {
		if got := m.move(c.from, c.to, c.flags); got != fuse.Status(c.want) {
			t.Errorf("mv %s %s: got %v, want %v", c.from, c.to, got, c.want)
		}
	}
	if got := m.names("S") + ", " + m.names("S/.jsfs/deleted") + ", " + m.cat("S/2"); got != "1 2 4 5, 3, payload 2" {
		t.Errorf("got %q", got)
	}
	reasons := strings.Join(m.reasons(), "\n")
	for _, want := range []string{"comes back in the directory of its stream S, under its own number 2,", "write erase and its number to ctl"} {
		if !strings.Contains(reasons, want) {
			t.Errorf("errors does not say %q:\n%s", want, reasons)
		}
	}
}

func TestNothingElseIsDoneWithWhatWasRemoved(t *testing.T) {
	m, _ := newDeleted(t, Options{})
	if err := m.st.Remove(t.Context(), "T"); err == nil {
		t.Fatal("T was not empty")
	}
	m.stream("U")
	if err := m.st.Remove(t.Context(), "U"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"S/.jsfs/deleted", ".jsfs/deleted"} {
		node := m.walk(dir).NodeId
		h := header(node)
		name := m.list(node, 4096, false, nil)[0]
		if st := m.Unlink(nil, &h, name); st != fuse.EPERM {
			t.Errorf("rm in %s: %v", dir, st)
		}
		if st := m.Rmdir(nil, &h, name); st != fuse.EPERM {
			t.Errorf("rmdir in %s: %v", dir, st)
		}
		if st := m.Mkdir(nil, &fuse.MkdirIn{InHeader: h}, "x", &fuse.EntryOut{}); st != fuse.EPERM {
			t.Errorf("mkdir in %s: %v", dir, st)
		}
		if st := m.Create(nil, &fuse.CreateIn{InHeader: h}, "x", &fuse.CreateOut{}); st != fuse.EPERM {
			t.Errorf("create in %s: %v", dir, st)
		}
		h = header(m.walk(dir + "/" + name).NodeId)
		if st := m.SetAttr(nil, &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: h, Valid: fuse.FATTR_MTIME}}, &fuse.AttrOut{}); st != fuse.EPERM {
			t.Errorf("touch in %s: %v", dir, st)
		}
	}
	if got := m.names("S/.jsfs/deleted"); got != "2 3 5" {
		t.Errorf("left: %q", got)
	}
}

func TestNothingComesBackInAReadOnlyMount(t *testing.T) {
	m, s := newDeleted(t, Options{})
	m.opt.ReadOnly = true
	if got := m.move("S/.jsfs/deleted/2", "S/2", 0); got != fuse.Status(syscall.EROFS) {
		t.Errorf("mv: got %v, want EROFS", got)
	}
	if m.cat("S/.jsfs/deleted/2") != "payload 2" {
		t.Error("it can't be read")
	}
	if _, err := s.Stat(t.Context(), 2); err == nil {
		t.Error("it is back")
	}
}

// A listing of what is removed ends while somebody goes on removing.
func TestAListingOfWhatWasRemovedEnds(t *testing.T) {
	m, s := newDeleted(t, Options{})
	empty := m.stream("E")
	for _, c := range []struct {
		path string
		s    *stream
		next store.Seq
		size int
		want string
	}{
		{"S/.jsfs/deleted", s, 6, 96, "2 3 5"}, // the last of them are in the middle of an answer
		{"E/.jsfs/deleted", empty, 1, 64, ""},
	} {
		got := m.list(m.walk(c.path).NodeId, c.size, false, func([]string) {
			m.append(c.s, "more")
			m.remove(c.s, c.next)
			if c.next++; c.next > 100 {
				t.Fatal("it does not end")
			}
		})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: listed %q, want %q", c.path, got, c.want)
		}
	}
}

// newRemoved mounts nothing but three streams that were removed, R twice; each had the message hello, which was removed before.
func newRemoved(t *testing.T) *mounted {
	t.Helper()
	at := viewsBegin.Add(-time.Second)
	st := memstore.New(memstore.Options{Now: func() int64 { at = at.Add(time.Second); return at.UnixNano() }})
	t.Cleanup(func() { _ = st.Close() })
	m := mountedOn(t, st, Options{SeqWidth: 1})
	for _, name := range []string{"R", "Q", "R"} {
		s := m.stream(name, "hello")
		m.remove(s, 1)
		h := header(mapping.Root)
		if got := m.Rmdir(nil, &h, name); !got.Ok() {
			t.Fatal(got)
		}
	}
	return m
}

func TestRemovedStreamsComeBackByRename(t *testing.T) {
	m := newRemoved(t)
	names := m.list(m.walk(".jsfs/deleted").NodeId, 4096, false, nil)
	byStream := map[string][]string{}
	for _, name := range names {
		stream, at, _ := strings.Cut(name, "@")
		byStream[stream] = append(byStream[stream], name)
		ns, ok := mapping.ParseTime(at)
		out := m.walk(".jsfs/deleted/" + name)
		if !ok || int64(out.Mtime) != ns/1e9 || out.Mode != syscall.S_IFDIR|0o755 {
			t.Errorf("%s: its time is %d, its mode %o", name, out.Mtime, out.Mode)
		}
		if got := m.names(".jsfs/deleted/" + name); got != "" {
			t.Errorf("%s has %q", name, got)
		}
	}
	if len(byStream["R"]) != 2 || len(byStream["Q"]) != 1 {
		t.Fatalf("listed: %q", names)
	}
	q, r := ".jsfs/deleted/"+byStream["Q"][0], ".jsfs/deleted/"+byStream["R"][0]
	m.stream("S")
	for _, c := range []struct {
		from, to string
		flags    uint32
		want     syscall.Errno
	}{
		{q, "R", 0, syscall.EPERM},
		{q, "S", 0, syscall.EPERM},
		{q, "S/Q", 0, syscall.EPERM},
		{q, "S/.jsfs/deleted/Q", 0, syscall.EPERM},
		{q, ".jsfs/Q", 0, syscall.EPERM},
		{q, "Q", renameExchange, syscall.EINVAL},
		{".jsfs/deleted/Q", "Q", 0, syscall.ENOENT},
		{"S", ".jsfs/deleted/S", 0, syscall.EPERM},
		{q, q[len(".jsfs/deleted/"):], 0, 0},
		{q, "Q", 0, syscall.ENOENT},
		{r, "R", 0, 0},
		{".jsfs/deleted/" + byStream["R"][1], "R", 0, syscall.EEXIST},
	} {
		if got := m.move(c.from, c.to, c.flags); got != fuse.Status(c.want) {
			t.Errorf("mv %s %s: got %v, want %v", c.from, c.to, got, c.want)
		}
	}
	if got := strings.Join(m.list(mapping.Root, 4096, false, nil), " "); got != "R Q S" {
		t.Errorf("the root has %q", got)
	}
	if m.cat("Q/1") != "hello" || m.cat("R/1") != "hello" {
		t.Error("their messages did not come back")
	}
	if got := m.names(".jsfs/deleted"); got != byStream["R"][1] {
		t.Errorf("left: %q", got)
	}
}

// The notification of a removal comes after the stream is back: that is not dropped by it.
func TestAStreamThatIsBackOutlivesTheNewsOfItsRemoval(t *testing.T) {
	m := newRemoved(t)
	name := m.list(m.walk(".jsfs/deleted").NodeId, 4096, false, nil)[0]
	stream, _, _ := strings.Cut(name, "@")
	if st := m.move(".jsfs/deleted/"+name, stream, 0); !st.Ok() {
		t.Fatal(st)
	}
	out := m.walk(stream)
	s, _, err := m.split(out.NodeId)
	if err != nil {
		t.Fatal(err)
	}
	if out.Generation == 0 {
		t.Error("its directory can't be told from the one that was removed")
	}
	n := &notifier{fs: m.FS, kernel: &recorder{}}
	n.tell([]store.Event{{Kind: store.StreamRemoved, Stream: stream, Incarnation: s.Incarnation()}})
	if _, _, err := m.split(out.NodeId); err != nil {
		t.Errorf("its directory: %v", err)
	}
}

func TestNamesOfRemovedStreamsAreUnique(t *testing.T) {
	st := memstore.New(memstore.Options{Now: viewsBegin.UnixNano})
	t.Cleanup(func() { _ = st.Close() })
	m := mountedOn(t, st, Options{})
	long := strings.Repeat("x", 255)
	for range 3 {
		for _, name := range []string{"R", long} {
			m.stream(name)
			if err := m.st.Remove(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := m.list(m.walk(".jsfs/deleted").NodeId, 4096, true, nil)
	seen := map[uint64]bool{}
	for _, name := range names {
		seen[m.walk(".jsfs/deleted/"+name).NodeId] = true
	}
	if len(names) != 6 || len(seen) != 6 {
		t.Errorf("%d names of %d streams, want 6 of 6: %q", len(names), len(seen), names)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "x") {
			if got := m.move(".jsfs/deleted/"+name, name, 0); !got.Ok() {
				t.Errorf("mv %s .: %v", name, got)
			}
			break
		}
	}
	m.walk(long)
}

// Who has a file open has its attributes, too, when it is not under its name any more: programs look at them before they read.
func TestAnOpenFileThatIsGoneHasItsAttributes(t *testing.T) {
	m, s := newDeleted(t, Options{})
	attr := func(node uint64) (fuse.AttrOut, fuse.Status) {
		in, out := fuse.GetAttrIn{InHeader: header(node)}, fuse.AttrOut{}
		st := m.GetAttr(nil, &in, &out)
		return out, st
	}
	live, was := m.walk("S/4"), m.walk("S/.jsfs/deleted/3")
	m.remove(s, 4)
	if err := s.Undelete(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	for _, n := range []fuse.EntryOut{live, was} {
		out, st := attr(n.NodeId)
		want := n.Attr
		want.Nlink = 0
		if !st.Ok() || out.Attr != want || out.Timeout() != 0 {
			t.Errorf("%v: got %+v for %v, want %+v for no time", st, out.Attr, out.Timeout(), want)
		}
		if subject, st := m.getXattr(n.NodeId, mapping.XattrSubject); !st.Ok() || subject == "" {
			t.Errorf("its subject: %q, %v", subject, st)
		}
		if _, st := m.openAt(n.NodeId, syscall.O_RDONLY); st != fuse.Status(syscall.ESTALE) {
			t.Errorf("open: %v", st)
		}
	}
	for dir, name := range map[string]string{"S": "4", "S/.jsfs/deleted": "3"} {
		if _, st := m.lookupAt(m.walk(dir).NodeId, name); st != fuse.ENOENT {
			t.Errorf("lookup of %s in %s: %v", name, dir, st)
		}
	}
	if _, err := s.Erase(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if _, st := attr(live.NodeId); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("of what was erased: %v", st)
	}
}
