package integration

import (
	"strings"
	"testing"
)

func TestAttributesOfMessages(t *testing.T) {
	needs(t, "getfattr", "setfattr")
	m := mount(t)
	m.sh("mkdir S; echo hi > S/orders.eu")
	got := m.sh("getfattr -d S/1")
	for _, want := range []string{`user.jsfs.seq="1"`, `user.jsfs.subject="orders.eu"`, `user.jsfs.time="20`} {
		if !strings.Contains(got, want) {
			t.Errorf("getfattr -d: got %q, want %s in it", got, want)
		}
	}
	if got := m.sh("getfattr --only-values -n user.jsfs.config S"); !strings.Contains(got, `"name":"S"`) {
		t.Errorf("config: got %q, want the stream's", got)
	}
	for script, want := range map[string]string{
		"getfattr -n user.jsfs.nothing S/1":      "No such attribute",
		"getfattr -n user.other S/1":             "not supported",
		"setfattr -n user.jsfs.subject -v z S/1": "not permitted",
		"setfattr -x user.jsfs.subject S/1":      "not permitted",
		"setfattr -n user.other -v z S/1":        "not supported",
		"setfattr -n trusted.other -v z S/1":     "not supported",
		"setfattr -n security.selinux -v z S/1":  "not supported",
	} {
		if r := m.try(script); r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("%s: got exit code %d, %q, want %q", script, r.code, r.err, want)
		}
	}
}

// Copies that carry attributes work, and complain of nothing.
func TestCopiesCarryAttributes(t *testing.T) {
	needs(t, "getfattr", "rsync")
	m := mount(t)
	m.sh("mkdir S; echo one > S/a.b; echo two > S/c.d")
	for name, script := range map[string]string{
		"cp -a":        "cp -a S ../$D",
		"rsync -aX":    "rsync -aX S/ ../$D",
		"tar --xattrs": "mkdir ../$D && tar c --xattrs --xattrs-include='user.*' -C S . | tar x --xattrs --xattrs-include='user.*' -C ../$D",
		"cp -p of one": "mkdir ../$D && cp -p --preserve=xattr S/* ../$D",
	} {
		t.Run(name, func(t *testing.T) {
			dir := "copy-" + strings.Fields(name)[0] + strings.Fields(name)[1]
			r := m.try("D=" + dir + "; " + script)
			if r.code != 0 || r.err != "" {
				t.Fatalf("%s: exit code %d, %s", script, r.code, r.err)
			}
			got := m.sh("cd ../" + dir + "; cat 000000000001 000000000002; getfattr --only-values -n user.jsfs.subject 000000000002")
			if want := "one\ntwo\nc.d"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestWithoutAttributesThereAreNone(t *testing.T) {
	needs(t, "getfattr")
	m := mount(t, withArgs("-o", "noxattr"))
	m.sh("mkdir S; echo one > S/a.b")
	if r := m.try("getfattr -n user.jsfs.seq S/1"); r.code == 0 || !strings.Contains(r.err, "not supported") {
		t.Errorf("got exit code %d, %q, want 'not supported'", r.code, r.err)
	}
	m.sh("ls -l S; cp -a S ../copy")
}
