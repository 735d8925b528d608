package fusefs

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// oneThreadEach is a /proc where each thread is a process, and no descriptors are left at
// any close.
type oneThreadEach struct{}

func (oneThreadEach) Process(tid uint32) (int, error) { return int(tid), nil }
func (oneThreadEach) Killed(int) (bool, error)        { return false, nil }
func (oneThreadEach) Writable(uint32, uint64, int) (n, all int, err error) {
	return 0, 3, nil
}

// writing is a mount with a stream S, whose calls come from a process.
type writingMount struct {
	*mounted
	s   *stream
	dir uint64 // where names are: S, or a view of it
	pid uint32
	at  time.Time // the mount's clock
}

func newWritingMount(t testing.TB, payloads ...string) *writingMount {
	m := &writingMount{mounted: newMounted(t, Options{}), pid: 100, at: time.Unix(1e9, 0)}
	m.pub.proc = oneThreadEach{}
	m.now = func() time.Time { return m.at }
	m.s = m.stream("S", payloads...)
	m.dir = m.s.node
	return m
}

func (m *writingMount) header(node uint64) fuse.InHeader {
	return fuse.InHeader{NodeId: node, Caller: fuse.Caller{Pid: m.pid}}
}

// open opens a name in S as open(2) does: CREATE if it is not there and O_CREAT says so.
func (m *writingMount) open(name string, flags, mode uint32) (node, fh uint64, st fuse.Status) {
	entry, st := m.lookupAt(m.dir, name)
	switch {
	case st == fuse.Status(syscall.ENOENT) && flags&syscall.O_CREAT != 0:
		var out fuse.CreateOut
		st = m.Create(nil, &fuse.CreateIn{InHeader: m.header(m.dir), Flags: flags, Mode: mode}, name, &out)
		return out.NodeId, out.Fh, st
	case !st.Ok():
		return 0, 0, st
	case flags&(syscall.O_CREAT|syscall.O_EXCL) == syscall.O_CREAT|syscall.O_EXCL:
		return 0, 0, fuse.Status(syscall.EEXIST)
	}
	var out fuse.OpenOut
	st = m.Open(nil, &fuse.OpenIn{InHeader: m.header(entry.NodeId), Flags: flags &^ syscall.O_CREAT}, &out)
	return entry.NodeId, out.Fh, st
}

func (m *writingMount) write(node, fh uint64, text string, off int64) fuse.Status {
	_, st := m.Write(nil, &fuse.WriteIn{InHeader: m.header(node), Fh: fh, Offset: uint64(off), Size: uint32(len(text))}, []byte(text))
	return st
}

func (m *writingMount) close(node, fh uint64) fuse.Status {
	st := m.Flush(nil, &fuse.FlushIn{InHeader: m.header(node), Fh: fh})
	m.Release(nil, &fuse.ReleaseIn{InHeader: fuse.InHeader{NodeId: node}, Fh: fh})
	return st
}

// put writes a file as a shell does, and returns the first refusal.
func (m *writingMount) put(name, text string, flags uint32) fuse.Status {
	node, fh, st := m.open(name, flags, 0o644)
	if !st.Ok() {
		return st
	}
	wrote := m.write(node, fh, text, 0)
	if st := m.close(node, fh); wrote.Ok() {
		return st
	}
	return wrote
}

const shellCreate = syscall.O_WRONLY | syscall.O_CREAT | syscall.O_TRUNC

func (m *writingMount) unlink(name string) fuse.Status {
	h := m.header(m.dir)
	return m.Unlink(nil, &h, name)
}

func (m *writingMount) rename(from, to string, flags uint32) fuse.Status {
	return m.Rename(nil, &fuse.RenameIn{InHeader: m.header(m.dir), Newdir: m.dir, Flags: flags}, from, to)
}

