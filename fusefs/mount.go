package fusefs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// What every mount has.
const (
	fsName     = "jsfs" // so that mountinfo says fuse.jsfs
	maxWrite   = 1 << 20
	mountFlags = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC

	// Requests that the kernel may have under way in the background, which are those
	// that read ahead.
	maxBackground = 32

	// O_TRUNC comes with the OPEN; nothing here has a set-user-ID bit to be cleared before
	// each write, so that the kernel need not ask for the attribute. Without READDIRPLUS_AUTO
	// every listing asks for attributes: dirHandle decides who gets them.
	capabilities = fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_HANDLE_KILLPRIV_V2
)

// ErrNoFusermount means that the program that mounts for an ordinary user is missing.
var ErrNoFusermount = errors.New("an ordinary user needs fusermount3 to mount: install it (on Debian: apt install fuse3), or mount as root")

// serverOptions are the settings of the FUSE protocol.
func (o Options) serverOptions() *fuse.MountOptions {
	level := slog.LevelWarn
	if o.Debug {
		level = slog.LevelInfo
	}
	return &fuse.MountOptions{
		Name:              fsName,
		MaxBackground:     maxBackground,
		MaxWrite:          maxWrite,
		DisableXAttrs:     o.NoXattr,
		ExtraCapabilities: capabilities,
		Debug:             o.Debug,
		Logger:            slog.NewLogLogger(o.Logger.Handler(), level),
	}
}

// connect mounts, and returns the connection to the kernel. No child inherits it: one that
// did would keep a mount alive whose server is dead.
func connect(o Options, mountpoint string) (fd int, err error) {
	fd, err = mountDirect(o, mountpoint)
	if err == nil || os.Geteuid() == 0 && !errors.Is(err, syscall.EPERM) {
		return fd, err
	}
	bin, found := findFusermount()
	if found != nil {
		return -1, ErrNoFusermount
	}
	return mountThrough(bin, o, mountpoint)
}

// mountDirect mounts with mount(2), which takes a privileged process.
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
	}
	if o.kernelChecks() {
		data = append(data, "default_permissions")
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
