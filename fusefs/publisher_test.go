package fusefs

import (
	"testing"
	"time"
)

func TestRoom(t *testing.T) {
	var r room
	m := newWritingMount(t)
	now := time.Unix(1, 0)
	if err := r.check(t.Context(), m.st, now, 1); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	u, err := m.st.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.check(t.Context(), m.st, now, int64(u.Free)); err == nil {
		t.Error("a message as large as the store: got nil, want an error")
	}
}

func TestFindDevice(t *testing.T) {
	const mountinfo = `30 1 8:1 / / rw - ext4 /dev/sda1 rw
52 30 0:40 / /tmp/a\040b rw,nosuid - fuse.jsfs mem: rw,user_id=0
53 30 0:41 / /tmp/c rw - tmpfs tmpfs rw
54 53 0:42 / /tmp/c rw - fuse.jsfs mem: rw
55 30 0:43 / /tmp/a b rw - fuse.jsfs mem: rw
`
	for mountpoint, want := range map[string]string{"/tmp/a b": "0:40", "/tmp/c": "0:42", "/tmp/a\u00a0b": "0:43", "/": "", "/tmp": ""} {
		if got := findDevice(mountinfo, mountpoint); got != want {
			t.Errorf("%s: got %q, want %q", mountpoint, got, want)
		}
	}
}
