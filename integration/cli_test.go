package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		name string
		args string
		code int
		out  string // in standard output
		err  string // in standard error
	}{
		{"version says what it is", "version", 0, "jsfs 0.", ""},
		{"--version says the same", "--version", 0, "jsfs 0.", ""},
		{"help of an unknown command is refused", "help frobnicate", 2, "", "unknown command"},
		{"help lists the commands", "--help", 0, "umount", ""},
		{"an unknown command is refused", "frobnicate", 2, "", "unknown command"},
		{"a command that is nearly one is guessed", "chek a", 2, "", "did you mean check?"},
		{"a flag before an unknown command changes nothing", "--help=false frobnicate", 2, "", "unknown command"},
		{"copy says what a stream is", "copy a b", 2, "", "write SOURCE/STREAM"},
		{"copy takes no store alone", "copy a/ b/c", 2, "", "names no stream"},
		{"export says what a stream is", "export --jsonl a", 2, "", "write SOURCE/STREAM"},
		{"a key is one of two", "backup --key-file=a --passphrase=fd:3 . b", 2, "", "not both"},
		{"a cipher needs a key", "restore --cipher aes . b", 1, "", "no file in it"},
		{"a passphrase is no argument", "backup --passphrase=secret . b", 2, "", "never an argument"},
		{"rekey of nothing is an error", "rekey --key-file=a --new-key-file=b nothing", 1, "", "there is no store"},
		{"an unknown flag is refused with where to look", "mount --frob a b", 2, "", "jsfs mount --help"},
		{"mount says what it takes", "mount a", 2, "", "a SOURCE and a MOUNTPOINT"},
		{"umount says what it takes", "umount", 2, "", "a MOUNTPOINT"},
		{"an unknown option lists the known ones", "mount -o frob a b", 2, "", "-o frob is not known; there are allow_other"},
		{"an unknown policy lists the known ones", "mount --sync=often a b", 2, "", "always, interval, interval=200ms or never"},
		{"a bad log level is refused", "mount --log-level=loud a b", 2, "", "--log-level"},
		{"a bad umask is refused", "mount --umask=9 a b", 2, "", "octal"},
		{"a daemon's bad cipher is refused as one", "mount --daemon --key-file=a --cipher=rot13 a b", 2, "", "no cipher"},
		{"a key file that is not there is named with its flag", "mount --key-file=k a b", 1, "", "flag --key-file: wrong or missing key: open k"},
		{"check takes no memory store", "check mem:", 2, "", "give a store's directory"},
		{"check of nothing is an error", "check ./nothing-here", 2, "", "there is no store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := scratch(t)
			r := command{dir: dir}.run(t, `exec "$JSFS" `+c.args)
			if r.code != c.code || !strings.Contains(r.out, c.out) || !strings.Contains(r.err, c.err) {
				t.Errorf("jsfs %s: got %+v, want exit code %d, %q and %q", c.args, r, c.code, c.out, c.err)
			}
			if left := sh(t, "ls -A "+quoted(dir)); left != "" {
				t.Errorf("it left %q behind", left)
			}
		})
	}
}

func TestFlagsOfMountWinOverItsOptions(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--read-only -o rw", "a read-only mount makes no store"},
		{"-o rw -r", "a read-only mount makes no store"},
		{"-o ro --read-only=false --key-file flag", "open flag"},
		{"--key-file flag -o key_file=option", "open flag"},
		{"--key-file flag --cipher rot13 -o cipher=aes", `"rot13" is no cipher`},
		{"--umask 9 -o umask=077", "flag --umask"},
	} {
		r := command{dir: scratch(t)}.run(t, `exec timeout 20 "$JSFS" mount `+c.args+` store mnt`)
		if r.code != 1 && r.code != 2 || !strings.Contains(r.err, c.want) {
			t.Errorf("jsfs mount %s: got %+v, want a refusal with %q", c.args, r, c.want)
		}
	}
}

func TestAStreamWhoseDirectoryIsGoneIsForgottenWhenThatIsAsked(t *testing.T) {
	command{dir: scratch(t)}.ok(t, `"$JSFS" mount --daemon store mnt
		mkdir mnt/KEPT mnt/GONE; echo kept > mnt/KEPT/a; echo gone > mnt/GONE/a; "$JSFS" umount mnt
		rm -r "store/streams/$(ls store/streams | tail -n 1)"
		! "$JSFS" check store > out || exit 1
		grep -q 'the directory of a stream is missing' out
		"$JSFS" check --forget-missing store > out; grep -q '^forgotten: the stream that was in streams/' out
		"$JSFS" check store > out; grep -qx 'nothing is damaged' out; ! grep -q forgotten out || exit 1
		"$JSFS" mount --daemon store mnt; test "$(ls mnt)" = KEPT; test "$(cat mnt/KEPT/1)" = kept; "$JSFS" umount mnt`)
}

