package fusefs

import (
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// subjectUser is a thread that uses the subject a.b.
type subjectUser struct {
	*writingMount
	pid  uint32
	path string
}

// as is what a thread does.
func (m *writingMount) as(pid uint32) *subjectUser { return &subjectUser{m, pid, "a.b"} }

// lookup looks the name up, which must be there.
func (u *subjectUser) lookup() fuse.EntryOut {
	u.t.Helper()
	u.writingMount.pid = u.pid
	h, out := u.header(u.dir), fuse.EntryOut{}
	wantStatus(u.t, "lookup", u.Lookup(nil, &h, u.path, &out), 0)
	return out
}

func (u *subjectUser) openNode(node uint64, flags uint32) (uint64, fuse.Status) {
	u.writingMount.pid = u.pid
	var out fuse.OpenOut
	st := u.Open(nil, &fuse.OpenIn{InHeader: u.header(node), Flags: flags}, &out)
	return out.Fh, st
}

// open opens the name as the kernel does: on ESTALE once again.
func (u *subjectUser) open(flags uint32) (entry fuse.EntryOut, fh uint64) {
	u.t.Helper()
	entry = u.lookup()
	fh, st := u.openNode(entry.NodeId, flags)
	if st == fuse.Status(syscall.ESTALE) {
		u.lookup() // the kernel has another node for the name, and asks again
		entry = u.lookup()
		fh, st = u.openNode(entry.NodeId, flags)
	}
	wantStatus(u.t, "open", st, 0)
	return entry, fh
}

func (u *subjectUser) wantSize(node uint64, want uint64) {
	u.t.Helper()
	u.writingMount.pid = u.pid
	in, out := fuse.GetAttrIn{InHeader: u.header(node)}, fuse.AttrOut{}
	if st := u.GetAttr(nil, &in, &out); !st.Ok() || out.Size != want {
		u.t.Errorf("thread %d: got %d bytes, %v, want %d", u.pid, out.Size, st, want)
	}
}

func (u *subjectUser) wantRead(node, fh uint64, want string) {
	u.t.Helper()
	if got, st := u.readAt(node, fh, 0, 100); got != want || !st.Ok() {
		u.t.Errorf("thread %d: got %q, %v, want %q", u.pid, got, st, want)
	}
}

const (
	shellWrite = syscall.O_WRONLY | syscall.O_TRUNC
	readOnly   = syscall.O_RDONLY
)

// Who has a subject open for reading finds the message that he opened, and its size, whatever others append and read there.
func TestAReaderOfASubjectHasItsMessage(t *testing.T) {
	m := newWritingMount(t, "first")
	first, second, writer := m.as(1), m.as(2), m.as(3)
	one, fh1 := first.open(readOnly)
	w, fhw := writer.open(shellWrite)
	if w.NodeId == one.NodeId || w.Ino != one.Ino {
		t.Errorf("who writes has node %x, inode %x, want another node than %x, and inode %x", w.NodeId, w.Ino, one.NodeId, one.Ino)
	}
	wantStatus(t, "write", m.write(w.NodeId, fhw, "the second", 0), 0)
	writer.wantSize(w.NodeId, 10)
	writer.wantSize(writer.lookup().NodeId, 10)
	first.wantSize(one.NodeId, 5)
	second.wantSize(second.lookup().NodeId, 5)
	between, fhb := second.open(readOnly)
	second.wantRead(between.NodeId, fhb, "first")
	writer.writingMount.pid = writer.pid
	wantStatus(t, "close", m.close(w.NodeId, fhw), 0)
	two, fh2 := second.open(readOnly)
	if two.NodeId == one.NodeId || two.NodeId == between.NodeId || two.Ino != one.Ino {
		t.Errorf("the new message has node %x, inode %x, want another node than %x and %x, and inode %x", two.NodeId, two.Ino, one.NodeId, between.NodeId, one.Ino)
	}
	first.wantSize(one.NodeId, 5)
	first.wantRead(one.NodeId, fh1, "first")
	second.wantSize(two.NodeId, 10)
	second.wantRead(two.NodeId, fh2, "the second")
	if got, st := m.getXattr(one.NodeId, "user.jsfs.seq"); got != "1" || !st.Ok() {
		t.Errorf("number of what was opened: got %q, %v, want 1", got, st)
	}
	for node, fh := range map[uint64]uint64{one.NodeId: fh1, between.NodeId: fhb, two.NodeId: fh2} {
		m.Release(nil, &fuse.ReleaseIn{InHeader: header(node), Fh: fh})
	}
	if again, fh := first.open(readOnly); again.NodeId == w.NodeId { // of which the kernel may have any size
		t.Errorf("got node %x, to which somebody wrote", again.NodeId)
	} else {
		first.wantRead(again.NodeId, fh, "the second")
	}
}

// Answers overtake each other, and the kernel passes over the older ones: of a node for which it was told several sizes, or in which somebody wrote, it
// may have any of them. So nobody begins to read there.
func TestASubjectIsReadWhereTheKernelHasOneSize(t *testing.T) {
	m := newWritingMount(t, "first")
	reader, other := m.as(1), m.as(2)
	told := reader.lookup()
	m.append(m.s, "the second")
	if again := other.lookup(); again.NodeId != told.NodeId {
		t.Fatal("another node: nothing is tested")
	}
	_, st := reader.openNode(told.NodeId, readOnly)
	wantStatus(t, "open of what had two sizes", st, syscall.ESTALE)
	own := reader.lookup()
	fh, st := reader.openNode(own.NodeId, readOnly)
	wantStatus(t, "open", st, 0)
	reader.wantRead(own.NodeId, fh, "the second")
	if again := other.lookup(); again.NodeId == own.NodeId || again.Size != 10 {
		t.Errorf("got node %x with %d bytes beside the reader's, %x", again.NodeId, again.Size, own.NodeId)
	}

	w, fhw := other.open(shellWrite)
	wantStatus(t, "write", m.write(w.NodeId, fhw, "3", 0), 0)
	wantStatus(t, "close", m.close(w.NodeId, fhw), 0)
	third := m.as(3)
	looked := third.lookup()
	if looked.NodeId != w.NodeId {
		t.Fatal("another node: nothing is tested")
	}
	_, st = third.openNode(looked.NodeId, readOnly)
	wantStatus(t, "open of what was written", st, syscall.ESTALE)
	looked = third.lookup()
	fh, st = third.openNode(looked.NodeId, readOnly)
	wantStatus(t, "open", st, 0)
	third.wantRead(looked.NodeId, fh, "3")
}

// A node that was made for a thread, and that the kernel forgot before the thread looked the name up again, is not his when its number is another one's.
func TestANodeThatWasForgottenIsNobodys(t *testing.T) {
	m := newWritingMount(t, "first")
	reader, writer, first := m.as(1), m.as(2), m.as(3)
	w, _ := first.open(shellWrite)
	_, st := reader.openNode(reader.lookup().NodeId, readOnly)
	wantStatus(t, "open beside who writes", st, syscall.ESTALE)
	own := reader.lookup()
	m.Forget(own.NodeId, 1)
	_, id := m.subjectOf(writer)
	if id != own.NodeId {
		t.Fatalf("got node %x, want that number again, %x: nothing is tested", id, own.NodeId)
	}
	if again := reader.lookup(); again.NodeId == id || again.NodeId == w.NodeId {
		t.Errorf("got node %x, which is another one's", again.NodeId)
	}
}

// subjectOf makes a node for a name as who is sent to write gets one.
func (m *writingMount) subjectOf(u *subjectUser) (*subjectNode, uint64) {
	id, n := m.enterSubject(m.s, u.path, "")
	own := n.another()
	id, own = m.replaceSubject(id, n, own)
	return own, id
}

// Who asks for attributes while a reader comes is told of what he reads.
func TestANodeThatIsReadHasOneSize(t *testing.T) {
	var u subjectUse
	u.tell(7)
	if !u.read(1, time.Now(), newest{ok: true, seq: 7}, false) {
		t.Fatal("it can't be read")
	}
	if got, ok := u.tell(8); !ok || got.seq != 7 {
		t.Errorf("got message %d, %v, want 7", got.seq, ok)
	}
	if u.read(2, time.Now(), newest{ok: true, seq: 8}, false) {
		t.Error("another message is read there, too")
	}
}

// A message that comes while a name is opened makes nobody read one with the size of another.
func TestASubjectIsOpenedWhileMessagesCome(t *testing.T) {
	m := newWritingMount(t, "first")
	u := m.as(1)
	looked := u.lookup()
	m.append(m.s, "the second")
	if _, st := u.openNode(looked.NodeId, readOnly); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("the kernel has the size of the first: got %v, want ESTALE", st)
	}
	looked = u.lookup()
	m.append(m.s, "3")
	fh, st := u.openNode(looked.NodeId, readOnly) // it asks no third time
	wantStatus(t, "open", st, 0)
	u.wantSize(looked.NodeId, looked.Size)
	u.wantRead(looked.NodeId, fh, "the second")

	other := m.as(2)
	looked = other.lookup()
	m.append(m.s, "the fourth")
	_, st = other.openNode(looked.NodeId, readOnly)
	wantStatus(t, "open", st, syscall.ESTALE)
	looked = other.lookup()
	if _, err := m.s.Purge(t.Context(), store.Purge{}); err != nil {
		t.Fatal(err)
	}
	m.append(m.s, "5")
	fh, st = other.openNode(looked.NodeId, readOnly)
	wantStatus(t, "open", st, 0)
	if got, st := m.readAt(looked.NodeId, fh, 0, 100); !st.Ok() || got != "5" && got != "the fourth" {
		t.Errorf("got %q, %v", got, st)
	}
}

