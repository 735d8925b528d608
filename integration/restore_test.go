package integration

import (
	"strings"
	"testing"
)

// restores copy the stream A, whose messages 1, 3 and 5 are live, into the empty stream B with
// what a message has besides its bytes.
var restores = []struct {
	name, script string
	tools        []string
}{
	{"cp -a", `cp -a A/0* B/`, nil},
	{"cp with attributes only", `cp --preserve=xattr A/0* B/`, nil},
	{"rsync -aX", `rsync -aX A/ B/`, []string{"rsync"}},
	{"tar", `tar --xattrs --xattrs-include='user.*' -C A -cf ../t.tar . && tar --xattrs --xattrs-include='user.*' -C B -xf ../t.tar`, []string{"tar"}},
	{"by way of another disk", `mkdir ../disk && cp -a A/0* ../disk && cp -a ../disk/0* B/`, nil},
	{"attributes by path, before the bytes", `python3 -c '
import os
for n in sorted(os.listdir("A")):
    with open("B/" + n, "wb") as f:
        for a in os.listxattr("A/" + n): os.setxattr("B/" + n, a, os.getxattr("A/" + n, a))
        f.write(open("A/" + n, "rb").read())'`, []string{"python3"}},
	{"attributes by descriptor, after the bytes", `python3 -c '
import os
for n in sorted(os.listdir("A")):
    with open("B/" + n, "wb", buffering=0) as f:
        f.write(open("A/" + n, "rb").read())
        for a in os.listxattr("A/" + n): os.setxattr(f.fileno(), a, os.getxattr("A/" + n, a))'`, []string{"python3"}},
}

// A file named by a sequence above the last one, with a message's attributes, is that message.
func TestRestore(t *testing.T) {
	t.Parallel()
	for _, test := range restores {
		t.Run(test.name, func(t *testing.T) {
			needs(t, append(test.tools, "getfattr")...)
			m := mount(t)
			m.sh(`mkdir A B; echo one > A/a.b; echo 2 > A/x; touch -d 2020-02-02 ../f; cp -p ../f A/c; echo 4 > A/x; printf five > A/a.b; rm A/2 A/4`)
			m.sh(test.script)
			const state = `ls; for f in 0*; do cat $f; getfattr -d -m user.jsfs $f; done; cat a.b`
			was, is := m.sh(`cd A; `+state), m.sh(`cd B; `+state)
			if is != was {
				t.Errorf("A has\n%s\nB has\n%s\nerrors: %s", was, is, m.read(".jsfs/errors"))
			}
			if got, want := m.sh(`ls -A B | wc -l`), "3\n"; got != want {
				t.Errorf("B has %s files, want %s", got, want)
			}
			m.sh(`echo six > B/x; test "$(cat B/000000000006)" = six`)
		})
	}
}

// GNU tar makes a file with mknod(2) and then opens it. One that was killed in between leaves nothing that the next takes for a message.
func TestARestoreAfterOneThatWasKilled(t *testing.T) {
	t.Parallel()
	needs(t, "tar", "python3")
	m := mount(t)
	m.sh(`mkdir A B; echo one > A/a; echo two > A/b
		python3 -c 'import os; os.mknod("B/000000000001", 0o644); os.stat("B/000000000001"); os.kill(os.getpid(), 9)' || true
		test ! -e B/1
		mkdir C # what another process has open stays
		timeout 30 python3 -c 'import os, time
path = "C/000000000001"; os.mknod(path, 0o644)
maker, (r, w) = os.getpid(), os.pipe()
if os.fork(): os.read(r, 1); os._exit(0)
fd = os.open(path, os.O_WRONLY); os.write(w, b"x")
while os.path.exists("/proc/%d" % maker): time.sleep(.02)
for k, v in ("seq", b"1"), ("subject", b"a"): os.setxattr(path, "user.jsfs." + k, v)
os.write(fd, b"one"); os.close(fd)'
		for i in $(seq 200); do test "$(cat C/.log)" = one && break; sleep .05; done; test "$(cat C/.log)" = one
		tar --xattrs --xattrs-include='user.*' -C A -c . | tar --xattrs --xattrs-include='user.*' --skip-old-files -C B -x
		cmp A/.jsfs/log.jsonl B/.jsfs/log.jsonl`)
}