// badMount is a command line that must be refused, in a directory with a good store in
// it that must not change by it.
type badMount struct {
	name   string
	setup  string // run in the directory before
	source string
	point  string
	want   string // in the error
	undo   string
}

var badMounts = []badMount{
	{"a source that is a file", "echo x > file", "file", "mnt", "source file is a file", ""},
	{"a source below a file", "echo x > file", "file/store", "mnt", "a part of the path is a file", ""},
	{"a source that is a device", "", "/dev/zero", "mnt", "is a device", ""},
	{"a source that belongs to another program", "mkdir other && echo x > other/precious", "other", "mnt", "belongs to something else", ""},
	{"a source that is a source tree", "mkdir -p other/.git && echo x > other/main.go", "other", "mnt", "belongs to something else", ""},
	{"a live server", "", "nats://localhost:4222", "mnt", "this version can't mount a NATS server yet", ""},
	{"a server's directory", "", "natsdir:/tmp", "mnt", "this version can't read a nats-server's directory yet", ""},
	{"an unknown scheme", "", "s3:bucket", "mnt", "no kind of source", ""},
	{"an empty source", "", "", "mnt", "the source is empty", ""},
	{"an empty mount point", "", "store", "", "the mount point is empty", ""},
	{"a mount point that is a file", "echo x > file", "store", "file", "mount point file is a file", ""},
	{"a mount point below a file", "echo x > file", "store", "file/mnt", "a part of the path is a file", ""},
	{"a mount point that is not empty", "mkdir full && echo x > full/precious", "store", "full", "not empty (it has \"precious\")", ""},
	{"a mount point that is a link to nothing", "ln -s nothing link", "store", "link", "no such file", ""},
	{"a mount point inside its own store", "", "store", "store/mnt", "inside its own store", ""},
	{"a mount point inside its own store through a link", "ln -s store link", "store", "link/mnt", "inside its own store", ""},
	{"a mount point that is its own store", "", "store", "store", "the store itself", ""},
	{"a mount point that would hide its store", "", "store", ".", "would hide it", ""},
	{"a mount point where something else is mounted", "mkdir busy && mount -t tmpfs -o size=1m none busy", "store", "busy", "of type tmpfs is mounted there", "umount busy"},
}

func TestBadMountsAreRefusedAndChangeNothing(t *testing.T) {
	for _, c := range badMounts {
		t.Run(c.name, func(t *testing.T) {
			dir := scratch(t)
			in := command{dir: dir}
			seed(t, dir+"/store")
			in.ok(t, c.setup)
			if c.undo != "" {
				t.Cleanup(func() { in.ok(t, c.undo) })
			}
			before := checksums(t, dir)
			for _, how := range []string{"mount", "mount --daemon"} {
				r := in.run(t, `exec timeout 100 "$JSFS" `+how+" "+quoted(c.source, c.point))
				if r.code != 1 || !strings.Contains(r.err, c.want) {
					t.Errorf("%s: got %+v, want exit code 1 and %q", how, r, c.want)
				}
				if strings.Contains(r.err, "jsfs: made") {
					t.Errorf("%s: it says that it made what is not there: %s", how, r.err)
				}
				if n := strings.Count(r.err, "\n"); n > 2 {
					t.Errorf("%s: the error has %d lines, want a sentence:\n%s", how, n, r.err)
				}
			}
			if got := checksums(t, dir); got != before {
				t.Errorf("what is there changed:\n%s\nwas:\n%s", got, before)
			}
		})
	}
}

// seed makes a store with one stream and two messages at dir.
func seed(t testing.TB, dir string) {
	t.Helper()
	c := command{dir: scratch(t)}
	c.ok(t, `mkdir -p `+quoted(filepath.Dir(dir))+`; "$JSFS" mount --daemon `+quoted(dir)+` mnt; mkdir mnt/S; echo one > mnt/S/a; echo two > mnt/S/b
		"$JSFS" umount mnt`)
}

func TestUnreadableSourceIsRefused(t *testing.T) {
	dir := scratch(t)
	seed(t, dir+"/store")
	r := command{dir: "/", user: "nobody"}.run(t, `exec "$JSFS" mount `+quoted(dir+"/store", "/tmp/jsfs-nobody-mnt"))
	if r.code != 1 || !strings.Contains(r.err, "you (uid 65534) may not use it") {
		t.Errorf("got %+v, want a sentence that says who may not", r)
	}
	if _, err := os.Stat("/tmp/jsfs-nobody-mnt"); err == nil {
		t.Error("the mount point was made all the same")
	}
}

