package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// fill appends n messages, the lines 1 to n, to a stream that it makes.
func (m *mnt) fill(stream string, n int) {
	m.t.Helper()
	m.sh(fmt.Sprintf("mkdir -p %s; seq %d >> %s/.log", stream, n, stream))
}

func TestToolsMeetEachMessageOnce(t *testing.T) {
	needs(t, "rsync")
	m := mount(t)
	m.fill("S", 250)
	m.sh("rm S/7 S/000000000008; mkdir EMPTY; printf x > S/.draft; printf 'no newline' > S/x")
	for _, c := range []struct{ name, script, want string }{
		{"ls is in order", `ls S | head -n 3; ls S | sed -n '7p;$p'`, "000000000001\n000000000002\n000000000003\n000000000009\n000000000251\n"},
		{"ls -f gives each once", `ls -f S | grep -c '^0'; ls -f S | sort | uniq -d`, "249\n"},
		{"ls of the root", `ls`, "EMPTY\nS\n"},
		{"ls -a shows drafts and no views", `ls -a S | grep -v '^0'`, ".\n..\n.draft\n"},
		{"find", `find . -type f | wc -l; find . -type d | sort`, "250\n.\n./EMPTY\n./S\n"},
		{"find -newermt", `find S -newermt '1 hour ago' -name '0*' | wc -l; find S -name '0*' ! -newermt '1 hour ago' | wc -l`, "249\n0\n"},
		{"find -size and -empty", `find S -name '0*' -size 0c | wc -l; find . -empty -type d`, "0\n./EMPTY\n"},
		{"a glob", `echo S/*24?; cat S/*00[1-4]`, "S/000000000240 S/000000000241 S/000000000242 S/000000000243 S/000000000244 S/000000000245 S/000000000246 S/000000000247 S/000000000248 S/000000000249\n1\n2\n3\n4\n"},
		{"cat of all is the log, but for the newline that is missing", `cat S/* | cmp - <(head -c -1 S/.log) && echo same`, "same\n"},
		{"grep -r reads each once", `grep -r -h 24 S | sort -n | tr '\n' ' '; grep -rl '^9$' .`, "24 124 224 240 241 242 243 244 245 246 247 248 249 ./S/000000000009\n"},
		{"wc", `cat S/* | wc -l; wc -c < S/250`, "248\n4\n"},
		{"du counts what is there", `du -s --apparent-size -B1 S | cut -f1`, "899\n"},
		{"tar", `tar cf - S | tar tf - | grep -c '^S/0'`, "249\n"},
		{"cp -r", `cp -r S ../copy && diff -r S ../copy && ls ../copy | wc -l`, "249\n"},
		{"rsync, twice", `rsync -a --itemize-changes S/ ../synced | grep -c f++; rsync -a --itemize-changes S/ ../synced`, "250\n"},
		{"sort of the names is the order of the messages", `ls -U S | grep ^0 | sort -c && echo sorted`, "sorted\n"},
		{"other spellings", `cat S/1 S/001 S/0000000000001; stat -c %i S/1 S/001 | uniq | wc -l`, "1\n1\n1\n1\n"},
		{"first and last", `cat S/.first S/.jsfs/first; cat S/.jsfs/last; readlink S/.first S/.jsfs/last`, "1\n1\nno newline000000000001\n../000000000251\n"},
		{"the views explore like files", `ls S/.jsfs | grep -cx -e config -e ctl -e first -e info -e last -e log -e msg -e subjects; ls .jsfs | grep -cx -e README -e config -e errors -e metrics -e version; cat .jsfs/version | wc -l`, "8\n5\n1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := m.sh(c.script); got != c.want {
				t.Errorf("%s\ngot  %q\nwant %q", c.script, got, c.want)
			}
		})
	}
}

func TestStatTellsAboutAMessage(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; printf 12345 > S/x")
	got := m.sh("stat -c '%F %s %a %h %b' S/1; test $(( $(date +%s) - $(stat -c %Y S/1) )) -lt 100 && echo recent")
	if want := "regular file 5 644 1 1\nrecent\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if dir, msg := m.sh("stat -c %Y S"), m.sh("stat -c %Y S/1"); dir != msg {
		t.Errorf("the directory's time: got %q, want the last message's %q", dir, msg)
	}
}

func TestDfTellsTheRoom(t *testing.T) {
	m := mount(t)
	m.fill("S", 100)
	var total, used, avail uint64
	if _, err := fmt.Sscan(m.sh("df -B1 --output=size,used,avail . | tail -n 1"), &total, &used, &avail); err != nil {
		t.Fatal(err)
	}
	if total == 0 || avail == 0 || used+avail > total {
		t.Errorf("got size %d, used %d, avail %d", total, used, avail)
	}
	if got, want := strings.TrimSpace(m.sh("df --output=iused . | tail -n 1")), "100"; got != want {
		t.Errorf("files used: got %s, want %s", got, want)
	}
}