// A copy of a stream whose configuration became narrower goes on after another mount, and is the same stream then.
func TestACopyGoesOnAfterAMount(t *testing.T) {
	t.Parallel()
	needs(t, "rsync", "getfattr")
	m := mount(t)
	m.sh(`mkdir A; for i in 1 2 3 4 5 6; do echo message $i > A/old.$i; done; echo 7 > A/new.x
		echo '{"subjects": ["new.>"], "max_msg_size": 3, "max_msgs": 6, "deny_delete": true}' > A/.jsfs/config
		rsync -aX --exclude='*[4-9]' A/ B`)
	m.stop()
	m.start()
	m.sh(`rsync -aX A/ B; cmp A/.jsfs/log.jsonl B/.jsfs/log.jsonl; cmp <(sed 's/"A"/"B"/' A/.jsfs/config) B/.jsfs/config`)
	if r := m.command().run(t, `echo 8 > B/old.x`); r.code == 0 || !strings.Contains(r.err, "Invalid argument") {
		t.Errorf("a message on another subject: exit code %d, %s, want EINVAL", r.code, r.err)
	}
}

// All streams at once, into another mount. The tools set the root's owner, mode and time at the end, and would fail if that were refused.
func TestACopyOfAWholeMount(t *testing.T) {
	t.Parallel()
	needs(t, "rsync", "tar")
	m := mount(t)
	m.sh(`mkdir A B; for i in 1 2 3 4; do echo $i > A/a.$i; echo $i > B/b; done; rm A/2 B/3; echo '{"max_msgs": 100}' > B/.jsfs/config
		mkdir ../copy; cp -a . ../copy; chmod 700 ../copy; touch -d 2020-02-02 ../copy`)
	for _, tool := range []string{
		`cp -a ../copy/. "$T"`, `rsync -aX ../copy/ "$T"`,
		`tar --xattrs -C ../copy -cf ../t.tar . && tar --xattrs --xattrs-include='user.*' -C "$T" -xf ../t.tar`,
	} {
		t.Run(strings.Fields(tool)[0], func(t *testing.T) {
			to := mount(t)
			to.sh(`T=$PWD; cd ` + quoted(m.dir) + `; ` + tool + `
				for s in A B; do cmp $s/.jsfs/log.jsonl "$T/$s/.jsfs/log.jsonl"; cmp $s/.jsfs/config "$T/$s/.jsfs/config"; done`)
			if got, want := to.sh(`stat -c '%a %U' .; ls -A`), m.sh(`stat -c '%a %U' .; ls -A`); got != want {
				t.Errorf("the copy's root has\n%swant\n%s", got, want)
			}
		})
	}
}

// Drafts are files until they are renamed, and survive what messages survive.
func TestDrafts(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; echo one > S/a
		echo draft > S/.d; echo more >> S/.d; cp S/.d S/e~; mv S/e~ S/.f.swp; chmod 600 S/.f.swp
		sync S/.d S/.f.swp; test "$(ls -A S | tr '\n' ' ')" = ".d .f.swp 000000000001 "
		test $(stat -c %s S/.d) = 11`)
	m.crash()
	if got, want := m.sh(`cat S/.d S/.f.swp`), "draft\nmore\ndraft\nmore\n"; got != want {
		t.Errorf("after a crash: got %q, want %q", got, want)
	}
	m.sh(`exec 3<> S/.d; rm S/.d; test ! -e S/.d; echo x >&3; test $(stat -L -c %h /dev/fd/3) = 0; exec 3>&-
		mv S/.f.swp S/a; test "$(cat S/a)" = "$(printf 'draft\nmore')"; test "$(ls -A S)" = "$(printf '000000000001\n000000000002')"`)
	r := m.try(`echo x > S/.d; mv S/.d S/a..b || rmdir S`)
	if !strings.Contains(r.err, "Directory not empty") {
		t.Errorf("a stream with a draft: got %+v", r)
	}
	m.sh(`rm -r S; test ! -e S`)
}

// vim writes a subject as it writes any file, and what it edits is appended.
func TestVimAppends(t *testing.T) {
	needs(t, "vim")
	m := mount(t)
	m.sh(`mkdir S; echo one > S/a`)
	m.sh(`vim -u NONE -es -c '%s/one/two/' -c wq S/a; cat S/a`)
	if got := m.messages("S"); len(got) != 2 || got[0] != "one\n" || got[1] != "two\n" {
		t.Errorf("got %q, want one and two", got)
	}
	if got := m.sh(`ls -A S`); strings.Contains(got, ".") {
		t.Errorf("vim left %s", got)
	}
}
