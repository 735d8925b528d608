package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// kernelSays are refusals that no handler gives. The scripts run in the root of a mount whose stream S has "one" on
// the subject a, and say what is looked for on standard error.
var kernelSays = []struct{ said, script string }{
	{"Device or resource busy", `rmdir "$M"`},
	{"target is busy", `umount "$M"`},
	{"Invalid cross-device link", `ln ../f S/b`},
	{"Illegal seek", `python3 -c 'open("S/.follow", "rb", 0).seek(5)'`},
	{"Interrupted system call", `sed 1q S/.follow & for i in $(seq 200); do kill -STOP $! && kill -CONT $! || break; sleep 0.05; done 2>/dev/null; wait $!`},
	{"No such device", `python3 -c 'import mmap; f = open("S/.log"); mmap.mmap(f.fileno(), 4, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)'`},
	{"Is a directory", `cat S`},
	{"Operation not supported", `fallocate -l 100 S/.draft`},
	{"Operation not supported", `lsattr -d S`},
	{"Permission denied", `S/1`},
}

// What the kernel refuses by itself stands on the page for people who met it.
func TestWhatTheKernelSays(t *testing.T) {
	needs(t, "python3", "lsattr")
	text, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## What the kernel says by itself")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]bool{} // to whether it was met
	for _, row := range regexp.MustCompile(`(?m)^\| \*([^*]+)\* \|`).FindAllStringSubmatch(section, -1) {
		rows[row[1]] = false
	}
	met := func(said, script string, r result) {
		t.Helper()
		if r.code == 0 || !strings.Contains(r.err, said) {
			t.Errorf("%s: exit code %d and %q, want %q", script, r.code, r.err, said)
		}
		if _, ok := rows[said]; !ok {
			t.Errorf("docs/troubleshooting.md has no row for %q", said)
		}
		rows[said] = true
	}
	m := mount(t)
	m.sh(`mkdir S; echo one > S/a; echo x > ../f`)
	for _, k := range kernelSays {
		met(k.said, k.script, m.try(k.script))
	}
	met("Permission denied", "ls as another user", m.as("nobody", `ls "$M"`))
	ro := mount(t, withSource("mem:"), withArgs("-o", "ro"))
	met("Read-only file system", "mkdir on -o ro", ro.try(`mkdir T`))
	m.kill()
	var dead result
	eventually(t, patience, "the connection is taken apart", func() bool { // until then, over io_uring, it is another errno
		dead = command{}.run(t, "ls "+quoted(m.dir))
		return strings.Contains(dead.err, "not connected")
	})
	met("Transport endpoint is not connected", "ls of a dead mount", dead)
	m.start()
	for said, ok := range rows {
		if !ok {
			t.Errorf("docs/troubleshooting.md has a row for %q, which was not met", said)
		}
	}
}