func TestRemoving(t *testing.T) {
	for _, c := range []struct{ name, script, left string }{
		{"rm of one", "rm S/42", "19"},
		{"rm by the listed name", "rm S/000000000003", "19"},
		{"rm of a glob", "rm S/*", "0"},
		{"rm -r of all", "rm -r S && mkdir S", "0"},
		{"rm -rf", "rm -rf S && mkdir S", "0"},
		{"find -delete", "find S -mindepth 1 -delete", "0"},
		{"find -delete with the stream", "find S -delete && mkdir S", "0"},
		{"find of some", "find S -name '*1?' -delete", "10"},
	} {
		for _, user := range []string{"", "nobody"} {
			t.Run(c.name+" as "+user, func(t *testing.T) {
				m := mount(t, withSource("mem:"), withArgs("--allow-other", "--umask=0"))
				if c.name == "rm of one" {
					m.fill("S", 42)
					m.sh("rm $(seq -f 'S/%g' 1 22)")
				} else {
					m.fill("S", 20)
				}
				if r := m.as(user, c.script); r.code != 0 || r.err != "" {
					t.Fatalf("%s: exit code %d, %s", c.script, r.code, r.err)
				}
				if got := strings.TrimSpace(m.sh("ls S | wc -l")); got != c.left {
					t.Errorf("left: got %s, want %s", got, c.left)
				}
				if got := strings.TrimSpace(m.sh("wc -l < S/.log")); got != c.left {
					t.Errorf("lines of the log: got %s, want %s", got, c.left)
				}
			})
		}
	}
}

func TestAnotherUserMayNotRemoveUnlessTheModeSaysSo(t *testing.T) {
	m := mount(t, withSource("mem:"), withArgs("--allow-other"))
	m.fill("S", 3)
	for _, script := range []string{"rm -f S/1", "mkdir T", "rmdir S", "echo x > S/x", "echo x >> S/.log", "cat .jsfs/errors"} {
		if r := m.as("nobody", script); r.code == 0 || !strings.Contains(r.err, "denied") {
			t.Errorf("%s as nobody: got exit code %d, %q, want permission denied", script, r.code, r.err)
		}
	}
	if got, want := m.as("nobody", "cat S/*").out, "1\n2\n3\n"; got != want {
		t.Errorf("cat as nobody: got %q, want %q", got, want)
	}
}

func TestRmdirOfAStreamWithMessagesIsRefused(t *testing.T) {
	m := mount(t)
	m.fill("S", 1)
	if r := m.try("rmdir S"); r.code == 0 || !strings.Contains(r.err, "not empty") {
		t.Errorf("got exit code %d, %q, want 'not empty'", r.code, r.err)
	}
	if got, want := m.sh("cat S/1"), "1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAStreamThatIsMadeAgainShowsNothingOfTheOldOne(t *testing.T) {
	m := mount(t)
	for round := range 5 {
		m.sh(fmt.Sprintf("mkdir S; for i in 1 2 3; do echo old%d-$i > S/x; done", round))
		m.sh("ls -l S > /dev/null; cat S/* S/1 S/.log S/x > /dev/null; stat S/1 S/2 S/3 > /dev/null")
		held, err := os.Open(m.path("S/000000000002"))
		if err != nil {
			t.Fatal(err)
		}
		m.sh("rm -r S; mkdir S")
		if got := m.sh("ls S; cat S/.log; wc -c < S/.log"); got != "0\n" {
			t.Errorf("round %d: the new stream shows %q, want nothing", round, got)
		}
		for _, path := range []string{"S/1", "S/000000000001", "S/x", "S/.first"} {
			if r := m.try("cat " + path); r.code == 0 {
				t.Errorf("round %d: %s shows %q, want nothing", round, path, r.out)
			}
		}
		m.sh("echo new > S/y")
		if got, want := m.sh("cat S/000000000001 S/1 S/.log"), "new\nnew\nnew\n"; got != want {
			t.Errorf("round %d: got %q, want %q", round, got, want)
		}
		_ = held.Close()
		m.sh("rm -r S")
	}
}

// What the kernel is told of a stream's removal may come when there is a new one of the name: who works in its directory must keep that.
func TestAStreamThatIsMadeAgainCanBeWorkedIn(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh(`python3 -c '
import os, time
for i in range(100):
    os.mkdir("S")
    os.rmdir("S")
    os.mkdir("S")
    os.chdir("S")
    time.sleep(0.005) # the removal is told of
    assert os.getcwd().endswith("/S")
    os.chdir("..")
    os.rmdir("S")'`)
}

