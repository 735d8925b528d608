package integration

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// On a read-only mount the kernel opens no file: reading many takes a few requests cold, and warm none but for the directory's
// opening.
func TestAReadOnlyMountIsReadWithoutOpening(t *testing.T) {
	const n = 3000
	m := mount(t)
	m.fill("S", n)
	m.stop()
	m.args = append(m.args, "-o", "ro", "--debug-fuse")
	m.start()
	m.try("cat S/1") // the kernel learns that there is no OPEN
	for _, script := range []string{"cat S/0* > /dev/null", "grep -r nothing S || true", "ls -f S > /dev/null"} {
		got := m.requests(script)
		if got["OPEN"]+got["RELEASE"]+got["FLUSH"] > 0 || got["READ"] > n/3 || got["LOOKUP"] > n/10 { // it is n/70 on an idle machine
			t.Errorf("%s: got %v, want no OPEN, and few READs", script, got)
		}
		eventually(t, patience, script+" asks for nothing once more", func() bool { // others may drop caches
			before := len(m.serverLog())
			m.sh(script)
			log := m.serverLog()[before:]
			return !strings.Contains(log, ": READ ") && !strings.Contains(log, ": OPEN ") && !strings.Contains(log, ": READDIR")
		})
	}
}

// However often and in whatever way a read-only mount is looked through, each look finds all of it.
func TestAReadOnlyMountListsAllEachTime(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; seq 100000 >> S/.log")
	m.stop()
	m.args = append(m.args, "-o", "ro")
	m.start()
	for range 4 {
		m.sh(`echo 3 > /proc/sys/vm/drop_caches; ls -f S | wc -l; ls -f S | wc -l; cd S; printf '%s\0' [0-9]* | xargs -0 cat | wc -l`)
		for range 2 {
			if got := m.sh("grep -rc 0 S | wc -l; ls S | wc -l; find S -type f | wc -l"); got != "100000\n100000\n100000\n" {
				t.Errorf("grep -r, ls and find saw %q, want 100000 each", got)
			}
		}
		m.remount()
	}
}

