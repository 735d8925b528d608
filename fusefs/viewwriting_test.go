package fusefs

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// file returns the header that names the file of a message.
func (m *writingMount) file(seq store.Seq) string {
	m.t.Helper()
	msg, err := m.s.Load(m.t.Context(), seq, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	value, _ := mapping.HeaderValue(msg.Header, mapping.HeaderFilename)
	return value
}

func TestFilesBecomeMessagesOfASubject(t *testing.T) {
	m := newWritingMount(t)
	m.dir = m.walk("S/.jsfs/subjects/docs.in").NodeId
	for i, name := range []string{"a.pdf", "my report 100%.pdf", "b.c", "*", "docs.in", "new\nline"} {
		if st := m.put(name, fmt.Sprint("content ", i), shellCreate); !st.Ok() {
			t.Fatalf("%q: %v", name, st)
		}
		if got := m.cat("S/.jsfs/subjects/docs.in/" + name); got != fmt.Sprint("content ", i) {
			t.Errorf("%q reads %q", name, got)
		}
	}
	m.wantPayloads("1 docs.in content 0", "2 docs.in content 1", "3 docs.in content 2", "4 docs.in content 3", "5 docs.in content 4", "6 docs.in content 5")
	for seq, want := range map[store.Seq]string{1: "a.pdf", 2: "my report 100%25.pdf", 5: "docs.in", 6: "new%0Aline"} {
		if got := m.file(seq); got != want {
			t.Errorf("message %d is from %q, want %q", seq, got, want)
		}
	}
	if got := m.names("S/.jsfs/subjects/docs.in"); got != "000000000001 000000000002 000000000003 000000000004 000000000005 000000000006" {
		t.Errorf("listed: %s", got)
	}
	// Written again, a name stands for the new message.
	if st := m.put("a.pdf", "second", shellCreate); !st.Ok() {
		t.Fatal(st)
	}
	if got := m.cat("S/.jsfs/subjects/docs.in/a.pdf"); got != "second" {
		t.Errorf("got %q", got)
	}
	_, _, st := m.open("a.pdf", shellCreate|syscall.O_EXCL, 0o644)
	wantStatus(t, "O_EXCL of what was written", st, syscall.EEXIST)
	if _, st := m.lookupAt(m.walk("S/.jsfs/subjects/other").NodeId, "a.pdf"); st != fuse.ENOENT {
		t.Errorf("in another subject's directory: %v", st)
	}
}

func TestUnlinkedFilesOfASubject(t *testing.T) {
	m := newWritingMount(t)
	m.dir = m.walk("S/.jsfs/subjects/docs.in").NodeId
	wantStatus(t, "unlink of what was never written", m.unlink("a.pdf"), syscall.ENOENT)
	if st := m.put("a.pdf", "one", shellCreate); !st.Ok() {
		t.Fatal(st)
	}
	wantStatus(t, "unlink", m.unlink("a.pdf"), syscall.ENOENT)
	if _, st := m.lookupAt(m.dir, "a.pdf"); st != fuse.ENOENT {
		t.Errorf("it is still there: %v", st)
	}
	if got := m.reasons(); len(got) == 0 || !strings.Contains(got[len(got)-1], "docs.in/a.pdf ENOENT") {
		t.Errorf("errors: %q", got)
	}
	if st := m.put("a.pdf", "two", shellCreate|syscall.O_EXCL); !st.Ok() {
		t.Fatal(st)
	}
	m.wantPayloads("1 docs.in one", "2 docs.in two")
	if got := m.cat("S/.jsfs/subjects/docs.in/a.pdf"); got != "two" {
		t.Errorf("got %q", got)
	}
}

func TestDraftsBecomeFilesOfASubject(t *testing.T) {
	m := newWritingMount(t)
	m.dir = m.walk("S/.jsfs/subjects/docs.in").NodeId
	if st := m.put(".a.pdf.Xy12ab", "synced", shellCreate); !st.Ok() {
		t.Fatal(st)
	}
	if got := m.names("S"); got != ".a.pdf.Xy12ab" {
		t.Errorf("the stream has %q", got)
	}
	if st := m.rename(".a.pdf.Xy12ab", "a.pdf", 0); !st.Ok() {
		t.Fatal(st)
	}
	node, fh, st := m.open("a file.Xy12ab", syscall.O_RDWR|syscall.O_CREAT|syscall.O_EXCL, 0o600)
	if !st.Ok() {
		t.Fatal(st)
	}
	m.write(node, fh, "temporary", 0)
	m.close(node, fh)
	m.wantPayloads("1 docs.in synced")
	if st := m.rename("a file.Xy12ab", "a file", 0); !st.Ok() {
		t.Fatal(st)
	}
	m.wantPayloads("1 docs.in synced", "2 docs.in temporary")
	if a, b := m.file(1), m.file(2); a != "a.pdf" || b != "a file" {
		t.Errorf("they are from %q and %q", a, b)
	}
	if got := m.names("S"); got != "000000000001 000000000002" {
		t.Errorf("left: %q", got)
	}
}

func TestWhatViewsRefuse(t *testing.T) {
	m := newWritingMount(t, "one", "two")
	for _, dir := range []string{"subjects/a.>", "subjects/>", "range/1-", "since/2001-01-01", "subjects/a.b/.jsfs/range/1-9"} {
		m.dir = m.walk("S/.jsfs/" + dir).NodeId
		for _, name := range []string{"file", "a.b", ".draft"} {
			_, _, st := m.open(name, shellCreate, 0o644)
			wantStatus(t, dir+"/"+name, st, syscall.EPERM)
		}
		if got := m.reasons(); !strings.Contains(got[len(got)-1], "written to one subject") {
			t.Errorf("%s: errors: %q", dir, got[len(got)-1])
		}
	}
	m.dir = m.walk("S/.jsfs/subjects/a.b").NodeId
	// cp -f and mv unlink what they are to replace: the message comes back.
	wantStatus(t, "unlink", m.unlink("000000000002"), 0)
	_, _, st := m.open("000000000002", shellCreate, 0o644)
	wantStatus(t, "create of what was unlinked", st, syscall.EEXIST)
	m.wantPayloads("1 a.b one", "2 a.b two")
	for _, dir := range []string{"", "subjects", "last-by-subject", "since", "range", "msg", "msg/1"} {
		m.dir = m.walk(strings.TrimSuffix("S/.jsfs/"+dir, "/")).NodeId
		_, _, st := m.open("a..b", shellCreate, 0o644)
		want := syscall.EPERM
		wantStatus(t, dir+"/file", st, want)
		var out fuse.EntryOut
		st = m.Mkdir(nil, &fuse.MkdirIn{InHeader: m.header(m.dir)}, "dir", &out)
		wantStatus(t, dir+"/dir", st, want)
		wantStatus(t, "rm in "+dir, m.unlink("log"), want)
	}
	m.dir = m.walk("S/.jsfs/subjects/a.b").NodeId
	_, _, st = m.open("99", shellCreate, 0o644)
	wantStatus(t, "a sequence above the last", st, syscall.EPERM)
	_, _, st = m.open("1", shellCreate&^syscall.O_CREAT, 0o644)
	wantStatus(t, "a message", st, syscall.EPERM)
	for _, path := range []string{"last-by-subject/a.b", "msg/1/headers", "msg/1/data"} {
		_, st := m.openAt(m.walk("S/.jsfs/"+path).NodeId, syscall.O_WRONLY)
		wantStatus(t, path, st, syscall.EPERM)
	}
	// Who was refused something in .jsfs is removing all of it.
	m.dir = m.walk("S/.jsfs/subjects/a.b").NodeId
	wantStatus(t, "rm of a message, after rm in .jsfs", m.unlink("000000000002"), syscall.EPERM)
	m.dir = m.s.node
	if st := m.put(".d", "draft", shellCreate); !st.Ok() {
		t.Fatal(st)
	}
	st = m.Rename(nil, &fuse.RenameIn{InHeader: m.header(m.s.node), Newdir: m.walk("S/.jsfs/subjects/a.b").NodeId}, ".d", "77")
	wantStatus(t, "a draft to a sequence in a view", st, syscall.EPERM)
	m.wantPayloads("1 a.b one", "2 a.b two")
}

func TestManyFilesAreForgottenOldestFirst(t *testing.T) {
	var w writtenFiles
	for i := range store.Seq(2 * maxWritten) {
		w.add("s", fmt.Sprint(i), i+1)
	}
	w.add("s", fmt.Sprint(2*maxWritten-1), 9*maxWritten)
	for i, want := range map[int]store.Seq{0: 0, maxWritten - 1: 0, maxWritten: maxWritten + 1, 2*maxWritten - 1: 9 * maxWritten} {
		if got := w.get("s", fmt.Sprint(i)); got != want {
			t.Errorf("file %d became message %d, want %d", i, got, want)
		}
	}
	if len(w.m) != maxWritten || w.order.Len() != maxWritten {
		t.Errorf("%d and %d are remembered", len(w.m), w.order.Len())
	}
	if got := w.take("s", fmt.Sprint(maxWritten)); got != maxWritten+1 || w.get("s", fmt.Sprint(maxWritten)) != 0 {
		t.Errorf("taken: %d", got)
	}
}
