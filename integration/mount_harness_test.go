package integration

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readyWithin is how long a mount may take until its first listing works.
const readyWithin = patience

// mnt is one mount of jsfs, served by a process of its own.
type mnt struct {
	t testing.TB
	// dir is the mount point, source what is mounted there; store is the store's directory, and
	// "" for a memory store.
	dir, source, store string

	args []string // the flags of `jsfs mount`
	wrap []string // runs the server, for example strace
	user string   // who mounts; "" is the tests' user
	log  string   // the file that takes the server's output
	proc *exec.Cmd
	done chan struct{} // closed when proc was waited for
}

// option changes how a test's mount is made.
type option func(*mnt)

// withArgs adds flags of `jsfs mount`.
func withArgs(args ...string) option {
	return func(m *mnt) { m.args = append(m.args, args...) }
}

// withSource mounts something else than a new directory, for example "mem:".
func withSource(source string) option {
	return func(m *mnt) {
		m.source, m.store = source, ""
		if !strings.Contains(source, ":") {
			m.store = source
		}
	}
}

// withMountPoint mounts at dir, which is not made.
func withMountPoint(dir string) option { return func(m *mnt) { m.dir = dir } }

// withUser lets another user mount.
func withUser(user string) option { return func(m *mnt) { m.user = user } }

// scratch makes a directory that every user may enter, and removes it when the test ends.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "jsfs-it-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if len(mountsBelow(t, dir)) > 0 {
			return // said by the mount's own cleanup; never remove through a mount
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mount mounts a new block store, waits until the first listing works, and unmounts it when
// the test ends, whatever happens.
func mount(t testing.TB, opts ...option) *mnt {
	t.Helper()
	dir := scratch(t)
	m := &mnt{t: t, dir: filepath.Join(dir, "mnt"), store: filepath.Join(dir, "store"), log: filepath.Join(dir, "server.log")}
	m.source = m.store
	if source := os.Getenv("JSFS_SOURCE"); source != "" {
		withSource(source)(m) // for trying tests that never mount twice on another engine
	}
	for _, o := range opts {
		o(m)
	}
	if err := os.MkdirAll(m.dir, 0o755); err != nil && !errors.Is(err, syscall.ENOTCONN) {
		t.Fatal(err)
	}
	if m.user != "" {
		openFUSE(t)
		sh(t, "chown "+m.user+" "+quoted(dir, m.dir))
	}
	t.Cleanup(m.cleanup)
	m.start()
	return m
}

// start runs the server and waits until it lists the root.
func (m *mnt) start() {
	m.t.Helper()
	m.launch()
	m.awaitReady()
}

// launch runs the server and returns at once.
func (m *mnt) launch() {
	m.t.Helper()
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	args := append(slices.Clone(m.wrap), bin, "mount")
	if transport != "" {
		args = append(args, "--transport="+transport)
	}
	args = append(args, m.args...)
	args = append(args, m.source, m.dir)
	if m.user != "" {
		needs(m.t, "setpriv")
		args = append([]string{"setpriv", "--reuid=" + m.user, "--regid=" + groupOf(m.t, m.user), "--clear-groups"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(m.log)
	// If the tests end without cleaning up, as after a timeout, the server unmounts by itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // its outcome is in cmd.ProcessState
	}()
	m.proc, m.done = cmd, done
}

// awaitReady waits until the root can be listed through the mount.
func (m *mnt) awaitReady() {
	m.t.Helper()
	for end := time.Now().Add(readyWithin); ; time.Sleep(5 * time.Millisecond) {
		select {
		case <-m.done:
			m.t.Fatalf("jsfs mount ended (%v) before the mount worked", m.proc.ProcessState)
		default:
		}
		if m.mounted() {
			if m.lists() {
				return
			}
		}
		if time.Now().After(end) {
			m.t.Fatalf("no listing of %s within %v", m.dir, readyWithin)
		}
	}
}

// lists says whether whoever mounted can list the root.
func (m *mnt) lists() bool {
	if m.user != "" { // a private mount lets not even root in
		return command{user: m.user}.run(m.t, "ls "+quoted(m.dir)).code == 0
	}
	d, err := os.Open(m.dir)
	if err != nil {
		return false
	}
	defer func() { _ = d.Close() }()
	// A dead mount may have been taken away a moment ago, and the new one not be there yet: what is
	// listed must be a FUSE file system, not the directory below.
	const fuseMagic = 0x65735546
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(int(d.Fd()), &fs); err != nil || fs.Type != fuseMagic {
		return false
	}
	_, err = d.ReadDir(-1)
	return err == nil
}

// mounted says whether a jsfs is mounted at the mount point, dead or alive.
func (m *mnt) mounted() bool {
	for _, line := range mountsBelow(m.t, m.dir) {
		if strings.Contains(line, " "+m.dir+" ") && strings.Contains(line, " - fuse.jsfs ") {
			return true
		}
	}
	return false
}

// mountsBelow returns the lines of mountinfo for mount points at dir or under it.
func mountsBelow(t testing.TB, dir string) []string {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 && (f[4] == dir || strings.HasPrefix(f[4], dir+"/")) {
			found = append(found, line)
		}
	}
	return found
}

// pid is the server's process id.
func (m *mnt) pid() int { return m.proc.Process.Pid }

// stop ends the server with SIGTERM and fails the test unless it ends cleanly and leaves no mount.
func (m *mnt) stop() {
	m.t.Helper()
	if err := m.proc.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Fatalf("SIGTERM to the server: %v (%v)", err, m.proc.ProcessState)
	}
	m.wait(patience)
	if code := m.proc.ProcessState.ExitCode(); code != 0 {
		m.t.Errorf("the server ended with %v, want exit code 0", m.proc.ProcessState)
	}
	if m.mounted() {
		m.t.Errorf("%s is still mounted after SIGTERM", m.dir)
	}
}