// Who opens a descriptor anew, through /proc/self/fd, looks up no name; and of some callers nobody knows who they are.
func TestASubjectIsSharedByWhoHasNoName(t *testing.T) {
	m := newWritingMount(t, "first")
	writer := m.as(1)
	w, fhw := writer.open(shellWrite)
	_, st := writer.openNode(w.NodeId, readOnly)
	wantStatus(t, "open", st, syscall.ESTALE)
	fh, st := writer.openNode(w.NodeId, readOnly)
	wantStatus(t, "open again", st, 0)
	writer.wantRead(w.NodeId, fh, "first")
	nobody := m.as(0)
	_, st = nobody.openNode(w.NodeId, readOnly)
	wantStatus(t, "open by nobody", st, 0)
	writer.writingMount.pid = writer.pid
	wantStatus(t, "write", m.write(w.NodeId, fhw, "second", 0), 0)
	wantStatus(t, "close", m.close(w.NodeId, fhw), 0)
	m.wantPayloads("1 a.b first", "2 a.b second")
}

// Those who write share a node, so that locks hold among them.
func TestWritersOfASubjectShareANode(t *testing.T) {
	m := newWritingMount(t, "first")
	reader, a, b := m.as(1), m.as(2), m.as(3)
	r, _ := reader.open(readOnly)
	x, _ := a.open(shellWrite)
	y, _ := b.open(shellWrite)
	if x.NodeId != y.NodeId || x.NodeId == r.NodeId {
		t.Errorf("got nodes %x and %x beside the reader's %x, want one for both", x.NodeId, y.NodeId, r.NodeId)
	}
	// One who opens it for reading before who it was made for does not take it.
	c, d := m.as(4), m.as(5)
	m.append(m.s, "second")
	p, _ := c.open(readOnly)
	looked := d.lookup()
	_, st := d.openNode(looked.NodeId, shellWrite)
	if p.NodeId == looked.NodeId {
		wantStatus(t, "open", st, syscall.ESTALE)
		looked = d.lookup()
	}
	m.as(6).open(readOnly)
	_, st = d.openNode(looked.NodeId, shellWrite)
	wantStatus(t, "open by who it was made for", st, 0)
}
