package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// disk is an ext4 file system of its own, on a loop device.
type disk struct {
	t   *testing.T
	dir string // where it is mounted
	img string
}

// newDisk makes a file system of that size, for example "64M", and mounts it until the test ends.
func newDisk(t *testing.T, size string) *disk {
	t.Helper()
	needs(t, "mkfs.ext4")
	base := scratch(t)
	d := &disk{t: t, dir: filepath.Join(base, "disk"), img: filepath.Join(base, "img")}
	sh(t, fmt.Sprintf("truncate -s %s %s; mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 %s; mkdir %s", size, quoted(d.img), quoted(d.img), quoted(d.dir)))
	t.Cleanup(d.unmount)
	d.mount()
	return d
}

func (d *disk) mount() {
	d.t.Helper()
	sh(d.t, fmt.Sprintf("mount -o loop,noatime,errors=remount-ro %s %s; mountpoint -q %s", quoted(d.img), quoted(d.dir), quoted(d.dir)))
}

// unmount waits while the disk is busy: a child that another test forks holds what this process had open until it executes its program.
func (d *disk) unmount() {
	d.t.Helper()
	if len(mountsBelow(d.t, d.dir)) > 0 {
		eventually(d.t, patience, "the disk is unmounted", func() bool { return exec.Command("umount", d.dir).Run() == nil })
	}
}

// device is the name of the loop device, as below /sys/fs/ext4.
func (d *disk) device() string {
	d.t.Helper()
	return strings.TrimSpace(sh(d.t, "basename $(findmnt -n -o SOURCE "+quoted(d.dir)+")"))
}

// cutPower ends the file system at once: what it has not written to the device is lost.
func (d *disk) cutPower() {
	d.t.Helper()
	f, err := os.Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	const (
		goingDown  = 0x8004587d // EXT4_IOC_SHUTDOWN
		noLogFlush = 2
	)
	if err := ioctl(f.Fd(), goingDown, noLogFlush); err != nil {
		d.t.Fatalf("shut the file system down: %v", err)
	}
}

// cycle unmounts and mounts again, which replays the journal.
func (d *disk) cycle() {
	d.t.Helper()
	d.unmount()
	d.mount()
}

// freeze stops every write to the file system; the function that it returns lets them go on.
func (d *disk) freeze() func() {
	d.t.Helper()
	sh(d.t, "fsfreeze -f "+quoted(d.dir))
	thawed := false
	thaw := func() {
		if !thawed {
			thawed = true
			sh(d.t, "fsfreeze -u "+quoted(d.dir))
		}
	}
	d.t.Cleanup(thaw)
	return thaw
}

// ioctl calls ioctl(2) with a pointer to a number.
func ioctl(fd uintptr, request uintptr, value uint32) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, pointerTo(&value)); errno != 0 {
		return errno
	}
	return nil
}
