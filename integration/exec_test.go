package integration

import (
	"testing"
	"time"
)

// execs are programs that exec another one while a file that they have written is open: the
// kernel closes it, because it is close-on-exec, in the middle of the exec.
var execs = []struct {
	name, tool, script string
	want               []string
}{
	{
		"the opener execs", "python3", `exec python3 -c '
import os
fd = os.open("S/x", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
os.write(fd, b"written\n")
os.execvp("true", ["true"])'`,
		[]string{"written\n"},
	},
	{
		"a thread of the opener execs", "python3", `exec python3 -c '
import os, threading, time
fd = os.open("S/x", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
os.write(fd, b"written\n")
threading.Thread(target=lambda: os.execvp("true", ["true"])).start()
time.sleep(60)'`,
		[]string{"written\n"},
	},
	{
		"a child execs, and the opener writes on", "python3", `exec python3 -c '
import os
fd = os.open("S/x", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
os.write(fd, b"one ")
if os.fork() == 0:
    os.execvp("true", ["true"])
os.wait()
os.write(fd, b"two\n")
os.close(fd)'`,
		[]string{"one two\n"},
	},
	{
		"the opener execs and keeps the file", "python3", `exec python3 -c '
import os
fd = os.open("S/x", os.O_WRONLY | os.O_CREAT)
os.set_inheritable(fd, True)
os.write(fd, b"before ")
os.execvp("sh", ["sh", "-c", "echo after >&%d" % fd])'`,
		[]string{"before after\n"},
	},
	{
		"a line writer execs", "python3", `exec python3 -c '
import os
fd = os.open("S/.log", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
os.write(fd, b"a line\nand a half")
os.execvp("true", ["true"])'`,
		[]string{"a line\n", "and a half"},
	},
}

// An exec must not wait for a server that waits for the exec. If it does, the kernel can't even kill
// the two, and every ps on the machine hangs with them.
func TestAWriterThatExecsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for _, c := range execs {
		t.Run(c.name, func(t *testing.T) {
			needs(t, c.tool)
			m := mount(t)
			m.sh("mkdir S")
			in := m.command()
			in.timeout = 20 * time.Second
			in.ok(t, c.script)
			eventually(t, patience, "the messages are there", func() bool { return len(m.messages("S")) == len(c.want) })
			for i, got := range m.messages("S") {
				if got != c.want[i] {
					t.Errorf("message %d: got %q, want %q", i+1, got, c.want[i])
				}
			}
		})
	}
}
