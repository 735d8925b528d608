package integration

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// abort lets the kernel end the connection to the server, which leaves the mount dead.
func (m *mnt) abort() {
	m.t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(m.dir, &st); err != nil {
		m.t.Fatal(err)
	}
	minor := st.Dev&0xff | st.Dev>>12&^0xff
	sh(m.t, fmt.Sprintf("mountpoint -q /sys/fs/fuse/connections || mount -t fusectl none /sys/fs/fuse/connections; echo 1 > /sys/fs/fuse/connections/%d/abort", minor))
}

// A server whose mount is taken from it says so when it ends, and leaves the store in order.
func TestAServerWhoseConnectionIsAbortedSaysSo(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo one > S/a")
	for _, how := range []struct {
		name string
		do   func()
	}{
		{"abort", m.abort},
		{"umount -f of a mount in use", func() { m.try(`umount -f "$M"`) }}, // who does it works there
	} {
		how.do()
		m.wait(patience)
		if code, log := m.proc.ProcessState.ExitCode(), m.serverLog(); code != 1 || strings.Count(log, "the kernel gave up the mount") != 1 {
			t.Errorf("%s: exit code %d, and %q; want 1, and the reason", how.name, code, lastBytes(log, 500))
		}
		if err := syscall.Truncate(m.log, 0); err != nil {
			t.Fatal(err)
		}
		m.start()
		if got, want := m.sh("cat S/*"), "one\n"; got != want {
			t.Errorf("%s: got %q, want %q", how.name, got, want)
		}
	}
	for _, end := range []string{`"$JSFS" umount "$M"`, `umount "$M"`, `umount -l "$M"`} {
		command{env: m.command().env}.ok(t, end)
		m.wait(patience)
		if code, log := m.proc.ProcessState.ExitCode(), m.serverLog(); code != 0 || strings.Contains(log, "gave up") {
			t.Errorf("%s: exit code %d, and %q; want 0", end, code, lastBytes(log, 500))
		}
		m.start()
	}
}

// Two signals end a server whose mount somebody took out of the tree while a file was open, and what is in that is kept.
func TestSignalsEndAServerWhoseMountIsOutOfTheTree(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S")
	f, err := os.Create(m.path("S", "late"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	command{env: m.command().env}.ok(t, `umount -l "$M"`)
	m.signal(os.Interrupt)
	_ = m.proc.Process.Signal(os.Interrupt)
	m.wait(patience)
	if code := m.proc.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d, want 0; the log: %s", code, m.serverLog())
	}
	if err := f.Close(); err == nil {
		t.Error("the close of a file that became no message: got no error")
	}
	m.start()
	if got, want := m.sh("ls -A S; cat S/.killed.1"), ".killed.1\nhalf"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
