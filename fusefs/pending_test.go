package fusefs

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
)

func TestPendingRestore(t *testing.T) {
	set := func(m *writingMount, node uint64, name, value string) {
		t.Helper()
		wantStatus(t, name, m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: m.header(node)}, name, []byte(value)), 0)
	}
	tests := []struct {
		name  string
		attrs map[string]string
		want  syscall.Errno
		msgs  []string
	}{
		{"with its attributes", map[string]string{mapping.XattrSeq: "7", mapping.XattrSubject: "r.s"}, 0, []string{"1 a.b one", "7 r.s text"}},
		{"without any", nil, syscall.EPERM, []string{"1 a.b one"}},
		{"without a subject", map[string]string{mapping.XattrSeq: "7"}, syscall.EPERM, []string{"1 a.b one"}},
		{"with another's number", map[string]string{mapping.XattrSeq: "8", mapping.XattrSubject: "r.s"}, syscall.EPERM, []string{"1 a.b one"}},
		{"with a wildcard", map[string]string{mapping.XattrSeq: "7", mapping.XattrSubject: "r.*"}, syscall.EINVAL, []string{"1 a.b one"}},
		{"with a time that is none", map[string]string{mapping.XattrSeq: "7", mapping.XattrSubject: "r", mapping.XattrTime: "noon"}, syscall.EINVAL, []string{"1 a.b one"}},
	}
	for _, test := range tests {
		for _, how := range []string{"by CREATE", "by MKNOD", "by RENAME"} {
			t.Run(test.name+" "+how, func(t *testing.T) {
				m := newWritingMount(t, "one")
				name := "000000000007"
				if how == "by RENAME" {
					name = ".d"
				}
				if how == "by MKNOD" {
					var out fuse.EntryOut
					wantStatus(t, "mknod", m.Mknod(nil, &fuse.MknodIn{InHeader: m.header(m.s.node), Mode: syscall.S_IFREG | 0o644}, name, &out), 0)
				}
				node, fh, st := m.open(name, shellCreate, 0o644)
				wantStatus(t, "open", st, 0)
				for k, v := range test.attrs {
					set(m, node, k, v)
				}
				wantStatus(t, "write", m.write(node, fh, "text", 0), 0)
				st = m.close(node, fh)
				if how == "by RENAME" {
					st = m.rename(name, "7", 0)
				}
				wantStatus(t, "the end", st, test.want)
				m.wantPayloads(test.msgs...)
				if _, st := m.lookupAt(m.s.node, "000000000007"); st.Ok() != (test.want == 0) {
					t.Errorf("lookup afterwards: %v", st)
				}
			})
		}
	}
}

func TestPendingGivenUp(t *testing.T) {
	m := newWritingMount(t, "one")
	node, fh, st := m.open("4913", syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL, 0o644)
	wantStatus(t, "create", st, 0)
	wantStatus(t, "a second one", m.put("4913", "", syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL), syscall.EEXIST)
	wantStatus(t, "unlink", m.unlink("4913"), 0)
	wantStatus(t, "close", m.close(node, fh), 0)
	wantStatus(t, "unlink again", m.unlink("4913"), syscall.ENOENT)
	m.wantPayloads("1 a.b one")
}

// The release of a file comes when its writer has gone on: what is made under its number since is another one.
func TestPendingReleasedLate(t *testing.T) {
	m := newWritingMount(t, "one")
	node, fh, st := m.open("7", shellCreate, 0o644)
	wantStatus(t, "create", st, 0)
	wantStatus(t, "write", m.write(node, fh, "text", 0), 0)
	wantStatus(t, "close", m.Flush(nil, &fuse.FlushIn{InHeader: m.header(node), Fh: fh}), syscall.EPERM)
	again, fh2, st := m.open("7", shellCreate, 0o644)
	wantStatus(t, "create again", st, 0)
	m.closeFile(node, fh)
	if out, st := m.lookupAt(m.dir, "7"); !st.Ok() || out.NodeId != again {
		t.Errorf("it is node %d, %v, want %d", out.NodeId, st, again)
	}
	wantStatus(t, "close", m.close(again, fh2), syscall.EPERM)
	m.wantPayloads("1 a.b one")
}

// Who makes a file while one of its number is just given up has not that one's attributes.
func TestPendingMadeAnew(t *testing.T) {
	m := newWritingMount(t, "one")
	old, fh, st := m.open("7", shellCreate, 0o644)
	wantStatus(t, "create", st, 0)
	for name, value := range map[string]string{mapping.XattrSeq: "7", mapping.XattrSubject: "r.s"} {
		wantStatus(t, name, m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: m.header(old)}, name, []byte(value)), 0)
	}
	m.s.writing.mu.Lock()
	delete(m.s.writing.pending, 7) // as drop does first
	m.s.writing.mu.Unlock()
	wantStatus(t, "write without attributes", m.put("7", "text", shellCreate), syscall.EPERM)
	m.wantPayloads("1 a.b one")
	wantStatus(t, "close", m.close(old, fh), 0)
	m.wantPayloads("1 a.b one", "7 r.s ")
}

// unread is a /proc that tells of no process, for a reason.
type unread struct {
	oneThreadEach
	why error
}

func (u unread) Process(uint32) (int, error) { return 0, u.why }

// A message that was made by mknod(2) is given up once its maker is gone, and not as nobody knows.
func TestAPendingRestoreEndsWithItsMaker(t *testing.T) {
	for why, want := range map[syscall.Errno]syscall.Errno{
		syscall.ENOENT: syscall.ENOENT, syscall.ESRCH: syscall.ENOENT, syscall.EMFILE: 0, syscall.EACCES: 0,
	} {
		m := newWritingMount(t)
		const name = "000000000007"
		st := m.Mknod(nil, &fuse.MknodIn{InHeader: m.header(m.s.node), Mode: syscall.S_IFREG | 0o644}, name, &fuse.EntryOut{})
		wantStatus(t, "mknod", st, 0)
		m.pub.proc = unread{why: &os.PathError{Op: "open", Path: "status", Err: why}}
		_, st = m.lookupAt(m.s.node, name)
		wantStatus(t, fmt.Sprintf("lookup where /proc gives %v", why), st, want)
	}
}
