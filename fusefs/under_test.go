package fusefs

import (
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
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
