package fusefs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// findFusermount returns the program that mounts for an ordinary user.
func findFusermount() (string, error) {
	for _, name := range []string{"fusermount3", "/bin/fusermount3", "fusermount", "/bin/fusermount"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoFusermount
}

// mountThrough mounts through fusermount3, which is privileged. It opens the
// connection and passes it through a socket.
func mountThrough(bin string, o Options, mountpoint string) (fd int, err error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket for %s: %w", bin, err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "fusermount"), os.NewFile(uintptr(pair[1]), "fusermount")
	defer func() { _ = ours.Close() }()

	options := []string{
		"nosuid", "nodev", "noexec", fmt.Sprintf("max_read=%d", maxWrite),
		"fsname=" + escapeOption(o.Source), "subtype=" + fsName,
	}
	if o.kernelChecks() {
		options = append(options, "default_permissions")
	}
	if o.AllowOther {
		options = append(options, "allow_other")
	}
	if o.ReadOnly {
		options = append(options, "ro")
	}
	var said bytes.Buffer
	cmd := exec.Command(bin, "-o", strings.Join(options, ","), "--", mountpoint)
	cmd.Env = append(os.Environ(), "_FUSE_COMMFD=3")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Run()
	_ = theirs.Close()
	if err != nil {
		return -1, fmt.Errorf("%s: %w: %s", bin, err, strings.TrimSpace(said.String()))
	}
	return receiveDescriptor(pair[0])
}

// escapeOption escapes what separates mount options.
func escapeOption(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(s)
}

// receiveDescriptor takes a file descriptor that was passed through a socket.
func receiveDescriptor(socket int) (int, error) {
	data, control := make([]byte, 4), make([]byte, syscall.CmsgSpace(4))
	_, n, flags, _, err := syscall.Recvmsg(socket, data, control, syscall.MSG_CMSG_CLOEXEC)
	if err == nil && flags&syscall.MSG_CTRUNC != 0 {
		err = errors.New("it passed more than one descriptor")
	}
	if err != nil {
		return -1, fmt.Errorf("take the connection from fusermount3: %w", err)
	}
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("take the connection from fusermount3: %d messages, %w", len(messages), errors.Join(err))
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("take the connection from fusermount3: %d descriptors, %w", len(fds), errors.Join(err))
	}
	return fds[0], nil
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
	bin, err := findFusermount()
	if err != nil {
		return err
	}
	out, err := exec.Command(bin, option, "--", mountpoint).CombinedOutput()
	switch {
	case err != nil && bytes.Contains(out, []byte("busy")):
		return fmt.Errorf("%w: %s", syscall.EBUSY, bytes.TrimSpace(out))
	case err != nil:
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
