package integration

import (
	"strings"
	"testing"
	"time"
)

// backwards copies the messages of A into a directory outside, and restores them to B from there, in a bad order, with one process.
var backwards = []struct {
	name, script string
	tools        []string
}{
	{"cp -a of files", `cp -a $(ls -r ../copy/0*) B/`, nil},
	{"tar of an unsorted directory", `(cd ../copy && ls -r 0* | tar --xattrs --xattrs-include='user.*' -cf ../t.tar -T -); tar --xattrs --xattrs-include='user.*' -C B -xf ../t.tar`, []string{"tar"}},
	{"rsync of files in their order", `ls -r ../copy | rsync -aX --files-from=- --no-implied-dirs ../copy/ B/`, []string{"rsync"}},
	{"python", `python3 -c '
import os, shutil
for n in sorted(os.listdir("../copy"), reverse=True):
    with open("B/" + n, "wb", buffering=0) as f:
        f.write(open("../copy/" + n, "rb").read())
        for a in os.listxattr("../copy/" + n): os.setxattr(f.fileno(), a, os.getxattr("../copy/" + n, a))
assert sorted(os.listdir("B")) == sorted(os.listdir("../copy")), "what the process itself made"'`, []string{"python3"}},
}

// Whatever the order in which a program restores messages, the stream is the same.
func TestRestoreInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, test := range backwards {
		t.Run(test.name, func(t *testing.T) {
			needs(t, test.tools...)
			m := mount(t)
			m.sh(`mkdir A B ../copy; for i in $(seq 300); do echo $i > A/s.$((i % 3)); done; rm A/0*[37]; cp -a A/0* ../copy`)
			m.sh(test.script)
			m.sh(`ls -A B > ../ls; cmp A/.jsfs/log.jsonl B/.jsfs/log.jsonl; ls -A A | cmp - ../ls; echo more > B/s.1; test "$(cat B/000000000301)" = more`)
			if got := m.read(".jsfs/errors"); got != "" {
				t.Error(got)
			}
		})
	}
}

// restorer restores message 5 with a process that then waits for a line; others see the stream without it meanwhile.
const restorer = `mkdir A ../copy; for i in 1 2 3 4 5; do echo $i > A/s; done; cp -a A/0* ../copy; mkdir B
		mkfifo ../go ../done; python3 -c '
import os
def restore(n):
    n = "%012d" % n
    with open("B/" + n, "xb", buffering=0) as f:
        f.write(open("../copy/" + n, "rb").read())
        for a in os.listxattr("../copy/" + n): os.setxattr(f.fileno(), a, os.getxattr("../copy/" + n, a))
restore(5)
open("../done", "w").close()
open("../go").read()
restore(3)
' > ../py 2>&1 & cat ../done; `