// Names that can't be are refused where they would be made, and are just not there where
// they are looked for.
func TestBadNames(t *testing.T) {
	m := mount(t)
	m.fill("S", 1)
	before := m.sh("find . | sort; cat S/.log")
	long := strings.Repeat("n", 256)
	for _, c := range []struct {
		name string
		want syscall.Errno
	}{
		{"a.b", syscall.EINVAL}, {"*", syscall.EINVAL}, {">", syscall.EINVAL}, {"a b", syscall.EINVAL},
		{"a\nb", syscall.EINVAL}, {"\xff\xfe", syscall.EINVAL}, {"a\x01", syscall.EINVAL}, {long, syscall.ENAMETOOLONG},
	} {
		if err := syscall.Mkdir(m.path(c.name), 0o755); err != c.want {
			t.Errorf("mkdir %q: got %v, want %v", c.name, err, c.want)
		}
		if err := syscall.Rmdir(m.path(c.name)); err != syscall.ENOENT && err != syscall.ENAMETOOLONG {
			t.Errorf("rmdir %q: got %v, want ENOENT", c.name, err)
		}
	}
	for _, c := range []struct {
		name string
		want syscall.Errno
	}{
		{"*", syscall.EINVAL}, {"a.*", syscall.EINVAL}, {"a..b", syscall.EINVAL}, {"a b", syscall.EINVAL}, {"a\nb", syscall.EINVAL},
		{"\xff\xfe", syscall.EINVAL}, {"%2", syscall.EINVAL}, {"%zz", syscall.EINVAL}, {"a.", syscall.EINVAL},
		{"0", syscall.EINVAL}, {"99999999999999999999999", syscall.EINVAL}, {long, syscall.ENAMETOOLONG},
	} {
		path := m.path("S", c.name)
		if fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT, 0o644); err != c.want {
			_ = syscall.Close(fd)
			t.Errorf("create %q: got %v, want %v", c.name, err, c.want)
		}
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != syscall.ENOENT && err != syscall.ENAMETOOLONG {
			t.Errorf("stat %q: got %v, want ENOENT", c.name, err)
		}
	}
	if after := m.sh("find . | sort; cat S/.log"); after != before {
		t.Errorf("after all that: got %q, want %q", after, before)
	}
	lines := strings.Split(strings.TrimSuffix(m.sh("cat .jsfs/errors"), "\n"), "\n")
	format := regexp.MustCompile(`^\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d) [a-z]+ .+ E[A-Z0-9]+ .+$`)
	for _, line := range lines {
		if !format.MatchString(line) {
			t.Errorf("a line of errors: got %q, want time, call, path, errno and reason", line)
		}
	}
	if len(lines) < 20 {
		t.Errorf("errors: got %d lines, want one for each refusal", len(lines))
	}
	// An escaped slash is one in the subject.
	m.sh("echo slash > S/a%2Fb")
	if got, want := m.sh("cat S/2 S/a%2fb"), "slash\nslash\n"; got != want {
		t.Errorf("a%%2Fb: got %q, want %q", got, want)
	}
}

func TestListingEndsWhileSomebodyWrites(t *testing.T) {
	m := mount(t, withSource("mem:"))
	m.fill("S", 5000)
	got := m.sh(`(while test ! -e ../done; do seq 1000 >> S/.log; done) & 
for i in 1 2 3 4 5; do ls -f S | wc -l; done > ../counts; touch ../done; wait; sort -n ../counts | head -n 1`)
	if n, err := strconv.Atoi(strings.TrimSpace(got)); err != nil || n < 5002 {
		t.Errorf("smallest listing: got %q, want at least the 5,000 that were there, and two", got)
	}
}

// A listing of a million messages leaves no memory behind.
func TestAMillionMessagesLeaveNoMemoryBehind(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"))
	n := scaled(100_000, 1_000_000, 1_000_000)
	m.fill("S", n)
	m.sh("ls -f S > /dev/null")
	before := m.memory()
	if got, want := strings.TrimSpace(m.sh("ls -l S | grep -c ' 0'")), fmt.Sprint(n); got != want {
		t.Errorf("listed: got %s, want %s", got, want)
	}
	m.sh(fmt.Sprintf("cat $(seq -f S/%%g 1 %d 20000) > /dev/null; find S -name '*5000' | wc -l > /dev/null", n))
	limit := int64(20)
	if raceBuilt {
		limit = 100 // the detector keeps a shadow of what is used
	}
	if grown := m.memory() - before; grown > limit<<20 {
		t.Errorf("the server grew by %d MiB, want at most %d", grown>>20, limit)
	}
}

// memory is what the server holds of it, in bytes.
func (m *mnt) memory() int64 {
	m.t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.pid()), "status"))
	if err != nil {
		m.t.Fatal(err)
	}
	found := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		m.t.Fatalf("no RssAnon in %s", status)
	}
	kib, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		m.t.Fatal(err)
	}
	return kib << 10
}
