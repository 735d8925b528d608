package fusefs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

func (m *mounted) getXattr(node uint64, name string) (string, fuse.Status) {
	h := header(node)
	n, st := m.GetXAttr(nil, &h, name, nil)
	if st != fuse.ERANGE && !st.Ok() {
		return "", st
	}
	buf := make([]byte, n)
	n, st = m.GetXAttr(nil, &h, name, buf)
	return string(buf[:n]), st
}

func TestXattr(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S")
	block := "NATS/1.0\r\nNats-Msg-Id: 7\r\nX: y\r\n\r\n"
	if _, err := s.Append(t.Context(), store.Entry{Subject: "orders.eu", Header: []byte(block), Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	meta, err := s.Stat(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	const none = fuse.Status(syscall.ENODATA)
	const unsupported = fuse.Status(syscall.EOPNOTSUPP)
	for _, tt := range []struct {
		path, attr, want string
		st               fuse.Status
	}{
		{"S/1", "user.jsfs.seq", "1", fuse.OK},
		{"S/1", "user.jsfs.subject", "orders.eu", fuse.OK},
		{"S/1", "user.jsfs.time", mapping.FormatTime(meta.Time), fuse.OK},
		{"S/1", "user.jsfs.headers", block, fuse.OK},
		{"S/1", "user.jsfs.header.X", "y", fuse.OK},
		{"S/1", "user.jsfs.header.Z", "", none},
		{"S/1", "user.jsfs.config", "", none},
		{"S/1", "user.other", "", unsupported},
		{"S/1", "security.capability", "", unsupported},
		{"S/1", "system.posix_acl_access", "", unsupported},
		{"S", "system.posix_acl_default", "", unsupported},
		{"S", "user.jsfs.seq", "", none},
		{"S/.log", "user.jsfs.seq", "", none},
	} {
		got, st := m.getXattr(m.walk(tt.path).NodeId, tt.attr)
		if got != tt.want || st != tt.st {
			t.Errorf("%s of %s: got %q, %v, want %q, %v", tt.attr, tt.path, got, st, tt.want, tt.st)
		}
	}
	if got, st := m.getXattr(m.walk("S").NodeId, "user.jsfs.config"); !st.Ok() || !strings.Contains(got, `"name":"S"`) {
		t.Errorf("config: got %q, %v", got, st)
	}
	if got := m.reasons(); len(got) != 0 {
		t.Errorf("an attribute that is not there is no error, got %q", got)
	}
}

func TestListXattr(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S", "x")
	for path, want := range map[string]string{
		"S/1":    "user.jsfs.seq\x00user.jsfs.subject\x00user.jsfs.time\x00",
		"S":      "user.jsfs.config\x00",
		"S/.log": "",
		".jsfs":  "",
	} {
		h := header(m.walk(path).NodeId)
		n, st := m.ListXAttr(nil, &h, nil)
		if len(want) > 0 && st != fuse.ERANGE || n != uint32(len(want)) {
			t.Errorf("%s, size: got %d, %v, want %d, ERANGE", path, n, st, len(want))
		}
		buf := make([]byte, n)
		if n, st = m.ListXAttr(nil, &h, buf); !st.Ok() || string(buf[:n]) != want {
			t.Errorf("%s: got %q, %v, want %q", path, buf[:n], st, want)
		}
	}
}

func TestAttributesOfMessagesNeverChange(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S", "x")
	for _, path := range []string{"S/1", "S", "S/.log"} {
		node := m.walk(path).NodeId
		h := header(node)
		if st := m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: h}, "user.jsfs.subject", []byte("z")); st != fuse.EPERM {
			t.Errorf("set on %s: got %v, want EPERM", path, st)
		}
		if st := m.RemoveXAttr(nil, &h, "user.jsfs.subject"); st != fuse.EPERM {
			t.Errorf("remove from %s: got %v, want EPERM", path, st)
		}
		if st := m.SetXAttr(nil, &fuse.SetXAttrIn{InHeader: h}, "user.other", []byte("z")); st != fuse.Status(syscall.EOPNOTSUPP) {
			t.Errorf("set another's on %s: got %v, want EOPNOTSUPP", path, st)
		}
	}
}