func TestStoreOfAFutureVersionIsRefused(t *testing.T) {
	dir := scratch(t)
	sh(t, "cp -r ../store/blockstore/testdata/future "+quoted(dir+"/store"))
	before := checksums(t, dir)
	for _, cmd := range []string{"mount store mnt", "mount --daemon store mnt", "mount --read-only store mnt", "check store"} {
		r := command{dir: dir}.run(t, `exec timeout 100 "$JSFS" `+cmd)
		if r.code == 0 || !strings.Contains(r.err, "a newer jsfs wrote it") {
			t.Errorf("%s: got %+v, want that a newer jsfs is needed", cmd, r)
		}
	}
	if got := checksums(t, dir); got != before {
		t.Errorf("the store changed:\n%s\nwas:\n%s", got, before)
	}
}

func TestStoreThatIsMountedAlreadyIsRefused(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo hi > S/x")
	other := scratch(t)
	r := command{dir: other}.run(t, `exec timeout 100 "$JSFS" mount "`+m.store+`" mnt`)
	if r.code != 1 || !strings.Contains(r.err, "run `jsfs umount "+m.dir+"` first") || !strings.Contains(r.err, itoa(m.pid())) {
		t.Errorf("the same store elsewhere: got %+v, want the pid %d", r, m.pid())
	}
	if left := sh(t, "ls -A "+quoted(other)); left != "" {
		t.Errorf("it left %q behind", left)
	}
	if r := jsfs(t, "check", m.store); r.code != 2 || !strings.Contains(r.err, "run `jsfs umount "+m.dir+"` first") {
		t.Errorf("check of a mounted store: got %+v, want exit code 2 and where it is mounted", r)
	}
	r = command{dir: other}.run(t, `exec timeout 100 "$JSFS" mount store2 "`+m.dir+`"`)
	if r.code != 1 || !strings.Contains(r.err, m.store+" is mounted there") {
		t.Errorf("another store at the same place: got %+v", r)
	}
	if got, want := m.sh("cat S/*"), "hi\n"; got != want {
		t.Errorf("the mount afterwards: got %q, want %q", got, want)
	}
}

func TestDirectoriesAboveAMountAreNotMadeWhereTheyMayNotBe(t *testing.T) {
	dir := scratch(t)
	r := command{dir: dir}.run(t, `exec timeout 100 "$JSFS" mount /proc/nothing/store mnt`)
	if r.code != 1 || !strings.Contains(r.err, "make the store's directory") {
		t.Errorf("got %+v", r)
	}
	if left := sh(t, "ls -A "+quoted(dir)); left != "" {
		t.Errorf("it left %q behind", left)
	}
}

// report is what `jsfs check --json` says, as far as the tests look at it.
type report struct {
	Damage []struct {
		Stream string `json:"stream"`
		File   string `json:"file"`
		Cause  string `json:"cause"`
		First  uint64 `json:"first_seq"`
	} `json:"damage"`
}

func TestCheck(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; for i in $(seq 50); do echo message $i > S/x; done")
	m.stop()
	before := checksums(t, m.store)
	if r := jsfs(t, "check", m.store); r.code != 0 || !strings.Contains(r.out, "50") {
		t.Errorf("check of a whole store: got %+v, want exit code 0 and its 50 messages", r)
	}
	var whole report
	r := jsfs(t, "check", "--json", m.store)
	if err := json.Unmarshal([]byte(r.out), &whole); r.code != 0 || err != nil || len(whole.Damage) != 0 {
		t.Errorf("check --json of a whole store: got %+v (%v), want exit code 0 and no damage", r, err)
	}
	// One bit of the 25th message's payload is flipped.
	sh(t, `python3 - `+quoted(m.store)+` <<'END'
import os, sys
hits = 0
for top, _, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(top, name)
        data = bytearray(open(path, 'rb').read())
        at = data.find(b'message 25\n')
        if at >= 0:
            data[at + 3] ^= 4
            open(path, 'wb').write(data)
            hits += 1
assert hits == 1, hits
END`)
	damaged := checksums(t, m.store)
	if damaged == before {
		t.Fatal("nothing was damaged")
	}
	var found report
	r = jsfs(t, "check", "--json", m.store)
	if err := json.Unmarshal([]byte(r.out), &found); r.code != 1 || err != nil {
		t.Fatalf("check --json of a damaged store: got %+v (%v), want exit code 1 and a report", r, err)
	}
	if len(found.Damage) != 1 || found.Damage[0].Stream != "S" || found.Damage[0].First != 25 {
		t.Errorf("the report has %+v, want message 25 of S", found.Damage)
	}
	if r := jsfs(t, "check", m.store); r.code != 1 || !strings.Contains(r.out, "S") {
		t.Errorf("check of a damaged store: got %+v, want exit code 1 and the stream", r)
	}
	if got := checksums(t, m.store); got != damaged {
		t.Error("check changed the store")
	}
	m.start()
	if r := m.try("cat S/25"); r.code == 0 || !strings.Contains(r.err, "Input/output error") {
		t.Errorf("reading the damaged message: got %+v, want EIO", r)
	}
	if got := m.sh("cat S/24 S/26"); got != "message 24\nmessage 26\n" {
		t.Errorf("its neighbours: got %q", got)
	}
}

