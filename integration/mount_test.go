package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestMountMakesWhatIsMissingAndSaysSo(t *testing.T) {
	dir := scratch(t)
	m := mount(t, withSource(dir+"/a/store"), withMountPoint(dir+"/b/mnt"))
	m.stop()
	sh(t, "rm -r "+quoted(dir+"/a", dir+"/b"))
	m.start()
	for _, want := range []string{"made the store " + dir + "/a/store", "made the mount point " + dir + "/b/mnt"} {
		if got := m.serverLog(); !strings.Contains(got, want) {
			t.Errorf("the server said:\n%s\nwant a line with %q", got, want)
		}
	}
	m.sh("mkdir S; echo hi > S/x")
	m.remount()
	if got, want := m.sh("cat S/*"), "hi\n"; got != want {
		t.Errorf("after a remount: got %q, want %q", got, want)
	}
}

func TestMountInfoNamesTheStore(t *testing.T) {
	m := mount(t, withArgs("--allow-other"))
	got := sh(t, "findmnt -n -o FSTYPE,SOURCE,OPTIONS "+quoted(m.dir))
	for _, want := range []string{"fuse.jsfs", m.store, "nosuid", "nodev", "noexec", "allow_other", "default_permissions"} {
		if !strings.Contains(got, want) {
			t.Errorf("findmnt says %q, want %q in it", got, want)
		}
	}
}

func TestMountMemory(t *testing.T) {
	m := mount(t, withSource("mem:"))
	m.sh("mkdir S; echo hi > S/x")
	if got, want := m.sh("cat S/1"), "hi\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	m.remount()
	if got := m.sh("ls"); got != "" {
		t.Errorf("after a remount a memory store has %q, want nothing", got)
	}
}

func TestReadOnlyMountChangesNothing(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo hi > S/x")
	m.stop()
	before := checksums(t, m.store)
	m.args = append(m.args, "--read-only")
	m.start()
	if got, want := m.sh("cat S/1"), "hi\n"; got != want {
		t.Errorf("read: got %q, want %q", got, want)
	}
	for _, script := range []string{"echo no > S/x", "rm S/1", "mkdir T", "rmdir S", "echo no >> S/.log", "touch S/.draft"} {
		if r := m.try(script); r.code == 0 || !strings.Contains(r.err, "Read-only file system") {
			t.Errorf("%s: got exit code %d and %q, want a refusal with EROFS", script, r.code, r.err)
		}
	}
	m.stop()
	if got := checksums(t, m.store); got != before {
		t.Errorf("the store changed:\n%s\nwas:\n%s", got, before)
	}
}

func TestStoreOnAReadOnlyDiskIsMountedForReading(t *testing.T) {
	dir := scratch(t)
	seed(t, dir+"/disk/store")
	sh(t, fmt.Sprintf("mount --bind %[1]s %[1]s; mount -o remount,bind,ro %[1]s", quoted(dir+"/disk")))
	t.Cleanup(func() { sh(t, "umount "+quoted(dir+"/disk")) })
	r := command{dir: dir}.run(t, `exec timeout 100 "$JSFS" mount disk/store mnt`)
	if r.code != 1 || !strings.Contains(r.err, "mount it with --read-only") {
		t.Errorf("read-write: got %+v, want that --read-only is needed", r)
	}
	if r := jsfs(t, "check", dir+"/disk/store"); r.code != 0 {
		t.Errorf("check: %+v", r)
	}
	m := mount(t, withSource(dir+"/disk/store"), withArgs("--read-only"))
	if got, want := m.sh("cat S/*"), "one\ntwo\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// checksums lists every file below dir with its size and checksum.
func checksums(t testing.TB, dir string) string {
	t.Helper()
	return command{dir: dir}.ok(t, "find . -type f -print0 | sort -z | xargs -0 -r sha256sum; find . | sort")
}

func TestSignalsUnmountCleanly(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			m := mount(t)
			m.sh("mkdir S; echo hi > S/x")
			if err := m.proc.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			m.wait(patience)
			if got := m.proc.ProcessState.ExitCode(); got != 0 {
				t.Errorf("got exit code %d, want 0", got)
			}
			if m.mounted() {
				t.Error("it is still mounted")
			}
			m.start()
			if got, want := m.sh("cat S/*"), "hi\n"; got != want {
				t.Errorf("after a remount: got %q, want %q", got, want)
			}
		})
	}
}

