package integration

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestConfigThroughTheShell(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; echo 1 > S/a.b; echo '{"subjects": ["a.>", "c"], "description": "orders"}' > S/.jsfs/config`)
	if r := m.try("echo no > S/d"); r.code == 0 || !strings.Contains(r.err, "Invalid argument") {
		t.Errorf("a subject that the configuration leaves out: %+v", r)
	}
	m.sh(`sed 's/orders/bills/' S/.jsfs/config > ../new && cp ../new S/.jsfs/config && cmp ../new S/.jsfs/config`)
	for _, script := range []string{`echo '{"colour":1}' > S/.jsfs/config`, "echo hello > ../bad && cp ../bad S/.jsfs/config", "echo x >> S/.jsfs/config"} {
		if r := m.try(script); r.code == 0 {
			t.Errorf("%s: got %+v, want a refusal", script, r)
		}
	}
	m.remount()
	if got := m.sh("cmp ../new S/.jsfs/config && grep -c bills S/.jsfs/config"); got != "1\n" {
		t.Errorf("after a remount: %q", got)
	}
}

func TestCtlRemovesMuchInOneStep(t *testing.T) {
	m := mount(t)
	m.fill("S", 50_000)
	m.sh("ls -l S > /dev/null; cat S/000000000001 S/000000049999 > /dev/null")
	f := m.follow("tail -n 1 -f S/.log")
	f.await("50000\n")
	start := time.Now()
	m.sh("echo purge keep=3 > S/.jsfs/ctl")
	took := time.Since(start)
	if got, want := m.sh("ls S; cat S/*"), "000000049998\n000000049999\n000000050000\n49998\n49999\n50000\n"; got != want {
		t.Errorf("left: got %q, want %q", got, want)
	}
	eventually(t, patience, "what was listed is gone", func() bool { return m.try("stat S/000000000001").code != 0 })
	m.sh("echo more >> S/.log")
	f.await("more\n")
	quick(t, "a purge of 50,000 messages", took, 2*time.Second, func() { m.fill("T", 50_000) })
	if strings.Contains(f.text(), "truncated") || strings.Count(f.text(), "50000") != 1 {
		t.Errorf("tail -f over the purge printed %q", f.text())
	}
	if r := m.try("echo prune > S/.jsfs/ctl"); r.code == 0 || !strings.Contains(r.err, "Invalid argument") {
		t.Errorf("an unknown command: %+v", r)
	}
	if got := m.sh("tail -n 1 .jsfs/errors"); !strings.Contains(got, `"prune" is no command`) {
		t.Errorf("the reason: %q", got)
	}
	m.crash()
	if got, want := m.sh("cat S/*"), "49998\n49999\n50000\nmore\n"; got != want {
		t.Errorf("after kill -9: got %q, want %q", got, want)
	}
}

// What is erased is in no file of the store, in no page of the kernel, and does not come back.
func TestCtlErasesAMessage(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; for i in 1 2 3 4 5; do echo secret-$i > S/s.$i; done")
	m.sh("cat S/000000000002 > /dev/null; rm S/000000000004; echo erase 2 > S/.jsfs/ctl; echo erase 4 > S/.jsfs/ctl")
	if got, want := m.sh("ls S; cat S/*"), "000000000001\n000000000003\n000000000005\nsecret-1\nsecret-3\nsecret-5\n"; got != want {
		t.Errorf("left: got %q, want %q", got, want)
	}
	for _, name := range []string{"S/2", "S/000000000002", "S/s.2", "S/4"} {
		if r := m.try("cat " + name); r.code == 0 {
			t.Errorf("%s can be read: %+v", name, r)
		}
	}
	open, err := os.Open(m.path("S/000000000003"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Close() }()
	m.sh("echo erase 3 > S/.jsfs/ctl")
	eventually(t, patience, "who has it open reads it no longer", func() bool { // the kernel hears of it a moment later
		got := make([]byte, 100)
		n, _ := open.ReadAt(got, 0)
		return !strings.Contains(string(got[:n]), "secret")
	})
	for _, bad := range []string{"erase", "erase x", "erase 0", "erase 1 2", "erase 99"} {
		if r := m.try("echo " + bad + " > S/.jsfs/ctl"); r.code == 0 {
			t.Errorf("%s: got %+v, want a refusal", bad, r)
		}
	}
	m.crash()
	m.sh("! grep -r -e secret-2 -e secret-3 -e secret-4 " + m.store)
	if got := m.sh("cat S/* && grep -rc secret-5 " + m.store + "/streams | grep -c :1"); got != "secret-1\nsecret-5\n1\n" {
		t.Errorf("after kill -9: %q", got)
	}
}

// A stream that was truncated is another one: nothing of the old one is shown for it, and who uses the old one hears of it.
func TestCtlTruncatesAStream(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; for i in 1 2 3 4 5; do echo old-$i > S/s.$i; done; echo draft > S/.keep")
	m.sh("ls -l S > /dev/null; cat S/* S/.jsfs/log > /dev/null")
	for _, bad := range []string{"truncate", "truncate 3", "truncate x force", "truncate 9 force"} {
		if r := m.try("echo " + bad + " > S/.jsfs/ctl"); r.code == 0 {
			t.Errorf("%s: got %+v, want a refusal", bad, r)
		}
	}
	before := m.sh("stat -c %i S")
	m.sh("echo truncate 3 force > S/.jsfs/ctl; echo new-4 > S/s.4")
	want := "old-1\nold-2\nold-3\nnew-4\n"
	if got := m.sh("cat S/0* && cat S/.keep"); got != want+"draft\n" {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := m.sh("cat S/.log S/4; stat -c %i S"); !strings.HasPrefix(got, want+"new-4\n") || strings.HasSuffix(got, before) {
		t.Errorf("got %q; the directory was %s", got, before)
	}
	if r := m.try("cat S/5"); r.code == 0 {
		t.Errorf("what was truncated can be read: %+v", r)
	}
	if got := m.sh("cd S; echo truncate 0 force > .jsfs/ctl; ls . 2>&1 || true; cd ../S; echo one > a.b; cat 1"); !strings.HasSuffix(got, "one\n") || strings.Contains(got, "old") {
		t.Errorf("from inside of the directory: %q", got)
	}
	m.crash()
	if got := m.sh("ls S; cat S/1"); got != "000000000001\none\n" {
		t.Errorf("after kill -9: %q", got)
	}
}

// Whoever walks through the control directories meets no end that blocks, and changes nothing.
func TestControlsCanBeCopiedAndSearched(t *testing.T) {
	m := mount(t)
	m.fill("S", 20)
	before := m.sh("cat S/.log S/.jsfs/config")
	m.sh("timeout 100 grep -r nothing .jsfs S/.jsfs || test $? = 1")
	m.sh("timeout 100 cp -r S/.jsfs ../c1; timeout 100 cp -rL .jsfs ../c2; cmp S/.log ../c1/log; cmp S/.jsfs/ctl ../c1/ctl; test -s ../c2/metrics")
	m.sh("timeout 100 find . .jsfs S/.jsfs -type f -exec cat {} + > /dev/null; timeout 100 tar cf - S/.jsfs | tar tf - | grep -q ctl")
	if got := m.sh("cat S/.log S/.jsfs/config"); got != before {
		t.Errorf("it changed something: %q", got)
	}
}
