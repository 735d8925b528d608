package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// manySignals does everything that has a path, with a signal each 200 µs, and prints what did not work.
const manySignals = `
import os, signal, sys
def attempt(f, *args):
    try:
        return f(*args)
    except OSError as e:
        print(f.__name__, args, e)
def append(name, text):
    with open(name, "w") as f:
        f.write(text)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for i in range(int(sys.argv[1])):
    attempt(os.statvfs, ".")
    attempt(os.mkdir, "T")
    attempt(append, "T/a", "a\n")
    attempt(append, "S/b", f"b{i}\n")
    attempt(append, "S/.draft", f"c{i}\n")
    attempt(os.rename, "S/.draft", "S/c")
    attempt(os.listdir, "T")
    attempt(os.stat, "T/000000000001")
    attempt(os.getxattr, "T/000000000001", "user.jsfs.subject")
    attempt(os.unlink, "T/000000000001")
    attempt(os.rmdir, "T")
signal.setitimer(signal.ITIMER_REAL, 0)
`

func TestSignalsEndNothingHalfway(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh("mkdir S")
	rounds := scaled(50, 200, 5000)
	in := m.command()
	in.timeout = 15 * time.Minute // the many rounds before a release sync twenty thousand times
	if got := in.ok(t, fmt.Sprintf("python3 -c '%s' %d", manySignals, rounds)); got != "" {
		t.Errorf("what did not work:\n%s", got)
	}
	var want []string
	for i := range rounds {
		want = append(want, fmt.Sprintf("b%d\n", i), fmt.Sprintf("c%d\n", i))
	}
	if got := m.messages("S"); strings.Join(got, "") != strings.Join(want, "") {
		t.Errorf("messages: got %q, want each once, in order", got)
	}
}

// TestASignalEndsAWaitAtOnce interrupts readers of follow: what waits for a message is given no second more. A busy machine may be
// slow, not each time.
func TestASignalEndsAWaitAtOnce(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S")
	fastest := time.Hour
	for n := 0; n < 5 || n < 50 && fastest > 900*time.Millisecond; n++ {
		begin := time.Now()
		if r := m.try("timeout -s INT 0.2 cat S/.follow"); r.code != 124 {
			t.Fatalf("got %+v, want an interruption", r)
		}
		fastest = min(fastest, time.Since(begin))
	}
	if fastest > 900*time.Millisecond {
		t.Errorf("the fastest of fifty took %v, want about 200ms", fastest)
	}
}

// signal sends a signal that asks the server to end, and waits until it has taken it: of two at a time it would get one.
func (m *mnt) signal(sig os.Signal) {
	m.t.Helper()
	taken := func() int { return strings.Count(m.serverLog(), "msg=unmounting") }
	before := taken()
	_ = m.proc.Process.Signal(sig) // it may have ended
	eventually(m.t, patience, "the server takes the signal", func() bool { return !m.running() || taken() > before })
}