func TestBadNamesAndWritesChangeNothing(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, c := range []struct{ name, script, want string }{
		{"a stream with a dot", "mkdir a.b", "Invalid argument"},
		{"a stream with a wildcard", "mkdir 'a*'", "Invalid argument"},
		{"a stream with another wildcard", "mkdir 'a>'", "Invalid argument"},
		{"a stream with a newline", "mkdir $'a\\nb'", "Invalid argument"},
		{"a stream of broken UTF-8", "mkdir $'a\\xff'", "Invalid argument"},
		{"a stream with a back slash", `mkdir 'a\b'`, "Invalid argument"},
		{"a stream of 256 bytes", "mkdir " + long, "File name too long"},
		{"a stream that is there", "mkdir S", "File exists"},
		{"a file at the root", "(echo x > file)", "not permitted"},
		{"a subject that the stream does not take", "cat /etc/passwd > S/audit.a", "Invalid argument"},
		{"a subject with an empty token", "echo x > S/orders..a", "Invalid argument"},
		{"a subject with a wildcard", "echo x > 'S/orders.*'", "Invalid argument"},
		{"a subject of broken UTF-8", "echo x > $'S/orders.\\xff'", "Invalid argument"},
		{"a subject of 256 bytes", "echo x > S/orders." + long, "File name too long"},
		{"a message over the limit", "head -c 70000000 /dev/zero > S/orders.big", "File too large"},
		{"a write far out", "dd if=/etc/passwd of=S/orders.far bs=1 count=1 oseek=1099511627776 conv=notrunc", "File too large"},
		{"a directory in a stream", "mkdir S/orders.dir", "not permitted"},
		{"a stream that is not empty", "rmdir S", "not empty"},
		{"a stream's new name", "mv S T", "not permitted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t, withArgs("-o", "subjects=orders.*"))
			m.sh("mkdir S; echo hi > S/orders.a")
			r := m.try(c.script)
			if r.code == 0 || !strings.Contains(r.err, c.want) {
				t.Errorf("got %+v, want a refusal with %q", r, c.want)
			}
			if got := m.sh("wc -l < .jsfs/errors"); strings.TrimSpace(got) == "0" && c.want != "File exists" {
				t.Error(".jsfs/errors does not say why")
			}
			if got, want := m.sh("ls; ls S; cat S/* | head -c 1000"), "S\n000000000001\nhi\n"; got != want {
				t.Errorf("afterwards there is %q, want %q", got, want)
			}
		})
	}
}

// itoa is short for the tests' messages.
func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestRacesForOneStoreHaveOneWinner(t *testing.T) {
	dir := scratch(t)
	seed(t, dir+"/store")
	t.Cleanup(func() {
		command{dir: dir}.run(t, `for m in mnt*; do mountpoint -q $m && "$JSFS" umount --lazy $m; done`)
	})
	for range scaled(5, 100, 300) {
		r := command{dir: dir, timeout: time.Minute}.run(t, `
			for i in 1 2 3; do "$JSFS" mount --daemon store mnt$i 2>err$i & pids[i]=$!; done
			won=0
			for i in 1 2 3; do
				if wait ${pids[i]}; then won=$((won + 1)); winner=$i
				else grep -q "in use by process [0-9]" err$i || { echo "the loser says: $(cat err$i)"; exit 1; }; fi
			done
			[ $won = 1 ] || { echo "$won winners"; cat err*; exit 1; }
			[ "$(cat mnt$winner/S/*)" = "$(printf 'one\ntwo')" ] || { echo "wrong content"; exit 1; }
			"$JSFS" umount mnt$winner`)
		if r.code != 0 {
			t.Fatalf("%s%s", r.out, r.err)
		}
	}
}