func TestSecondSignalForcesABusyMount(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo hi > S/x")
	f, err := os.Open(m.path("S/000000000001"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	_ = m.proc.Process.Signal(syscall.SIGTERM)
	eventually(t, patience, "the server says that the mount is in use", func() bool {
		return strings.Contains(m.serverLog(), "in use")
	})
	if !m.running() || !m.mounted() {
		t.Fatal("after one signal a mount in use is gone")
	}
	_ = m.proc.Process.Signal(syscall.SIGTERM)
	m.wait(patience)
	if m.mounted() {
		t.Error("after two signals it is still mounted")
	}
	m.start()
	if got, want := m.sh("cat S/*"), "hi\n"; got != want {
		t.Errorf("after a remount: got %q, want %q", got, want)
	}
}

func TestDeadMountIsTakenAway(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo hi > S/x; echo there > S/y")
	m.kill()
	eventually(t, patience, "the mount is dead", func() bool { // the kernel takes a moment to notice
		return strings.Contains(command{}.run(t, "ls "+quoted(m.dir)).err, "not connected")
	})
	m.startSoon()
	if got, want := m.sh("cat S/*"), "hi\nthere\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := len(mountsBelow(t, m.dir)); got != 1 {
		t.Errorf("there are %d mounts, want 1", got)
	}
}

func TestDaemonReturnsWhenTheFirstListingWorks(t *testing.T) {
	dir := scratch(t)
	c := command{dir: dir}
	t.Cleanup(func() { c.run(t, `"$JSFS" umount --lazy mnt 2>/dev/null`) })
	out := c.ok(t, `said=$("$JSFS" mount --daemon --log-file=log store mnt 2>&1); ls -a mnt; mkdir mnt/S; echo hi > mnt/S/x; echo "$said"`)
	if !strings.Contains(out, "made the store") {
		t.Errorf("the daemon said %q, want what it made", out)
	}
	// Who has the store is what the refusal of a second mount names.
	refusal := c.run(t, `"$JSFS" mount store elsewhere`).err
	found := regexp.MustCompile(`in use by process (\d+)`).FindStringSubmatch(refusal)
	if found == nil {
		t.Fatalf("a second mount is told %q, want the daemon's process", refusal)
	}
	pid := found[1]
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(string(stat)); f[5] != pid { // the session
		t.Errorf("the daemon %s is in session %s, want one of its own", pid, f[5])
	}
	c.ok(t, `"$JSFS" umount mnt`)
	if r := c.run(t, `"$JSFS" mount --daemon store mnt && cat mnt/S/1 && "$JSFS" umount mnt`); r.code != 0 || r.out != "hi\n" {
		t.Errorf("right after umount returned, mounting again: %+v", r)
	}
	eventually(t, patience, "the daemon's process ends", func() bool {
		_, err := os.Stat("/proc/" + pid)
		return err != nil
	})
}

func TestDaemonSaysWhyNot(t *testing.T) {
	dir := scratch(t)
	sh(t, "touch "+quoted(dir+"/file"))
	r := command{dir: dir}.run(t, `"$JSFS" mount --daemon file mnt`)
	if r.code != 1 || !strings.Contains(r.err, "is a file") {
		t.Errorf("got exit code %d and %q, want 1 and why", r.code, r.err)
	}
	if _, err := os.Stat(dir + "/mnt"); err == nil {
		t.Error("the mount point was made all the same")
	}
}

func TestUmount(t *testing.T) {
	m := mount(t)
	dir := filepath.Dir(m.dir)
	m.sh("mkdir S; echo hi > S/x")
	if r := jsfs(t, "umount", dir); r.code != 1 || !strings.Contains(r.err, "nothing is mounted") {
		t.Errorf("where nothing is mounted: %+v", r)
	}
	if r := jsfs(t, "umount", "/proc"); r.code != 1 || !strings.Contains(r.err, "no jsfs but proc") {
		t.Errorf("where something else is mounted: %+v", r)
	}
	if r := m.try(`"$JSFS" umount "$M"`); r.code != 1 || !strings.Contains(r.err, "is in use") || !m.mounted() {
		t.Errorf("with a shell in it: %+v, mounted: %v", r, m.mounted())
	}
	if r := jsfs(t, "umount", m.dir); r.code != 0 || m.mounted() {
		t.Errorf("umount: %+v, mounted: %v", r, m.mounted())
	}
	m.wait(patience)
	if got := m.proc.ProcessState.ExitCode(); got != 0 {
		t.Errorf("the server ended with %v, want 0", m.proc.ProcessState)
	}
	m.start()
	sh(t, "ln -s mnt "+quoted(dir+"/link"))
	if r := (command{dir: m.dir}).run(t, `"$JSFS" umount --lazy `+quoted(dir+"/link")); r.code != 0 || m.mounted() {
		t.Errorf("umount --lazy by a symbolic link, with a shell in it: %+v, mounted: %v", r, m.mounted())
	}
	m.wait(patience)
}

// openFUSE lets every user open /dev/fuse while the test runs, as distributions do.
func openFUSE(t testing.TB) {
	t.Helper()
	info, err := os.Stat("/dev/fuse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod("/dev/fuse", info.Mode().Perm()) })
	if err := os.Chmod("/dev/fuse", 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestUserMountsThroughFusermount(t *testing.T) {
	needs(t, "fusermount3")
	m := mount(t, withUser("nobody"))
	if r := m.as("nobody", "mkdir S && echo hi > S/x && cat S/1 && stat -c %U S/1"); r.out != "hi\nnobody\n" {
		t.Errorf("got %+v", r)
	}
	c := command{user: "nobody"}
	if r := c.run(t, `"$JSFS" umount `+quoted(m.dir)); r.code != 0 || m.mounted() {
		t.Errorf("umount as the user: %+v, mounted: %v", r, m.mounted())
	}
	m.wait(patience)
}

func TestUserWithoutFusermountIsToldHowToGetIt(t *testing.T) {
	dir := scratch(t)
	sh(t, "mkdir -m 777 "+quoted(dir+"/u"))
	needs(t, "unshare", "setpriv", "fusermount3")
	openFUSE(t)
	r := command{dir: dir + "/u"}.run(t, `unshare -m sh -c '
		mount --bind /dev/null "$(readlink -f "$(command -v fusermount3)")" &&
		exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$JSFS" mount store mnt'`)
	if r.code != 1 || !strings.Contains(r.err, "apt-get install fuse3") {
		t.Errorf("got %+v, want how to get fusermount3", r)
	}
}

func TestOtherUsersAreLetInOnlyIfAsked(t *testing.T) {
	private := mount(t)
	if r := (command{user: "nobody"}).run(t, "ls "+quoted(private.dir)); r.code == 0 {
		t.Errorf("without --allow-other another user lists %q", r.out)
	}
	open := mount(t, withArgs("--allow-other", "-o", "umask=077,uid=nobody,gid=nogroup"))
	if r := (command{user: "nobody", dir: open.dir}).run(t, "mkdir S && echo hi > S/x && cat S/1"); r.out != "hi\n" {
		t.Errorf("with --allow-other,uid=nobody nobody gets %+v", r)
	}
	if r := (command{user: "daemon"}).run(t, "ls "+quoted(open.dir)); r.code == 0 {
		t.Errorf("with umask=077 a third user lists %q", r.out)
	}
}

// The kernel leaves permissions to jsfs where only one user gets in.
func TestTheOnlyUserIsHeldToModes(t *testing.T) {
	needs(t, "fusermount3")
	m := mount(t, withUser("nobody"))
	m.as("nobody", "mkdir S && echo hi > S/x && echo draft > S/.draft")
	for _, tt := range []struct{ script, out string }{
		{"test -x S && test -w S && test -r S/1 && test -w S/1 && echo yes", "yes\n"},
		{"test -x S/1 || test -x S/.log || echo no", "no\n"},
		{"chmod 400 S/.draft && cat S/.draft; (echo no > S/.draft) 2>/dev/null || echo refused; cat S/.draft", "draft\nrefused\ndraft\n"},
		{"(truncate -s 0 S/.draft) 2>/dev/null || echo refused; cat S/.draft", "refused\ndraft\n"},
		{"chmod 200 S/.draft && (cat S/.draft) 2>/dev/null || echo refused; echo new > S/.draft; chmod 600 S/.draft && cat S/.draft", "refused\nnew\n"},
		{"chmod 444 S/.draft && rm -f S/.draft S/1 && ls -A S", ""},
	} {
		if r := m.as("nobody", tt.script); r.out != tt.out {
			t.Errorf("%s: got %+v, want %q", tt.script, r, tt.out)
		}
	}
	root := mount(t, withSource("mem:"))
	if got, want := root.sh("mkdir S; echo hi > S/x; test -x S/1 || echo no; cd S && test -w 1 && echo yes"), "no\nyes\n"; got != want {
		t.Errorf("root: got %q, want %q", got, want)
	}
}

func TestWhatWasNotClosedWhenTheMountIsForcedIsKept(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo first > S/x")
	f, err := os.OpenFile(m.path("S/x"), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString("half a mess"); err != nil {
		t.Fatal(err)
	}
	m.signal(syscall.SIGTERM)
	m.signal(syscall.SIGTERM)
	m.wait(patience)
	m.start()
	if got, want := m.sh("ls -A S; cat S/.killed.1"), ".killed.1\n000000000001\nhalf a mess"; got != want && got != "000000000001\n.killed.1\nhalf a mess" {
		t.Errorf("after a remount: got %q, want %q", got, want)
	}
}

func TestModesAndOwners(t *testing.T) {
	m := mount(t, withArgs("--uid=12", "--gid=13", "--umask=027"))
	m.sh("mkdir S; echo hi > S/x")
	if got, want := m.sh("stat -c '%u %g %a' . S S/1"), "12 13 750\n12 13 750\n12 13 640\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	m.sh("echo draft > S/.d; chmod 600 S/.d; test $(stat -c %a S/.d) = 600")
	m.remount()
	if got, want := m.sh("stat -c '%u %g %a' S/.d"), "12 13 640\n"; got != want {
		t.Errorf("a draft whose mode is not known any more: got %q, want %q", got, want)
	}
}

func TestMountHelperFormOfTheCommandLine(t *testing.T) {
	dir := scratch(t)
	sh(t, "ln -s "+quoted(bin, dir+"/mount.jsfs"))
	t.Cleanup(func() { jsfs(t, "umount", "--lazy", dir+"/mnt") })
	c := command{dir: dir}
	c.ok(t, "./mount.jsfs store mnt -sv -t jsfs -o rw,noauto,_netdev,umask=077")
	if got, want := c.ok(t, "mkdir mnt/S; stat -c %a mnt/S"), "700\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.ok(t, "umount mnt")
}

func TestUserWhoMayNotOpenTheDeviceIsToldWhatHelps(t *testing.T) {
	dir := scratch(t)
	r := command{dir: dir}.run(t, `unshare -m sh -c '
		mknod -m 600 fuse c 10 229 && mount --bind fuse /dev/fuse &&
		exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$JSFS" mount mem: mnt'`)
	if r.code != 1 || !strings.Contains(r.err, "chmod 666 /dev/fuse") {
		t.Errorf("got %+v, want what opens /dev/fuse", r)
	}
}

func TestOddPathsAreMountedAndUnmounted(t *testing.T) {
	for _, name := range []string{"a space", "a,comma", `a\back\slash`, "a\nnewline", "-dash", "#hash", "ümläut", "a:colon"} {
		t.Run(name, func(t *testing.T) {
			dir := scratch(t)
			c := command{dir: dir}
			t.Cleanup(func() { c.run(t, `"$JSFS" umount --lazy -- `+quoted(name+"/mnt")+" 2>/dev/null") })
			c.ok(t, "mkdir -- "+quoted(name)+` && "$JSFS" mount --daemon -- `+quoted("./"+name+"/store", name+"/mnt")+
				` && mkdir -- `+quoted("./"+name+"/mnt/S")+` && "$JSFS" umount -- `+quoted(name+"/mnt")+
				` && "$JSFS" mount --daemon -- `+quoted("./"+name+"/store", name+"/mnt"))
			if got, want := c.ok(t, "ls -- "+quoted("./"+name+"/mnt")), "S\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			c.ok(t, `"$JSFS" umount -- `+quoted(name+"/mnt"))
		})
	}
}

func TestDeadMountIsUnmountedByItsName(t *testing.T) {
	m := mount(t)
	m.kill()
	if r := jsfs(t, "umount", m.dir); r.code != 0 || m.mounted() {
		t.Errorf("got %+v, mounted: %v", r, m.mounted())
	}
}
