package integration

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fullMount mounts a store on a tmpfs of that size, which must be there before anything is
// written: else a loop that fills it would fill the host's disk.
func fullMount(t *testing.T, size string, args ...string) *mnt {
	t.Helper()
	dir := scratch(t)
	sh(t, fmt.Sprintf("mkdir %[1]s/disk; mount -t tmpfs -o size=%[2]s none %[1]s/disk; mountpoint -q %[1]s/disk", dir, size))
	t.Cleanup(func() { sh(t, "umount "+quoted(dir+"/disk")) })
	return mount(t, withSource(dir+"/disk/store"), withArgs(args...))
}

// fill appends messages of 20 kB until one is refused, and returns how many were taken. It stops
// at 64 MB, whatever happens.
func fill(t *testing.T, m *mnt) int {
	t.Helper()
	text := strings.Repeat("0123456789abcdef ", 1200)
	for n := range 3200 {
		if err := os.WriteFile(m.path("S", "x"), []byte(fmt.Sprintf("%d ", n)+text), 0o644); err != nil {
			if !strings.Contains(err.Error(), "no space left") {
				t.Fatalf("message %d: got %v, want ENOSPC", n, err)
			}
			return n
		}
	}
	t.Fatal("64 MB went onto a small disk")
	return 0
}

// TestFullDiskTellsTheWriterAndRemovesAndReadsAndGoesOn is P10 through a mount, on disks that end elsewhere each time.
func TestFullDiskTellsTheWriterAndRemovesAndReadsAndGoesOn(t *testing.T) {
	for _, policy := range []string{"always", "interval"} {
		t.Run(policy, func(t *testing.T) {
			for i := range scaled(1, 1, 25) {
				t.Run(fmt.Sprint(i), func(t *testing.T) { fillDisk(t, policy, 12<<10+236*i) })
			}
		})
	}
}

// fillDisk fills a disk of that many KiB, and uses it on.
func fillDisk(t *testing.T, policy string, kib int) {
	m := fullMount(t, fmt.Sprintf("%dk", kib), "--sync="+policy, "-o", "block_size=1M")
	m.sh("mkdir S")
	n := fill(t, m)
	if n < 100 {
		t.Fatalf("a disk of %d KiB took %d messages of 20 kB", kib, n)
	}
	r := m.try("yes 0123456789 | head -c 200000 > /tmp/full-src.$$; cp /tmp/full-src.$$ S/x; code=$?; rm /tmp/full-src.$$; exit $code")
	if r.code == 0 || !strings.Contains(r.err, "No space left") {
		t.Errorf("cp onto a full disk: got %+v, want ENOSPC", r)
	}
	checkCount(t, m, n)
	m.sh("rm S/1 S/2 S/3")
	if r := m.try("cat S/1"); r.code == 0 {
		t.Error("a message that was removed on a full disk is still there")
	}
	checkCount(t, m, n-3)
	m.crash()
	checkCount(t, m, n-3)
	sh(t, "mount -o remount,size=24m "+quoted(strings.TrimSuffix(m.store, "/store")))
	m.sh("echo again > S/x")
	if got, want := m.sh("cat S/x"), "again\n"; got != want {
		t.Errorf("once there is space: got %q, want %q", got, want)
	}
	m.remount()
	checkCount(t, m, n-2)
	m.stop()
	if r := jsfs(t, "check", m.store); r.code != 0 {
		t.Errorf("check afterwards: %+v", r)
	}
}

// checkCount lists and reads every message of S.
func checkCount(t *testing.T, m *mnt, want int) {
	t.Helper()
	all := m.messages("S")
	if len(all) != want {
		t.Fatalf("there are %d messages, want %d", len(all), want)
	}
	for i, text := range all {
		if len(text) < 6 {
			t.Fatalf("message %d is %q", i, text)
		}
		if text != "again\n" && !strings.HasSuffix(text, "abcdef ") {
			t.Fatalf("message %d is cut: it ends in %q", i, lastBytes(text, 20))
		}
	}
}

// TestAFullDiskGivesBackWhatRmFreed fills a disk, removes messages here and there, and fills it again: what df called free can
// be written, each time.
func TestAFullDiskGivesBackWhatRmFreed(t *testing.T) {
	cases := []struct {
		name, remove string // which lines of a listing, to awk
		args         []string
	}{
		{"every other one", "NR%2", nil},
		{"every third one, small blocks", "NR%3==1", []string{"-o", "block_size=256K"}},
		{"every other one, synced", "NR%2", []string{"--sync=always"}},
		{"the oldest half", "NR<=900", []string{"-o", "block_size=8M"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range scaled(1, 1, 3) {
				giveBack(t, c.remove, c.args)
			}
		})
	}
}

func giveBack(t *testing.T, remove string, args []string) {
	m := fullMount(t, "40m", args...)
	m.sh("mkdir S")
	const each = 20_400 // bytes, about, of a message of fill
	n := fill(t, m)
	if n < 1500 {
		t.Fatalf("a disk of 40 MiB took %d messages", n)
	}
	for round := range 2 {
		before := len(m.messages("S"))
		m.sh(fmt.Sprintf("cd S; ls | awk '%s' | xargs rm", remove))
		gone := before - len(m.messages("S"))
		var st syscall.Statfs_t
		if err := syscall.Statfs(m.path("S"), &st); err != nil {
			t.Fatal(err)
		}
		free := int(st.Bavail) * int(st.Bsize) //nolint:gosec // small
		got := fill(t, m)
		t.Logf("round %d: %d of %d removed, df says %d, %d appended", round, gone, before, free, got)
		if got*each < free-free/20-each || got < gone*9/10 {
			t.Errorf("round %d: %d of %d messages removed, %d bytes free, and %d could be appended", round, gone, before, free, got)
		}
		checkCount(t, m, before-gone+got)
	}
	begun := time.Now()
	m.stop()
	if d := time.Since(begun); d > 20*time.Second {
		t.Errorf("umount on a full disk took %v", d)
	}
	if r := jsfs(t, "check", m.store); r.code != 0 {
		t.Errorf("check afterwards: %+v", r)
	}
}