// kill ends the server with SIGKILL and leaves the dead mount where it is.
func (m *mnt) kill() {
	m.t.Helper()
	_ = syscall.Kill(-m.pid(), syscall.SIGKILL) // a wrapper and the server are one process group
	m.wait(patience)
}

// wait waits until the server has ended.
func (m *mnt) wait(limit time.Duration) {
	m.t.Helper()
	select {
	case <-m.done:
	case <-time.After(limit):
		m.t.Fatalf("the server (pid %d) still runs after %v", m.pid(), limit)
	}
}

// remount stops the server cleanly and mounts the same store again.
func (m *mnt) remount() {
	m.t.Helper()
	m.stop()
	m.start()
}

// crash kills the server with SIGKILL and mounts the same store again over the dead mount.
func (m *mnt) crash() {
	m.t.Helper()
	m.kill()
	m.start()
}

// running says whether the server still runs.
func (m *mnt) running() bool {
	select {
	case <-m.done:
		return false
	default:
		return true
	}
}

// cleanup unmounts, ends the server, looks for what is left, and shows the log if the test failed.
func (m *mnt) cleanup() {
	if m.proc == nil {
		return
	}
	ran := m.running()
	if ran {
		_ = m.proc.Process.Signal(syscall.SIGTERM)
		select {
		case <-m.done:
		case <-time.After(patience):
			m.t.Errorf("the server (pid %d) did not end within %v of SIGTERM", m.pid(), patience)
			_ = m.proc.Process.Signal(syscall.SIGQUIT) // its goroutines go into the log
			time.Sleep(time.Second)
			_ = m.proc.Process.Kill()
			m.wait(patience)
		}
		if m.mounted() {
			m.t.Errorf("the server ended and left %s mounted", m.dir)
		}
	}
	for range 10 {
		if !m.mounted() || syscall.Unmount(m.dir, syscall.MNT_DETACH) != nil {
			break
		}
	}
	if m.mounted() {
		m.t.Errorf("%s can't be unmounted", m.dir)
	}
	text := m.serverLog()
	if strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic") {
		m.t.Errorf("the server's log tells of a panic or a data race")
	}
	if m.t.Failed() {
		m.t.Logf("the server ran to the end: %v; it ended with %v; its log:\n%s", ran, m.proc.ProcessState, lastBytes(text, 20000))
	}
}

// serverLog returns what the server has written so far.
func (m *mnt) serverLog() string {
	text, err := os.ReadFile(m.log)
	if err != nil {
		m.t.Error(err)
	}
	return string(text)
}

// lastBytes returns the end of a long text, from a whole line on.
func lastBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	return "…\n" + s
}

// path returns a path below the mount point.
func (m *mnt) path(elem ...string) string {
	return filepath.Join(append([]string{m.dir}, elem...)...)
}

// command runs scripts in the mount's root; $M is the mount point, $JSFS the binary.
func (m *mnt) command() command {
	return command{dir: m.dir, env: []string{"M=" + m.dir, "STORE=" + m.store}}
}

// sh runs a script in the mount's root that must succeed, and returns its standard output.
func (m *mnt) sh(script string) string {
	m.t.Helper()
	return m.command().ok(m.t, script)
}

// try runs a script in the mount's root and returns what it did.
func (m *mnt) try(script string) result {
	m.t.Helper()
	return m.command().run(m.t, script)
}

// as runs a script in the mount's root as another user.
func (m *mnt) as(user, script string) result {
	m.t.Helper()
	c := m.command()
	c.user = user
	if m.user != "" { // only that user may enter
		c.dir, script = "", `cd "$M" || exit; `+script
	}
	return c.run(m.t, script)
}

// write writes one file through the mount with a single open, write and close.
func (m *mnt) write(name, data string) {
	m.t.Helper()
	if err := os.WriteFile(m.path(name), []byte(data), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// read returns the content of a file in the mount.
func (m *mnt) read(name string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

// messages returns the payloads of a stream's listed messages, in the order of their names.
func (m *mnt) messages(stream string) []string {
	m.t.Helper()
	names, err := os.ReadDir(m.path(stream))
	if err != nil {
		m.t.Fatal(err)
	}
	var all []string
	for _, e := range names {
		if len(bytes.Trim([]byte(e.Name()), "0123456789")) == 0 {
			all = append(all, m.read(stream+"/"+e.Name()))
		}
	}
	return all
}