// The kernel keeps the names of a read-only mount's directories. Several list one by turns, from its beginning and from elsewhere, while
// the kernel loses what it keeps, and each finds all.
func TestNamesThatTheKernelLosesAreListed(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; seq 20000 >> S/.log; echo a draft > S/.draft; echo 2 > S/x~")
	m.stop()
	m.args = append(m.args, "-o", "ro")
	m.start()
	want := dirents(t, m.openDir("S"), 0)
	if len(want) != 20004 {
		t.Fatalf("got %d entries, want 20000 messages, two drafts and the two of each directory", len(want))
	}
	rng := rand.New(rand.NewPCG(5, 7))
	type listing struct {
		dir  *os.File
		got  []dirent
		want []dirent
	}
	begin := func() *listing {
		l := &listing{dir: m.openDir("S"), want: want}
		if i := rng.IntN(2 * len(want)); i < len(want) {
			if _, err := l.dir.Seek(want[i].off, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			l.want = want[i+1:]
		}
		return l
	}
	var under []*listing
	for range 4 {
		under = append(under, begin())
	}
	for done, drops := 0, 0; done < 60; {
		i := rng.IntN(len(under))
		l := under[i]
		more := dirents(t, l.dir, 1+rng.IntN(3000))
		l.got = append(l.got, more...)
		if len(more) == 0 {
			if !slices.Equal(l.got, l.want) {
				t.Errorf("a listing got %d entries, want %d", len(l.got), len(l.want))
			}
			done++
			_ = l.dir.Close()
			under[i] = begin()
		}
		if drops < 30 && rng.IntN(10) == 0 {
			drops++
			sh(t, "echo $((1 + RANDOM % 3)) > /proc/sys/vm/drop_caches")
		}
	}
}

// What a read-only mount shows is what the one shows that wrote it, read in any way.
func TestAReadOnlyMountShowsTheSame(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh(`mkdir S T; echo one > S/a.b; : > S/empty; seq 500 >> S/.log
		head -c 131072 /dev/urandom > S/exact; head -c 131073 /dev/urandom > S/more; head -c 5000000 /dev/urandom > S/large
		echo draft > S/.draft; rm S/7; echo two > T/a.b`)
	const look = `cd "$M"; md5sum S/0*; stat -c '%s %i %Y' S/0*; for f in S/.log S/.jsfs/log.jsonl S/.jsfs/subjects/a.b/.log S/.draft S/a.b S/large S/more S/.jsfs/config S/.jsfs/ctl S/.jsfs/first \
			S/.jsfs/msg/505/* S/.jsfs/subjects/a.b/0* S/.jsfs/last-by-subject/* T/* T/.log .jsfs/README .jsfs/version; do
			echo "$f $(stat -c '%s %i' "$f") $(md5sum < "$f")"; done
		tail -c 100 S/.log | md5sum; head -c 100 S/.log | md5sum; tail -n 3 S/.log | md5sum; dd if=S/.log bs=4097 status=none | md5sum
		dd if=S/505 bs=999 skip=4000 status=none | md5sum; dd if=S/505 bs=64k iflag=direct status=none | md5sum; ls S; wc -c S/.info`
	want := m.command().ok(t, look)
	m.stop()
	m.args = append(m.args, "-o", "ro")
	m.start()
	for range 2 { // cold and warm
		if got := m.command().ok(t, look); got != want {
			t.Errorf("got %s\nwant %s", difference(got, want), difference(want, got))
		}
	}
	if r := m.try("timeout 100 cat S/.follow"); r.code != 0 || r.out != "" {
		t.Errorf("following where nothing can come: got %+v, want the end", r)
	}
	m.sh(`for p in 1 2 3 4 5 6; do (cat S/0* | md5sum; md5sum < S/.log) & done | sort -u | wc -l > ../n; wait`)
	if got, err := os.ReadFile(m.path("../n")); string(got) != "2\n" || err != nil {
		t.Errorf("six readers at a time saw %s different contents (%v), want 2", got, err)
	}
	r := m.try(`for c in 'echo x > S/y' 'echo x >> S/.log' 'rm S/1' 'mkdir U' 'echo x > S/1' 'mv S/1 S/x' 'touch S/1' 'rm S/.draft'; do
		bash -c "$c" 2>/dev/null && echo "done: $c"; done; ls S | wc -l`)
	if r.out != "504\n" {
		t.Errorf("changes through a read-only mount: got %q", r.out)
	}
}

// difference returns the lines of a that b has not.
func difference(a, b string) string {
	var out strings.Builder
	for line := range strings.Lines(a) {
		if !strings.Contains(b, line) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// What changes all the same, what is told about the mount itself, is up to date, and whole.
func TestAReadOnlyMountTellsWhatHappensNow(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; seq 5000 >> S/.log")
	m.stop()
	blocks, err := filepath.Glob(filepath.Join(m.store, "streams", "*", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks: %v", err)
	}
	spoil(t, blocks[0], []byte("4321"))
	m.args = append(m.args, "-o", "ro")
	m.start()
	before := m.sh("cat .jsfs/errors")
	if r := m.try("cat S/4321"); r.code == 0 || !strings.Contains(r.err, "Input/output error") {
		t.Errorf("a damaged message: got %+v, want EIO", r)
	}
	if got := m.sh("cat .jsfs/errors"); len(got) <= len(before) || !strings.HasPrefix(got, before) || strings.Contains(got, "\x00") {
		t.Errorf("errors: got %q after %q, want a line more", got, before)
	}
	loads := func() string {
		return m.sh(`cat .jsfs/metrics > ../m; test "$(tail -c 1 ../m | od -An -c | tr -d ' ')" = '\n'; ! grep -qaP '\x00' ../m || wrong; grep 'seconds_count{op="load"}' ../m`)
	}
	first := loads()
	eventually(t, patience, "metrics tell of new loads", func() bool {
		m.sh("for i in $(seq 100 150); do cat S/$i; done > /dev/null")
		return loads() != first
	})
}

// spoil changes a byte of a message in a block.
func spoil(t *testing.T, file string, payload []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(data, payload)
	if i < 0 {
		t.Fatalf("%s has no %q", file, payload)
	}
	data[i] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
