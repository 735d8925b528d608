package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// requests runs a script with cold caches and returns how often the kernel asked for what.
func (m *mnt) requests(script string) map[string]int {
	m.t.Helper()
	sh(m.t, "sync; echo 3 > /proc/sys/vm/drop_caches")
	before := len(m.serverLog())
	m.sh(script)
	counts := map[string]int{}
	for _, r := range regexp.MustCompile(`rx \d+: ([A-Z]+)`).FindAllStringSubmatch(m.serverLog()[before:], -1) {
		counts[r[1]]++
	}
	return counts
}

// What makes a mount fast is what is not asked. A change that makes the kernel ask more shows here, on
// every machine.
func TestRequestsOfWholeJobs(t *testing.T) {
	const n, remove = 3000, "rm -r S"
	m := mount(t, withArgs("--debug-fuse"))
	m.fill("S", n)
	for _, job := range []struct {
		script string
		most   map[string]int // of each kind of request; others are few
	}{
		{"ls -f S > /dev/null", nil},
		{"ls -l S > /dev/null", map[string]int{"GETXATTR": n, "LISTXATTR": n}},
		{"find S -newermt 2001-01-01 > /dev/null", nil},
		{"cat S/* > /dev/null", map[string]int{"OPEN": n, "RELEASE": n, "READ": n / 10}},
		{"grep -r nothing S || true", map[string]int{"OPEN": n, "RELEASE": n, "READ": n / 10, "FORGET": n}},
		{remove, map[string]int{"UNLINK": n, "FORGET": n}},
	} {
		// On a busy machine a reader may be there before what was sent ahead, but not each time.
		var got map[string]int
		for try := 0; try < 1 || try < 10 && job.script != remove && tooMany(got, job.most, n) != ""; try++ {
			got = m.requests(job.script)
		}
		if kind := tooMany(got, job.most, n); kind != "" {
			t.Errorf("%s: %d %s requests; all: %v", job.script, got[kind], kind, got)
		}
	}
}

// Large messages are sent ahead, too, however their reader asks for them.
func TestRequestsOfLargeMessages(t *testing.T) {
	const n = 600
	m := mount(t, withArgs("--debug-fuse"))
	m.sh(`mkdir S; head -c 65535 /dev/zero | tr '\0' x > ../line; for i in $(seq 600); do cat ../line; echo; done >> S/.log; rm ../line`)
	most := map[string]int{"OPEN": n, "RELEASE": n, "READ": n / 2, "GETXATTR": n, "LISTXATTR": n}
	for _, script := range []string{"cat S/* > /dev/null", "grep -r nothing S || true", "tar cf - S | cat > /dev/null"} {
		var got map[string]int
		for try := 0; try < 1 || try < 10 && tooMany(got, most, n) != ""; try++ { // as above
			got = m.requests(script)
		}
		if kind := tooMany(got, most, n); kind != "" {
			t.Errorf("%s: %d %s requests; all: %v", script, got[kind], kind, got)
		}
	}
}

// In the directory of a subject a message's name is asked for each time, and that of the directory once.
func TestRequestsOfAView(t *testing.T) {
	const n = 1000
	m := mount(t, withArgs("--debug-fuse"))
	m.fill("S", n)
	for _, job := range []struct {
		script string
		most   map[string]int
	}{
		{"ls -l S/.jsfs/range/1-1000 > /dev/null", map[string]int{"LOOKUP": n, "GETXATTR": n, "LISTXATTR": n}},
		{"cat S/.jsfs/range/1-1000/* > /dev/null", map[string]int{"LOOKUP": n, "OPEN": n, "RELEASE": n, "READ": n}},
	} {
		got := m.requests(job.script)
		if kind := tooMany(got, job.most, n); kind != "" {
			t.Errorf("%s: %d %s requests; all: %v", job.script, got[kind], kind, got)
		}
	}
}

