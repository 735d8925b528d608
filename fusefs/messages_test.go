package fusefs

import (
	"context"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/logview"
	"jsfs/mapping"
	"jsfs/store"
)

// meddled is a stream that has something else done once, in the middle of a look at its state.
type meddled struct {
	store.Stream
	meddle func()
}

func (s *meddled) State(ctx context.Context) (store.State, error) {
	if do := s.meddle; do != nil {
		s.meddle = nil
		do()
	}
	return s.Stream.State(ctx)
}

// While a log is opened from a moment on, that moment may become another sequence, and another log take its place.
func TestTheLogThatIsOpenIsTheOneWhoseSizeIsTold(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "one", "two", "three")
	c := m.ownCall("test")
	if _, err := s.Remove(c, 1); err != nil { // so that it is the log of a part
		t.Fatal(err)
	}
	other := &meddled{Stream: s.Stream}
	s.Stream = other
	msgs := &messages{stream: s, filter: mapping.Filter{Since: 1}}
	other.meddle = func() {
		if _, err := s.Remove(c, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := msgs.log(c, logview.Payloads); err != nil {
			t.Fatal(err)
		}
	}
	h, err := msgs.openLog(c, logview.Payloads)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	l, err := msgs.log(c, logview.Payloads)
	if err != nil || !l.InUse() {
		t.Errorf("another log than the one that is open is told about (%v)", err)
	}
}

// Who asks for the mode and the owner that a message has anyway is not refused: chown -R and chmod -R walk over everything.
func TestChangesThatChangeNothing(t *testing.T) {
	uid, gid, umask := uint32(7), uint32(8), uint32(0o022)
	m := newMounted(t, Options{UID: &uid, GID: &gid, Umask: &umask})
	m.stream("S", "one")
	node := m.walk("S/1").NodeId
	for _, c := range []struct {
		name string
		in   fuse.SetAttrInCommon
		want syscall.Errno
	}{
		{"nothing", fuse.SetAttrInCommon{}, 0},
		{"its mode", fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: syscall.S_IFREG | 0o644}, 0},
		{"another mode", fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: syscall.S_IFREG | 0o600}, syscall.EPERM},
		{"its mode, and setuid", fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: syscall.S_IFREG | 0o4644}, syscall.EPERM},
		{"its owner and group", fuse.SetAttrInCommon{Valid: fuse.FATTR_UID | fuse.FATTR_GID, Owner: fuse.Owner{Uid: 7, Gid: 8}}, 0},
		{"another owner", fuse.SetAttrInCommon{Valid: fuse.FATTR_UID, Owner: fuse.Owner{Uid: 8}}, syscall.EPERM},
		{"another group", fuse.SetAttrInCommon{Valid: fuse.FATTR_UID | fuse.FATTR_GID, Owner: fuse.Owner{Uid: 7, Gid: 7}}, syscall.EPERM},
		{"its mode, and a time", fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE | fuse.FATTR_MTIME, Mode: 0o644}, syscall.EPERM},
		{"its size", fuse.SetAttrInCommon{Valid: fuse.FATTR_SIZE, Size: 3}, syscall.EPERM},
	} {
		c.in.InHeader = header(node)
		wantStatus(t, c.name, m.SetAttr(nil, &fuse.SetAttrIn{SetAttrInCommon: c.in}, &fuse.AttrOut{}), c.want)
	}
}
