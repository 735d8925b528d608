package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func umountCommand() *cobra.Command {
	var lazy bool
	c := &cobra.Command{
		Use:     "umount MOUNTPOINT",
		Aliases: []string{"unmount"},
		Short:   "Unmount, and wait until the store is closed",
		Args:    exactArgs("a MOUNTPOINT"),
		RunE: func(_ *cobra.Command, args []string) error {
			return umount(args[0], lazy)
		},
	}
	c.Flags().BoolVar(&lazy, "lazy", false, "detach at once; who still has files open there goes on using them")
	return c
}

// umount ends the mount of ours at arg.
func umount(arg string, lazy bool) error {
	all, err := mounts()
	if err != nil {
		return err
	}
	path, err := resolveMountPoint(arg, all)
	if err != nil {
		return fmt.Errorf("mount point %s: %w", arg, explainPath(err))
	}
	e, ok := topmost(all, path)
	switch {
	case !ok:
		return fmt.Errorf("nothing is mounted at %s; `findmnt -t %s` lists the mounts of jsfs", arg, fsType)
	case !e.ours():
		return fmt.Errorf("what is mounted at %s is no jsfs but %s; use umount for it", arg, e.Type)
	}
	err = unmount(path, lazy)
	switch {
	case errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("%s is in use: `fuser -vm %s` lists by whom; `jsfs umount --lazy %s` detaches it all the same", arg, arg, arg)
	case err != nil:
		return fmt.Errorf("unmount %s: %w", arg, err)
	case lazy:
		return nil
	}
	if all, err = mounts(); err != nil {
		return err
	}
	if other, ok := e.elsewhere(all); ok {
		return fmt.Errorf("%s is unmounted, but the same is mounted at %s, too, and goes on until that is unmounted", arg, other.Point)
	}
	return awaitClosed(e.Source)
}

// unmount takes the topmost mount at path away: by itself as root, else through fusermount3.
func unmount(path string, lazy bool) error {
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err := unix.Unmount(path, flags)
	if !errors.Is(err, syscall.EPERM) || os.Geteuid() == 0 {
		return err
	}
	args := []string{"-u", "--", path}
	if lazy {
		args = []string{"-u", "-z", "--", path}
	}
	cmd := exec.Command("fusermount3", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	text, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return errors.New(noFusermount)
	case bytes.Contains(text, []byte("busy")):
		return syscall.EBUSY
	}
	return fmt.Errorf("%s: %w", strings.TrimSpace(string(text)), err)
}

// noFusermount is for users who are not root and lack the program that mounts for them.
const noFusermount = "fusermount3 is not installed, and only root mounts without it; install it (Debian, Ubuntu: `apt-get install fuse3`; Fedora: `dnf install fuse3`; Alpine: `apk add fuse3`), or run jsfs as root"
