package fusefs

import (
	"os"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestWhoChecksPermissions(t *testing.T) {
	me := uint32(os.Geteuid())
	for _, tt := range []struct {
		name string
		opt  Options
		want bool
	}{
		{"one user, who may do everything", Options{}, false},
		{"his umask takes from others only", Options{Umask: ref(uint32(0o077))}, false},
		{"others get in", Options{AllowOther: true}, true},
		{"another user owns everything", Options{UID: ref(me + 1)}, true},
		{"his umask takes from the owner", Options{Umask: ref(uint32(0o200))}, true},
	} {
		if got := tt.opt.withDefaults().kernelChecks(); got != tt.want {
			t.Errorf("%s: the kernel checks: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestPermitted(t *testing.T) {
	for _, tt := range []struct {
		uid, mode, wanted uint32
		refused           bool
	}{
		{1000, 0o644, mayRead, false},
		{1000, 0o644, mayRead | mayWrite, false},
		{1000, 0o644, mayExecute, true},
		{1000, 0o444, mayWrite, true},
		{1000, 0o244, mayRead, true},
		{1000, 0o477, mayExecute, true},
		{1000, 0o755, mayRead | mayWrite | mayExecute, false},
		{1000, 0o000, 0, false},
		{0, 0o000, mayRead | mayWrite, false},
		{0, 0o666, mayExecute, true},
		{0, 0o001, mayExecute, false},
	} {
		m := newMounted(t, Options{})
		c := m.call("open", &fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID, Caller: fuse.Caller{Owner: fuse.Owner{Uid: tt.uid}}}, nil, "")
		if got := c.status(c.permitted(tt.mode, tt.wanted)); (got == fuse.EACCES) != tt.refused {
			t.Errorf("uid %d, mode %o, wants %o: got %v, refused is to be %v", tt.uid, tt.mode, tt.wanted, got, tt.refused)
		}
		m.opt.AllowOther = true
		if err := c.permitted(tt.mode, tt.wanted); err != nil {
			t.Errorf("uid %d, mode %o, wants %o, where the kernel checks: got %v", tt.uid, tt.mode, tt.wanted, err)
		}
	}
}

func TestWantedAccess(t *testing.T) {
	for flags, want := range map[uint32]uint32{
		syscall.O_RDONLY: mayRead, syscall.O_WRONLY: mayWrite, syscall.O_RDWR: mayRead | mayWrite,
		syscall.O_RDONLY | syscall.O_TRUNC: mayRead | mayWrite, syscall.O_WRONLY | syscall.O_APPEND: mayWrite,
	} {
		if got := wantedAccess(flags); got != want {
			t.Errorf("flags %#x: got %o, want %o", flags, got, want)
		}
	}
}
