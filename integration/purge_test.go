package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// `jsfs purge` of a stream in a mount removes what it said it would, and says how many went.
func TestPurgeThroughAMount(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"", "mem:"} {
		t.Run("of "+source, func(t *testing.T) {
			var opts []option
			if source != "" {
				opts = append(opts, withSource(source))
			}
			m := mount(t, opts...)
			long := strings.Repeat("x", 300)
			for _, c := range []struct {
				args string
				n    int
			}{
				{"", 12}, {"--subject=a.eu", 6}, {"--subject='a.*'", 10}, {"--subject='>'", 12}, {"--subject=none.here", 0}, {"--subject=" + long, 0},
				{"--subject=12", 2}, {"--seq=7", 6}, {"--seq=1", 0}, {"--seq=13", 12}, {"--keep=5", 7}, {"--keep=50", 0},
				{"--subject='a.*' --seq=7 --keep=3", 5}, {"--subject=a.eu --seq=9 --keep=4", 2}, {"--seq=5 --keep=10", 2},
			} {
				m.sh("mkdir S; for i in 1 2; do for s in a.eu a.us a.eu a.us a.eu %312; do echo x > S/$s; done; done")
				want := fmt.Sprintf("%d messages of S\n", c.n)
				if got := m.sh(`"$JSFS" purge --dry-run ` + c.args + ` S; ls S | wc -l`); got != "would purge "+want+"12\n" {
					t.Errorf("purge --dry-run %s: got %q, want %d", c.args, got, c.n)
				}
				if got := m.sh(`cd S; "$JSFS" purge ` + c.args + ` .; ls | wc -l`); got != "purged "+want+fmt.Sprintln(12-c.n) {
					t.Errorf("purge %s: got %q, want %d", c.args, got, c.n)
				}
				m.sh("rm -f S/*; rmdir S")
			}
		})
	}
}

