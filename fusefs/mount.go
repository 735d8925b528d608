package fusefs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// What every mount has. mountFlags and mountOptions say the same, to mount(2) and to
// fusermount3.
const (
	fsName     = "jsfs" // so that mountinfo says fuse.jsfs
	maxWrite   = 1 << 20
	mountFlags = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC

	// Requests that the kernel may have under way in the background, which are those
	// that read ahead.
	maxBackground = 32

	// O_TRUNC comes with the OPEN; nothing here has a set-user-ID bit to be cleared before
	// each write, so that the kernel need not ask for the attribute; READDIRPLUS only
	// for who looks at the attributes.
	capabilities = fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_HANDLE_KILLPRIV_V2 | fuse.CAP_READDIRPLUS_AUTO
)

// ErrNoFusermount means that the program that mounts for an ordinary user is missing.
var ErrNoFusermount = errors.New("an ordinary user needs fusermount3 to mount: install it (on Debian: apt install fuse3), or mount as root")

// serverOptions are the settings of the FUSE server, and of fusermount3.
func (o Options) serverOptions() *fuse.MountOptions {
	level := slog.LevelWarn
	if o.Debug {
		level = slog.LevelInfo
	}
	m := &fuse.MountOptions{
		AllowOther:        o.AllowOther,
		Options:           []string{"default_permissions", "nosuid", "nodev", "noexec"},
		FsName:            o.Source,
		Name:              fsName,
		MaxBackground:     maxBackground,
		MaxWrite:          maxWrite,
		DisableXAttrs:     o.NoXattr,
		DisableSplice:     true,
		ExtraCapabilities: capabilities,
		Debug:             o.Debug,
		Logger:            slog.NewLogLogger(o.Logger.Handler(), level),
	}
	if o.ReadOnly {
		m.Options = append(m.Options, "ro")
	}
	return m
}

// connect mounts fs and answers the kernel's first request.
func connect(fs *FS, mountpoint string) (*fuse.Server, error) {
	opts := fs.opt.serverOptions()
	where := mountpoint
	fd, err := mountDirect(fs.opt, mountpoint)
	switch {
	case err == nil:
		where = fmt.Sprintf("/dev/fd/%d", fd) // go-fuse takes it from there
	case os.Geteuid() != 0 || errors.Is(err, syscall.EPERM):
		if _, err := exec.LookPath("fusermount3"); err != nil {
			return nil, ErrNoFusermount
		}
	default:
		return nil, err
	}
	srv, err := fuse.NewServer(fs, where, opts)
	if err == nil {
		return srv, nil
	}
	if where != mountpoint {
		_ = syscall.Unmount(mountpoint, syscall.MNT_DETACH) // it is of no use; err says why
	} else if fs.opt.AllowOther && os.Geteuid() != 0 {
		err = fmt.Errorf("%w (for allow_other, /etc/fuse.conf must have the line user_allow_other)", err)
	}
	return nil, err
}

// mountDirect mounts with mount(2), which takes a privileged process, and returns
// the connection. No child inherits it: one that did would keep a mount alive whose
// server is dead.
func mountDirect(o Options, mountpoint string) (fd int, err error) {
	fd, err = syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open /dev/fuse: %w", err)
	}
	data := []string{
		fmt.Sprintf("fd=%d", fd),
		fmt.Sprintf("rootmode=%o", syscall.S_IFDIR),
		fmt.Sprintf("user_id=%d", os.Geteuid()),
		fmt.Sprintf("group_id=%d", os.Getegid()),
		fmt.Sprintf("max_read=%d", maxWrite),
		"default_permissions",
	}
	if o.AllowOther {
		data = append(data, "allow_other")
	}
	flags := uintptr(mountFlags)
	if o.ReadOnly {
		flags |= syscall.MS_RDONLY
	}
	if err := syscall.Mount(o.Source, mountpoint, "fuse."+fsName, flags, strings.Join(data, ",")); err != nil {
		_ = syscall.Close(fd)
		return -1, fmt.Errorf("mount %s: %w", mountpoint, err)
	}
	return fd, nil
}

// disconnect unmounts. Lazily, it takes the mount out of the tree whoever uses it.
func disconnect(mountpoint string, lazily bool) error {
	flags, option := 0, "-u"
	if lazily {
		flags, option = syscall.MNT_DETACH, "-uz"
	}
	err := syscall.Unmount(mountpoint, flags)
	if err == nil || !errors.Is(err, syscall.EPERM) {
		return err
	}
	out, err := exec.Command("fusermount3", option, "--", mountpoint).CombinedOutput()
	if err != nil && len(out) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return err
}
