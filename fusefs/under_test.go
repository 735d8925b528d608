package fusefs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// Who writes over a message has nothing of it any more once it is erased, and appends nothing of it.
func TestWhoWritesOverWhatIsErasedHasNothingOfIt(t *testing.T) {
	m := newWritingMount(t, "a secret of mine")
	node, fh, st := m.open("a.b", syscall.O_RDWR, 0)
	wantStatus(t, "open", st, 0)
	if got, st := m.readAt(node, fh, 0, 8); got != "a secret" || !st.Ok() {
		t.Fatalf("got %q, %v", got, st)
	}
	ctl := m.walk("S/.jsfs/ctl").NodeId
	opened, st := m.openAt(ctl, syscall.O_WRONLY)
	wantStatus(t, "open ctl", st, 0)
	wantStatus(t, "erase", m.write(ctl, opened.Fh, "erase 1\n", 0), 0)
	m.Release(nil, &fuse.ReleaseIn{InHeader: header(ctl), Fh: opened.Fh})
	if got, st := m.readAt(node, fh, 0, 8); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("got %q, %v, want ESTALE", got, st)
	}
	wantStatus(t, "write", m.write(node, fh, "!", 16), syscall.ESTALE)
	wantStatus(t, "close", m.close(node, fh), syscall.ESTALE)
	m.wantPayloads()
}

// The same when its stream was truncated meanwhile.
func TestWhoWritesOverWhatIsErasedOfATruncatedStream(t *testing.T) {
	m := newWritingMount(t, strings.Repeat("a secret", maxStateless/8+1), "the last one")
	if _, err := m.s.Append(t.Context(), store.Entry{Subject: "else", Data: []byte("goes")}); err != nil {
		t.Fatal(err)
	}
	m.remove(m.s, 2)
	node, fh, st := m.open("a.b", syscall.O_RDWR, 0)
	wantStatus(t, "open", st, 0)
	if got, st := m.readAt(node, fh, 0, 8); got != "a secret" || !st.Ok() {
		t.Fatalf("got %q, %v", got, st)
	}
	if _, err := m.st.Truncate(t.Context(), "S", 1); err != nil {
		t.Fatal(err)
	}
	m.streams.drop(m.s.Incarnation())
	m.ctl("S", "erase 1\n")
	if got, st := m.readAt(node, fh, 0, 8); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("got %q, %v, want ESTALE", got, st)
	}
}