// tooMany returns a kind of request that came too often in a job with n messages, and "" if none did.
func tooMany(got, most map[string]int, n int) string {
	for kind, count := range got {
		most := max(most[kind], n/10)
		if kind == "FORGET" || kind == "BATCH" {
			most = 2 * n // the kernel's caches were dropped before, and it waits for none of them
		}
		if count > most+most/50 {
			return kind
		}
	}
	return ""
}

// What rsync asks of each file that it makes: its temporary file is looked up six times, the file three times.
func TestRequestsOfRsync(t *testing.T) {
	needs(t, "rsync")
	const n = 300
	m := mount(t, withArgs("--debug-fuse"))
	m.sh(`mkdir S ../src; for i in $(seq 300); do echo $i > ../src/f$i; done`)
	got := m.requests("rsync -a ../src/ S/.jsfs/subjects/x/")
	most := map[string]int{"LOOKUP": 9 * n, "SETATTR": 3 * n, "CREATE": n, "GETXATTR": n, "WRITE": n, "FLUSH": n, "OPEN": n, "RELEASE": 2 * n, "RENAME": n}
	for kind, count := range got {
		if count > most[kind]+n/10 && kind != "FORGET" {
			t.Errorf("%d %s requests, want at most %d; all: %v", count, kind, most[kind], got)
		}
	}
	if got := m.sh(`ls S | wc -l; cat S/0* | sort -n | tail -n 1`); got != "300\n300\n" {
		t.Errorf("got %q, want 300 messages", got)
	}
}

// A draft's attributes are kept by the kernel. They change with whatever is done to it, by any of its names and descriptors.
func TestAttributesOfDraftsAreNeverOld(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh(`mkdir S`)
	m.sh(`timeout 60 python3 -c '
import os
def is_(what, got, want):
    assert got == want, (what, got, want)
a, b = "S/.d", "S/.jsfs/subjects/x/.d"
for i in range(20):
    f = os.open(a, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    g = os.open(b, os.O_RDWR)
    for n in range(1, 20):
        os.write(f, b"x")
        is_("size", (os.fstat(g).st_size, os.stat(a).st_size, os.stat(b).st_size), (n, n, n))
    was = os.fstat(g).st_mtime_ns
    os.pwrite(f, b"y", 0)
    assert os.fstat(g).st_mtime_ns > was, "time of a write"
    os.truncate(b, 5)
    is_("truncate", os.fstat(f).st_size, 5)
    os.chmod(a, 0o640)
    is_("chmod", (os.fstat(g).st_mode & 0o777, os.stat(b).st_mode & 0o777), (0o640, 0o640))
    os.utime(b, ns=(10**18, 10**18))
    is_("utime", (os.fstat(f).st_mtime_ns, os.stat(a).st_mtime_ns), (10**18, 10**18))
    if i % 4 == 0:
        os.unlink(b)
        is_("unlink", os.fstat(f).st_nlink, 0)
    elif i % 4 == 1:
        os.rename(a, "S/.e")
        is_("rename", (os.stat("S/.e").st_ino, os.path.exists(b)), (os.fstat(g).st_ino, False))
        os.rename("S/.e", "S/subject")
        is_("publish", (os.fstat(f).st_nlink, os.fstat(f).st_size, os.stat("S/subject").st_size), (0, 5, 5))
    elif i % 4 == 2:
        h = os.open("S/.over", os.O_RDWR | os.O_CREAT)
        os.fstat(h)
        os.rename(b, "S/.over")
        is_("replace", (os.fstat(h).st_nlink, os.stat("S/.over").st_size), (0, 5))
        os.unlink("S/.over")
        os.close(h)
    else:
        os.rename(a, "S/.jsfs/subjects/x/file")
        is_("publish", (os.fstat(g).st_nlink, os.fstat(g).st_size, os.stat("S/.jsfs/subjects/x/file").st_size), (0, 5, 5))
        assert os.stat("S/.jsfs/subjects/x/file").st_ino != os.fstat(g).st_ino
    os.close(f)
    os.close(g)
'`)
}