func TestWhoLooksWhileMessagesAreRestored(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	for _, c := range []struct{ name, script string }{
		{"others see it when the process has ended", `test -z "$(ls B; cat B/.log)"; echo > ../go; wait $!; test "$(cat B/.log | tr -d '\n')" = 35`},
		{"the draft that holds it is nobody's", `for do in 'mv B/.restoring.jsonl B/s' 'echo x >> B/.restoring.jsonl' 'truncate -s 0 B/.restoring.jsonl' 'cp ../copy/000000000001 B/.restoring.jsonl'; do
			if sh -c "$do" 2>../err; then echo "done: $do"; exit 1; fi; grep -q 'not permitted' ../err; done
			rmdir B 2>/dev/null && exit 1; grep -q '"seq":5,.*"data":"5.n"' B/.restoring.jsonl; echo > ../go; wait $!; test "$(ls -A B | wc -l)" = 2`},
		{"an append comes behind it", `echo 6 > B/s; test "$(ls B | tr '\n' ' ')" = "000000000005 000000000006 "; echo > ../go; wait $! 2>/dev/null && exit 1; grep -q 'sequence 3 was used' .jsfs/errors`},
		{"a look at it brings it", `test "$(stat -c '%s %Y' B/000000000005)" = "$(stat -c '%s %Y' A/000000000005)"; test -z "$(ls B)"; test "$(cat B/000000000005)" = 5; test "$(ls B)" = 000000000005; echo > ../go; wait $! || true`},
		{"rm of it", `rm B/000000000005; test -z "$(ls -A B)"; echo > ../go; wait $! || true`},
		{"an archive that has one", `echo x > ../.restoring.jsonl; mkdir C; (cd ../copy; tar --xattrs --xattrs-include='user.*' -cf ../t.tar 000000000005 000000000003 -C .. .restoring.jsonl -C copy 000000000001)
			tar --xattrs --xattrs-include='user.*' -C C -xf ../t.tar 2>../err && exit 1; test "$(cat C/.log | tr -d '\n')" = 135; test "$(ls -A C | wc -l)" = 3; echo > ../go; wait $!`},
		{"rm of all that waits", `rm B/.restoring.jsonl; test -z "$(ls -A B)"; test "$(ls B/.jsfs/deleted)" = 000000000005; echo > ../go; wait $! && exit 1; grep -q 'File exists' ../py; mv B/.jsfs/deleted/000000000005 B; test "$(cat B/5)" = 5`},
		{"rm -r", `rm -r B; test ! -e B; echo > ../go; wait $! && exit 1; test "$(ls)" = A; mv .jsfs/deleted/B@* B; test "$(ls -A B; cat B/.log)" = "$(printf '000000000005\n5')"`},
		{"purge", `echo 'purge' > B/.jsfs/ctl; test -z "$(ls -A B)"; grep -q '"last_seq": *5' B/.jsfs/info; echo > ../go; wait $! || true`},
		{"a configuration", `echo '{"description": "x"}' > B/.jsfs/config; test "$(cat B/.log)" = 5; echo > ../go; wait $! || true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t)
			m.sh(restorer + c.script)
		})
	}
}

// A message whose close was answered is there after the server was killed, though those below it never came.
func TestWhatIsHeldSurvivesTheServer(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	for _, how := range []string{"killed", "unmounted"} {
		m := mount(t)
		m.sh(restorer + `test -e B/.restoring.jsonl; test -z "$(ls B)"; echo $! > ../pid`)
		if how == "killed" {
			m.crash()
		}
		m.sh(`kill -9 $(cat ../pid)`)
		if how == "unmounted" {
			m.remount()
		}
		m.sh(`test "$(cat B/.log)" = 5; test "$(ls -A B)" = 000000000005; cmp <(grep -v '"seq":[1-4]' A/.jsfs/log.jsonl) B/.jsfs/log.jsonl`)
	}
}

// Commands that copy messages say that there are some which only the next mount knows.
func TestCopiesOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	m := mount(t)
	m.sh(restorer + `test -e B/.restoring.jsonl; echo $! > ../pid`)
	m.kill()
	r := jsfs(t, "check", m.store)
	if want := "B: in the draft .restoring.jsonl the next mount finds 1 message to store, restored when the last one was killed\nnothing is damaged\n"; r.code != 0 || !strings.HasSuffix(r.out, want) || strings.Count(r.out, "draft") != 1 {
		t.Errorf("check: %+v", r)
	}
	if r := jsfs(t, "check", "--json", m.store); r.code != 0 || strings.Count(r.out, `"held_messages": 1`) != 1 {
		t.Errorf("check --json: %+v", r)
	}
	dir := scratch(t)
	for _, args := range [][]string{{"backup", m.store, dir + "/b"}, {"copy", m.store + "/B", dir + "/c/"}, {"export", "--jsonl", m.store + "/B"}} {
		r := jsfs(t, args...)
		if r.code != 0 || strings.Count(r.err, "stream B: what was being restored to it when its mount was killed") != 1 || strings.Contains(r.err, "stream A: ") {
			t.Errorf("%s: %+v", args[0], r)
		}
	}
	m.start()
	m.sh(`kill -9 $(cat ../pid); test "$(cat B/.log)" = 5`)
	m.stop()
	if r := jsfs(t, "check", m.store); r.code != 0 || strings.Contains(r.out, "draft") {
		t.Errorf("check after the next mount: %+v", r)
	}
	if r := jsfs(t, "backup", m.store, dir+"/d"); r.code != 0 || strings.Contains(r.err, "restored") {
		t.Errorf("after the next mount: %+v", r)
	}
}

// A program that goes on does not keep what it restored from the others for long.
func TestAProgramThatGoesOn(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	m := mount(t)
	start := time.Now()
	m.sh(restorer + `until [ -n "$(ls B)" ]; do sleep .1; done; test "$(cat B/.log)" = 5; echo > ../go; wait $! || true`)
	if took := time.Since(start); took < 3*time.Second {
		t.Errorf("it was stored after %v already: those below it had no time to come", took)
	}
	if got := m.read(".jsfs/errors"); !strings.Contains(got, "sequence 3 was used") {
		t.Errorf("errors: %q", got)
	}
}

// Messages that were restored out of order, and for which there is no room besides the draft that holds them, can be given up.
func TestWhatIsHeldOnAFullDisk(t *testing.T) {
	t.Parallel()
	m := fullMount(t, "10m", "-o", "block_size=256K")
	m.sh(`mkdir ../src A C; for i in $(seq 50); do head -c 100000 /dev/urandom > A/s; done; cp -a A/0* ../src; rm -r A; cp -a $(ls -r ../src/0*) C/`)
	if r := m.try(`cp ../src/000000000001 C/s`); r.code == 0 || !strings.Contains(r.err, "No space left") {
		t.Fatalf("there was room, nothing is tested: %+v", r)
	}
	m.sh(`rm -r C; mkdir C; echo x > C/s; test "$(cat C/1)" = x; test "$(ls -A C)" = 000000000001`)
}