func TestPurgeThroughAMountRefuses(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S DENIED SEALED; for s in S DENIED SEALED; do echo x > $s/a; done
		echo '{"deny_purge": true}' > DENIED/.jsfs/config; echo seal > SEALED/.jsfs/ctl`)
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{".", 2, "is a whole mount; give the directory of one stream"},
		{"NONE", 1, "there is no stream NONE"},
		{"S/1", 2, "lies in a stream's directory; give that, " + m.path("S")},
		{"S/.jsfs/subjects/a", 2, "lies in a stream's directory"},
		{".jsfs", 1, "there is no stream .jsfs"},
		{"--key-file=key S", 2, "leave the key out"},
		{"DENIED", 1, "purge stream DENIED"},
		{"SEALED", 1, "purge stream SEALED"},
		{`"$STORE/S"`, 1, "is mounted at " + m.dir + "; give " + m.dir + "/S"},
	} {
		for _, dry := range []string{"", "--dry-run "} {
			r := m.try(`"$JSFS" purge ` + dry + c.args)
			if r.code != c.code || r.out != "" || !strings.Contains(r.err, c.want) || strings.Count(r.err, "\n") != 1 {
				t.Errorf("purge %s%s: got %+v, want %d and a sentence with %q", dry, c.args, r, c.code, c.want)
			}
		}
	}
	if r := m.try(`"$JSFS" purge --dry-run --subject='` + long + `.*' S`); r.code != 1 || !strings.Contains(r.err, "too long for a name in the mount") {
		t.Errorf("a pattern that is no name: got %+v", r)
	}
	if r := m.as("nobody", `"$JSFS" purge S`); r.code != 1 || !strings.Contains(r.err, "you (uid 65534) may not use it") {
		t.Errorf("somebody else: got %+v", r)
	}
	if got := m.sh("cat S/* DENIED/* SEALED/*"); got != "x\nx\nx\n" {
		t.Errorf("left: got %q", got)
	}
	m.stop()
	m.args = append(m.args, "--read-only")
	m.start()
	if got := m.sh(`"$JSFS" purge --dry-run S`); got != "would purge 1 message of S\n" {
		t.Errorf("a dry run in a read-only mount: got %q", got)
	}
	if r := m.try(`"$JSFS" purge S`); r.code != 1 || !strings.Contains(r.err, "read-only") {
		t.Errorf("in a read-only mount: got %+v", r)
	}
	m.kill()
	if r := jsfs(t, "purge", m.path("S")); r.code != 1 || !strings.Contains(r.err, "no server any more") {
		t.Errorf("in a dead mount: got %+v", r)
	}
	m.start()
}

// Who has ctl open for reading and writing hears how many messages went.
func TestCtlAnswers(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh("mkdir S; seq 10 >> S/.log; cat S/.jsfs/ctl > ../help")
	got := m.sh(`python3 -c '
import os
fd = os.open("S/.jsfs/ctl", os.O_RDWR)
assert os.pread(fd, 1 << 20, 0) == open("../help", "rb").read()
for line in "purge seq=4", "sync", "compact 6", "erase 6", "erase 6", "purge subject=none", "purge":
    os.write(fd, line.encode() + b"\n")
    print(line, os.pread(fd, 1 << 20, 0).decode().strip())'`)
	want := "purge seq=4 3\nsync 3\ncompact 6 2\nerase 6 1\nerase 6 0\npurge subject=none 0\npurge 4\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A purge of many messages is one step: it is quick, and after kill -9 all of it holds. The same of a store that is not
// mounted, encrypted as well.
func TestPurgeOfManyMessages(t *testing.T) {
	n := scaled(20_000, 100_000, 1_000_000)
	m := mount(t, withArgs("--sync=interval"))
	m.fill("S", n)
	timed := func(what string, in command, script, want string) {
		t.Helper()
		start := time.Now()
		if got := in.ok(t, script); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
		took := time.Since(start)
		t.Logf("%s: %v", what, took)
		quick(t, what, took, 10*time.Second, func() { mount(t, withArgs("--sync=interval")).fill("S", n) })
	}
	if got, want := m.sh(`"$JSFS" purge --dry-run --keep=10 S`), fmt.Sprintf("would purge %d messages of S\n", n-10); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	timed("through the mount", m.command(), `"$JSFS" purge --keep=10 S`, fmt.Sprintf("purged %d messages of S\n", n-10))
	m.crash()
	if got := strings.Count(m.sh("ls S"), "\n"); got != 10 {
		t.Errorf("%d messages are left after kill -9, want 10", got)
	}

	in := command{dir: scratch(t)}
	in.ok(t, `head -c 32 /dev/urandom > key; chmod 600 key
		"$JSFS" mount --daemon --sync=interval --key-file key store mnt; mkdir mnt/S && seq `+itoa(n)+` >> mnt/S/.log; "$JSFS" umount mnt`)
	before := checksums(t, in.dir+"/store")
	timed("a dry run", in, `"$JSFS" purge --dry-run --seq=`+itoa(n)+` --key-file key store/S`, fmt.Sprintf("would purge %d messages of S\n", n-1))
	if got := checksums(t, in.dir+"/store"); got != before {
		t.Errorf("a dry run changed the store:\n%s\nwas:\n%s", got, before)
	}
	if r := in.run(t, `"$JSFS" purge store/S`); r.code != 1 || !strings.Contains(r.err, "give what unlocks it with --key-file FILE") {
		t.Errorf("without the key: got %+v", r)
	}
	timed("in the store", in, `"$JSFS" purge --seq=`+itoa(n)+` --key-file key store/S/`, fmt.Sprintf("purged %d messages of S\n", n-1))
	if got := in.ok(t, `"$JSFS" mount --daemon --key-file key store mnt; cat mnt/S/.log; "$JSFS" umount mnt`); got != itoa(n)+"\n" {
		t.Errorf("left: got %q", got)
	}
	if r := in.run(t, `"$JSFS" check --key-file key store`); r.code != 0 {
		t.Errorf("check: %+v", r)
	}
}

// A store of the first generation is converted by a mount, and not in passing.
func TestPurgeConvertsNothing(t *testing.T) {
	in := command{dir: scratch(t)}
	in.ok(t, `mkdir -p old/S; echo '{"sequence":1,"subject":"a","data":"eA==","timestamp":"2025-01-02T03:04:05Z"}' > old/S/messages.jsonl`)
	before := checksums(t, in.dir+"/old")
	for _, flag := range []string{"", "--dry-run"} {
		if r := in.run(t, `"$JSFS" purge `+flag+` old/S`); r.code != 1 || !strings.Contains(r.err, "mount it once") {
			t.Errorf("purge %s: got %+v", flag, r)
		}
	}
	if got := checksums(t, in.dir+"/old"); got != before {
		t.Errorf("it changed:\n%s\nwas:\n%s", got, before)
	}
}