// Payloads that the kernel was given before it asked must be those that it would have got.
func TestReadingInOrderGivesTheSameBytes(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh(`mkdir S ../p; python3 -c '
import os
for i in range(400): open("../p/f%03d" % i, "wb").write(os.urandom(i * 97 % 9000 if i % 2 else i * 353 % 140000))'
		cp ../p/* S/.jsfs/subjects/x/`)
	want := m.sh(`cat ../p/* | sha256sum`)
	for _, script := range []string{
		`ls -l S > /dev/null; for f in S/*; do cat $f; done`,
		`cat S/*`,
		`cat $(ls -r S | sed s,^,S/,) > /dev/null; cat S/*`,
	} {
		m.remount() // the kernel knows nothing of the mount then
		if got := m.sh(script + ` | sha256sum`); got != want {
			t.Errorf("%s: got %s, want %s", script, got, want)
		}
	}
}

func TestReadingInOrderWhileMessagesAreRemoved(t *testing.T) {
	m := mount(t, withSource("mem:"))
	m.fill("S", 3000)
	r := m.try(`(for i in $(seq 3000 -3 1); do rm S/$i; done) & grep -r . S 2>/dev/null | sed 's/.*S.0*\([0-9]*\):/\1 /' > ../seen
		wait; awk '$1 != $2 { bad++ } END { print bad+0, (NR >= 2000) }' ../seen; rm ../seen; cat S/* | wc -l`)
	if r.out != "0 1\n2000\n" {
		t.Errorf("got %+v, want each file to hold its own number, and 2000 of them left", r)
	}
}

func TestMetricsCountWhatIsDone(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo one > S/x; echo two > S/x; cat S/1 > /dev/null; rm S/1")
	got := m.sh("cat .jsfs/metrics")
	for _, want := range []string{
		`jsfs_store_messages_total{direction="stored"} 2`, `jsfs_store_payload_bytes_total{direction="stored"} 8`,
		`jsfs_store_operation_seconds_count{op="append"} 2`, `jsfs_store_operation_seconds_count{op="remove"} 1`,
		`jsfs_stream_messages{stream="S"} 1`, `jsfs_stream_last_sequence{stream="S"} 2`, "process_resident_memory_bytes", "go_goroutines",
	} {
		if !strings.Contains(got, want+"\n") && !strings.Contains(got, want+" ") {
			t.Errorf("want %s in:\n%s", want, got)
		}
	}
	if r := m.try("ls .jsfs; grep -c jsfs_ .jsfs/metrics > /dev/null && cp .jsfs/metrics ../metrics && test -s ../metrics && echo x > .jsfs/metrics"); r.out != "README\nconfig\ndeleted\nerrors\nmetrics\nversion\n" || r.code == 0 {
		t.Errorf("got %+v, want the listing, and a refusal to write", r)
	}
}

// A server that waits for requests sleeps.
func TestAnIdleMountTakesNoProcessorTime(t *testing.T) {
	m := mount(t)
	m.fill("S", 500)
	m.sh("cat S/* > /dev/null")
	for range 5 { // other work on the machine can make one look wrong
		time.Sleep(300 * time.Millisecond)
		before := m.ticks()
		time.Sleep(time.Second)
		if m.ticks()-before <= 2 {
			return
		}
	}
	t.Error("the server keeps on taking processor time though nobody asks for anything")
}

// ticks is the processor time that the server took, in hundredths of a second.
func (m *mnt) ticks() (n int) {
	m.t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(m.pid()), "stat"))
	if err != nil {
		m.t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	for _, f := range fields[11:13] { // utime and stime, fields 14 and 15 of proc_pid_stat(5)
		ticks, err := strconv.Atoi(f)
		if err != nil {
			m.t.Fatal(err)
		}
		n += ticks
	}
	return n
}