// payloads returns the live messages as "subject payload".
func (m *writingMount) payloads() []string {
	m.t.Helper()
	var all []string
	for meta, err := range m.s.Scan(m.t.Context(), store.Query{}) {
		if err != nil {
			m.t.Fatal(err)
		}
		msg, err := m.s.Load(m.t.Context(), meta.Seq, nil)
		if err != nil {
			m.t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d %s %s", msg.Seq, msg.Subject, msg.Data))
	}
	return all
}

func (m *writingMount) wantPayloads(want ...string) {
	m.t.Helper()
	if got := m.payloads(); !slices.Equal(got, want) {
		m.t.Errorf("got %q, want %q", got, want)
	}
}

func wantStatus(t testing.TB, what string, got fuse.Status, want syscall.Errno) {
	t.Helper()
	if got != fuse.Status(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestSubjectNode(t *testing.T) {
	m := newWritingMount(t)
	if _, st := m.lookupAt(m.s.node, "a.b"); st != fuse.Status(syscall.ENOENT) {
		t.Errorf("a subject without a message: got %v, want ENOENT", st)
	}
	wantStatus(t, "the first message", m.put("a.b", "one", shellCreate), 0)
	wantStatus(t, "the second message", m.put("a.b", "second", shellCreate), 0)
	wantStatus(t, "appending", m.put("a.b", "3", syscall.O_WRONLY|syscall.O_APPEND), 0)
	m.wantPayloads("1 a.b one", "2 a.b second", "3 a.b 3")
	if got := m.cat("S/a.b"); got != "3" {
		t.Errorf("read %q, want the newest message", got)
	}
	entry := m.walk("S/a.b")
	if entry.Size != 1 || entry.EntryValid != 0 || entry.AttrValid != 0 {
		t.Errorf("got size %d, timeouts %d and %d; want 1, 0 and 0", entry.Size, entry.EntryValid, entry.AttrValid)
	}
	if _, err := m.s.Remove(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if got := m.cat("S/a.b"); got != "second" {
		t.Errorf("read %q, want the newest message that is left", got)
	}
	if got := m.reasons(); got != nil {
		t.Errorf("got refusals %q, want none", got)
	}
}

func TestSubjectNodeIsForgotten(t *testing.T) {
	m := newWritingMount(t)
	for i := range 100 {
		node, fh, st := m.open(fmt.Sprintf("s.%d", i), shellCreate, 0o644)
		if !st.Ok() {
			t.Fatal(st)
		}
		m.close(node, fh)
		m.Forget(node, 1)
	}
	if n := m.objects.count(); n != 0 {
		t.Errorf("%d objects are left, want 0", n)
	}
	if n := len(m.handles.all()); n != 0 {
		t.Errorf("%d handles are left, want 0", n)
	}
}

func TestSubjectUnlinked(t *testing.T) {
	m := newWritingMount(t, "one")
	wantStatus(t, "unlink", m.unlink("a.b"), syscall.ENOENT)
	if r := m.reasons(); len(r) != 1 || !strings.Contains(r[0], "stands for a subject") {
		t.Errorf("got reasons %q", r)
	}
	if _, st := m.lookupAt(m.s.node, "a.b"); st != fuse.Status(syscall.ENOENT) {
		t.Errorf("after unlink: got %v, want ENOENT", st)
	}
	m.wantPayloads("1 a.b one")
	wantStatus(t, "made anew with O_EXCL", m.put("a.b", "two", shellCreate|syscall.O_EXCL), 0)
	if got := m.cat("S/a.b"); got != "two" {
		t.Errorf("read %q, want the message that was appended", got)
	}
	m.unlink("a.b")
	m.at = m.at.Add(hideFor + time.Millisecond)
	if got := m.cat("S/a.b"); got != "two" {
		t.Errorf("read %q, want the newest message again", got)
	}
	wantStatus(t, "O_EXCL where there is a message", m.put("a.b", "x", shellCreate|syscall.O_EXCL), syscall.EEXIST)
}

// Programs unlink what they may not overwrite, and make it anew.
func TestUnlinkedMessageComesBack(t *testing.T) {
	tests := []struct {
		name  string
		other bool          // another process makes the file
		later time.Duration // after the unlink
		by    string        // CREATE, MKNOD or RENAME
		back  bool
	}{
		{"CREATE by the same process", false, 0, "CREATE", true},
		{"MKNOD by the same process", false, time.Second, "MKNOD", true},
		{"RENAME by the same process", false, 0, "RENAME", true},
		{"CREATE by another process", true, 0, "CREATE", false},
		{"CREATE after two seconds", false, hideFor + time.Millisecond, "CREATE", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newWritingMount(t, "one", "two")
			wantStatus(t, "the draft", m.put(".d", "new", shellCreate), 0)
			wantStatus(t, "unlink", m.unlink("000000000002"), 0)
			m.wantPayloads("1 a.b one")
			m.at = m.at.Add(test.later)
			if test.other {
				m.pid++
			}
			var st fuse.Status
			switch test.by {
			case "CREATE":
				st = m.put("000000000002", "new", shellCreate|syscall.O_EXCL)
			case "MKNOD":
				var out fuse.EntryOut
				st = m.Mknod(nil, &fuse.MknodIn{InHeader: m.header(m.s.node), Mode: syscall.S_IFREG | 0o644}, "000000000002", &out)
			case "RENAME":
				st = m.rename(".d", "000000000002", 0)
			}
			wantStatus(t, test.by, st, syscall.EEXIST)
			if test.back {
				m.wantPayloads("1 a.b one", "2 a.b two")
			} else {
				m.wantPayloads("1 a.b one")
			}
		})
	}
}

// Where nothing is left of what was unlinked, who makes it anew is refused as everybody is.
func TestAnUnlinkedMessageThatIsGoneIsStillNotMadeAnew(t *testing.T) {
	m := newWritingMount(t, "one", "two")
	wantStatus(t, "the draft", m.put(".d", "new", shellCreate), 0)
	wantStatus(t, "unlink", m.unlink("000000000002"), 0)
	m.ctl("S", "erase 2\n")
	var out fuse.EntryOut
	in := &fuse.MknodIn{InHeader: m.header(m.s.node), Mode: syscall.S_IFREG | 0o644}
	wantStatus(t, "MKNOD", m.Mknod(nil, in, "000000000002", &out), syscall.EEXIST)
	wantStatus(t, "CREATE", m.put("000000000002", "new", shellCreate), syscall.EEXIST)
	wantStatus(t, "RENAME", m.rename(".d", "000000000002", 0), syscall.EEXIST)
	m.wantPayloads("1 a.b one")
}

func TestDraftNode(t *testing.T) {
	m := newWritingMount(t)
	temp := uint32(syscall.O_RDWR | syscall.O_CREAT | syscall.O_EXCL)
	node, fh, st := m.open("report.AbC123", temp, 0o600)
	wantStatus(t, "mkstemp", st, 0)
	wantStatus(t, "write", m.write(node, fh, "draft", 0), 0)
	wantStatus(t, "write far out", m.write(node, fh, "x", 1<<40), syscall.EFBIG)
	mtime := m.header(node)
	var attr fuse.AttrOut
	set := &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: mtime, Valid: fuse.FATTR_MTIME, Mtime: 12345, Mtimensec: 678}}
	wantStatus(t, "utimens", m.SetAttr(nil, set, &attr), 0)
	if attr.Mtime != 12345 || attr.Size != 5 || attr.Mode != syscall.S_IFREG|0o600 {
		t.Errorf("got mtime %d, size %d, mode %o", attr.Mtime, attr.Size, attr.Mode)
	}
	wantStatus(t, "close", m.close(node, fh), 0)
	m.wantPayloads()
	if names := m.list(m.s.node, 4096, false, nil); !slices.Equal(names, []string{"report.AbC123"}) {
		t.Errorf("listed: %q", names)
	}
	wantStatus(t, "rename to another draft", m.rename("report.AbC123", ".x", 0), 0)
	wantStatus(t, "rename of what is gone", m.rename("report.AbC123", "x", 0), syscall.EPERM)
	wantStatus(t, "exchange", m.rename(".x", "x", renameExchange), syscall.EINVAL)
	wantStatus(t, "rename to a subject", m.rename(".x", "x.y", 0), 0)
	m.wantPayloads("1 x.y draft")
	if entry := m.walk("S/x.y"); entry.Mtime != 12345 || entry.Mtimensec != 678 {
		t.Errorf("got mtime %d.%d, want what utimens asked for", entry.Mtime, entry.Mtimensec)
	}
	if names := m.list(m.s.node, 4096, false, nil); !slices.Equal(names, []string{"000000000001"}) {
		t.Errorf("listed: %q", names)
	}
}

// What was renamed away in another directory of the stream meanwhile is not there: it stands for no subject.
func TestADraftThatIsGoneIsAbsent(t *testing.T) {
	m := newWritingMount(t, "one")
	for _, to := range []string{"x.y", ".e", "7"} {
		wantStatus(t, "rename to "+to, m.rename(".d", to, 0), syscall.ENOENT)
	}
	wantStatus(t, "rename of a subject", m.rename("a.b", "x.y", 0), syscall.EPERM)
}

func TestDraftRefusedStays(t *testing.T) {
	m := newWritingMount(t)
	wantStatus(t, "the draft", m.put(".d", strings.Repeat("x", 100), shellCreate), 0)
	for to, errno := range map[string]syscall.Errno{
		"a..b": syscall.EINVAL, "0": syscall.EINVAL, ".log": syscall.EPERM, "7": syscall.EPERM,
	} {
		wantStatus(t, "rename to "+to, m.rename(".d", to, 0), errno)
	}
	wantStatus(t, "to a subject that has a message, with NOREPLACE", func() fuse.Status {
		m.put("a.b", "one", shellCreate)
		return m.rename(".d", "a.b", renameNoReplace)
	}(), syscall.EEXIST)
	if got := m.cat("S/.d"); len(got) != 100 {
		t.Errorf("the draft has %d bytes, want 100", len(got))
	}
	wantStatus(t, "rm", m.unlink(".d"), 0)
	m.wantPayloads("1 a.b one")
}

func TestLogWriter(t *testing.T) {
	m := newWritingMount(t)
	log := m.walk("S/.log").NodeId
	open := func(flags uint32) (uint64, fuse.Status) {
		var out fuse.OpenOut
		st := m.Open(nil, &fuse.OpenIn{InHeader: m.header(log), Flags: flags}, &out)
		return out.Fh, st
	}
	_, st := open(syscall.O_WRONLY | syscall.O_APPEND | syscall.O_TRUNC)
	wantStatus(t, "O_TRUNC", st, syscall.EPERM)
	_, st = open(syscall.O_WRONLY)
	wantStatus(t, "without O_APPEND", st, syscall.EPERM)
	fh, st := open(syscall.O_RDWR | syscall.O_APPEND)
	wantStatus(t, "O_APPEND", st, 0)
	wantStatus(t, "write", m.write(log, fh, "a\nb", 1<<30), 0)
	m.wantPayloads("1 s a\n")
	if got, _ := m.readAt(log, fh, 0, 100); got != "a\n" {
		t.Errorf("read %q through the same descriptor", got)
	}
	m.drain()
	m.wantPayloads("1 s a\n", "2 s b")
	wantStatus(t, "write", m.write(log, fh, "c", 0), 0)
	wantStatus(t, "close", m.close(log, fh), 0)
	m.wantPayloads("1 s a\n", "2 s b", "3 s c")
	var attr fuse.AttrOut
	set := &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: m.header(log), Valid: fuse.FATTR_SIZE}}
	wantStatus(t, "truncate", m.SetAttr(nil, set, &attr), syscall.EPERM)
	wantStatus(t, "unlink", m.unlink(".log"), syscall.EPERM)
}
