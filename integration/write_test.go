package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// writeCases are what users and programs do to append, and the messages that come of it. Each
// runs in a new stream S; a and b are files outside of the mount with the
// lines "aaa" and "bbb".
var writeCases = []struct {
	name   string
	tools  []string
	script string
	want   []string
}{
	{"echo", nil, `echo hi > S/x`, []string{"hi\n"}},
	{"echo in a subshell with another descriptor", nil, `(echo a; echo warn >&2; echo b) > S/x`, []string{"a\nb\n"}},
	{"two cats into one file", nil, `(cat ../a; cat ../b) > S/x`, []string{"aaa\nbbb\n"}},
	{"builtins and programs", nil, `(echo a; /bin/echo b; echo c) > S/x`, []string{"a\nb\nc\n"}},
	{"exec 3>, closed", nil, `exec 3> S/x; echo a >&3; /bin/echo b >&3; echo c >&3; exec 3>&-; test "$(ls S)" = 000000000001`, []string{"a\nb\nc\n"}},
	{"exec 3>, left open", nil, `exec 3> S/x; echo a >&3; /bin/echo b >&3`, []string{"a\nb\n"}},
	{"exec 3> in dash", []string{"dash"}, `dash -c 'exec 3> S/x; echo a >&3; (echo sub) >&3; /bin/echo b >&3; exec 3>&-'`, []string{"a\nsub\nb\n"}},
	{"exec 3> while another process has the one before", nil,
		`echo old > S/x; exec 3>> S/x; sleep 1 & exec 3>&-; exec 3> S/x; echo a >&3; echo b >&3; exec 3>&-; wait`, []string{"old\n", "a\nb\n"}},
	{"a loop", nil, `for i in 1 2 3; do echo $i; done > S/x`, []string{"1\n2\n3\n"}},
	{"a pipe", nil, `seq 3 | while read i; do echo $i; done | cat > S/x`, []string{"1\n2\n3\n"}},
	{"a background job that goes on", nil, `(echo a; sleep 0.2; echo b) > S/x & wait`, []string{"a\nb\n"}},
	{"one that outlives its shell", nil, `(sh -c 'echo a; sleep 0.2; echo b' & ) > S/x`, []string{"a\nb\n"}},
	{"appending", nil, `echo a >> S/x; echo b >> S/x`, []string{"a\n", "b\n"}},
	{"an empty message", nil, `: > S/x; touch S/y; cp /dev/null S/z`, []string{"", "", ""}},
	{"touch of what is there", nil, `echo a > S/x; touch S/x; chmod 600 S/x`, []string{"a\n"}},
	{"cp", nil, `cp ../a S/x; cp ../b S/x`, []string{"aaa\n", "bbb\n"}},
	{"cp -p", nil, `cp -p ../a S/x && test "$(stat -c %Y S/x)" = "$(stat -c %Y ../a)"`, []string{"aaa\n"}},
	{"cp -a", nil, `cp -a ../a S/x; cp -a ../b S/x`, []string{"aaa\n", "bbb\n"}},
	{"cp of many", nil, `cp ../a ../b S/`, []string{"aaa\n", "bbb\n"}},
	{"cp --remove-destination", nil, `cp ../a S/x; cp --remove-destination ../b S/x`, []string{"aaa\n", "bbb\n"}},
	{"install", nil, `install -m 600 ../a S/x; install -p ../b S/x`, []string{"aaa\n", "bbb\n"}},
	{"mv into the mount", nil, `cp ../a ../c; mv ../c S/x; cp ../b ../c; mv ../c S/x; test ! -e ../c`, []string{"aaa\n", "bbb\n"}},
	{"tee", nil, `echo a | tee S/x S/y > /dev/null; echo b | tee -a S/x > /dev/null`, []string{"a\n", "a\n", "b\n"}},
	{"dd", nil, `dd if=../a of=S/x status=none; dd if=../b of=S/x bs=1 status=none; dd if=../a of=S/x oflag=append conv=notrunc status=none`,
		[]string{"aaa\n", "bbb\n", "aaa\n"}},
	{"dd with fsync", nil, `dd if=../a of=S/x conv=fsync status=none`, []string{"aaa\n"}},
	{"dd that seeks", nil, `dd if=../a of=S/x bs=1 seek=2 status=none`, []string{"\x00\x00aaa\n"}},
	{"truncate to a size", nil, `truncate -s 3 S/x`, []string{"\x00\x00\x00"}},
	{"sed w", nil, `sed -n 'w S/x' ../a ../b`, []string{"aaa\nbbb\n"}},
	{"sort -o", nil, `sort -r -o S/x ../a ../b`, []string{"bbb\naaa\n"}},
	{"awk", nil, `awk '{ print > "S/y"; print "more" > "S/y" }' ../a`, []string{"aaa\nmore\n"}},
	{"a rename of a draft", nil, `cp ../a S/.tmp; test "$(ls -A S)" = .tmp; mv S/.tmp S/x; test "$(ls -A S)" = 000000000001`, []string{"aaa\n"}},
	{"rsync, twice", []string{"rsync"}, `rsync -a ../a S/x; rsync -a ../a S/x; test "$(rsync -ai ../a S/x)" = ""`, []string{"aaa\n"}},
	{"rsync of a directory", []string{"rsync"}, `mkdir ../d1; cp -p ../a ../b ../d1; rsync -a ../d1/ S/; rsync -a ../d1/ S/; rm -r ../d1`, []string{"aaa\n", "bbb\n"}},
	{"rsync --inplace", []string{"rsync"}, `rsync --inplace ../a S/x`, []string{"aaa\n"}},
	{"rsync --append", []string{"rsync"}, `rsync -a ../a S/x; cat ../a ../b > ../c; rsync --append ../c S/x`, []string{"aaa\n", "aaa\nbbb\n"}},
	{"rsync --inplace of what has changed", []string{"rsync"}, `seq 20000 > ../c; rsync ../c S/x; sed -i 10000s/.*/XXXXX/ ../c
		rsync -I --inplace --no-whole-file ../c S/x; cmp ../c S/x; rsync -I --inplace --no-whole-file ../c S/x; cmp ../c S/x
		seq 10000 > ../c; rsync -I --inplace --no-whole-file ../c S/x; cmp ../c S/x; rm S/*`, nil},
	{"dd that goes on", nil, `dd if=../a of=S/x status=none; dd if=../b of=S/x bs=1 seek=4 conv=notrunc status=none`, []string{"aaa\n", "aaa\nbbb\n"}},
	{"truncate of what is there", nil, `cp ../a S/x; truncate -s 2 S/x; truncate -s 2 S/x; truncate -s 4 S/x`, []string{"aaa\n", "aa", "aa\x00\x00"}},
	{"r+ that changes the middle", []string{"python3"}, `cp ../a S/x; python3 -c '
with open("S/x", "r+b") as f:
    assert f.read(2) == b"aa"
    f.seek(1)
    f.write(b"XYZ")'`, []string{"aaa\n", "aXYZ"}},
	{"tar, twice", nil, `tar -C .. -cf ../t.tar a b; tar -C S/ -xf ../t.tar; tar -C S/ --overwrite -xf ../t.tar; rm ../t.tar`, []string{"aaa\n", "bbb\n", "aaa\n", "bbb\n"}},
	{"split", nil, `seq 4 | split -l 2 - S/part.`, []string{"1\n2\n", "3\n4\n"}},
	{"a here document", nil, "cat > S/x <<-.\n\thello\n\t.\n", []string{"hello\n"}},
	{"<> without writing", nil, `echo a > S/x; : <> S/x; read v < S/x; test $v = a`, []string{"a\n"}},
	{"a coprocess", nil, `coproc cat > S/x; echo hi >&${COPROC[1]}; eval "exec ${COPROC[1]}>&-"; wait`, []string{"hi\n"}},
	{"process substitution", nil, `echo hi | tee >(cat > S/x) > /dev/null; sleep 0.1`, []string{"hi\n"}},
	{"perl", []string{"perl"}, `perl -e 'open F, ">", "S/x"; print F "a\n"; system "true"; print F "b\n"'`, []string{"a\nb\n"}},
	{"gzip and back", nil, `gzip -c ../a > S/x; test "$(zcat < S/x)" = aaa; gzip -dc < S/x > S/y; rm S/1; test "$(cat S/y)" = aaa`, []string{"aaa\n"}},
	{"shutil.copy2", []string{"python3"}, `python3 -c 'import shutil; shutil.copy2("../a", "S/x"); shutil.copy2("../b", "S/x")'`, []string{"aaa\n", "bbb\n"}},
	{"posix_fallocate", []string{"python3"}, `python3 -c '
import os
fd = os.open("S/x", os.O_RDWR | os.O_CREAT)
try: os.posix_fallocate(fd, 0, 4)
except OSError: os.ftruncate(fd, 4)
os.pwrite(fd, b"ab", 1); os.close(fd)'`, []string{"\x00ab\x00"}},
	{"mkstemp and rename", []string{"python3"}, `python3 -c '
import os, tempfile
f = tempfile.NamedTemporaryFile(dir="S", delete=False); f.write(b"careful\n"); f.flush(); os.fsync(f.fileno()); f.close()
assert len(os.listdir("S")) == 1
os.rename(f.name, "S/x")
assert os.listdir("S") == ["000000000001"]'`, []string{"careful\n"}},
	{"a Python writer that forks in the middle", []string{"python3"}, `python3 -c '
import os, sys
f = open("S/x", "w"); f.write("a\n"); f.flush()
if os.fork() == 0: sys.exit(0)
os.wait(); f.write("b\n"); f.close()'`, []string{"a\nb\n"}},
	{"a Python child that writes as well", []string{"python3"}, `python3 -c '
import os, sys
f = open("S/x", "w"); f.write("a\n"); f.flush()
if os.fork() == 0:
    os.write(f.fileno(), b"child\n"); os._exit(0)
os.wait(); f.write("b\n"); f.close()'`, []string{"a\nchild\nb\n"}},
	{"a Python program that spawns with the file inherited", []string{"python3"}, `python3 -c '
import subprocess
with open("S/x", "w") as f: p = subprocess.Popen(["sh", "-c", "echo a; sleep 0.1; echo b"], stdout=f)
p.wait()'`, []string{"a\nb\n"}},
	{"a Python program with two files on one subject", []string{"python3"}, `python3 -c '
f, g = open("S/x", "w"), open("S/x", "w")
f.write("f\n"); g.write("g\n"); f.close()
import os; assert os.listdir("S") == ["000000000001"], os.listdir("S")
g.close()'`, []string{"f\n", "g\n"}},
	{"a Node program that opens, spawns a child onto it and closes", []string{"node"}, `node -e '
const fs = require("fs"), cp = require("child_process");
const fd = fs.openSync("S/x", "w");
cp.spawn("sh", ["-c", "echo a; sleep 0.1; echo b"], {stdio: ["ignore", fd, "ignore"]});
fs.closeSync(fd);'`, []string{"a\nb\n"}},
	{"a Node stream", []string{"node"}, `node -e '
const s = require("fs").createWriteStream("S/x"); s.write("a\n"); setTimeout(() => s.end("b\n"), 50);'`, []string{"a\nb\n"}},
	{"a write that reads back", []string{"python3"}, `echo old > S/x; python3 -c '
f = open("S/x", "r+b", buffering=0)
assert f.read() == b"old\n"
f.seek(0); f.write(b"new\n"); f.seek(0)
assert f.read() == b"new\n"'`, []string{"old\n", "new\n"}},
	{"fstat of what is written", []string{"python3"}, `echo old message > S/x; python3 -c '
import os
with open("S/x", "wb", buffering=0) as f:
    assert os.fstat(f.fileno()).st_size == 0
    f.write(b"new\n"); assert os.fstat(f.fileno()).st_size == 4
    assert int(os.popen("stat -c %s S/x").read()) == 12 # for everybody else the newest message
    f.truncate(2); assert os.fstat(f.fileno()).st_size == 2 and os.stat("S/x").st_size == 2
    os.utime(f.fileno(), (1, 1)); assert os.fstat(f.fileno()).st_mtime == 1
assert os.stat("S/x").st_size == 2'`, []string{"old message\n", "ne"}},
	{"a file that is mapped when it has its size", []string{"python3"}, `python3 -c '
import mmap
with open("S/x", "w+b", buffering=0) as f:
    f.truncate(4096)
    try: mmap.mmap(f.fileno(), 4096, mmap.MAP_SHARED)
    except OSError as e: assert e.strerror == "No such device", e
    f.truncate(0); f.write(b"done\n")'`, []string{"done\n"}},
	{"fsync makes a message, and the next goes on", []string{"python3"}, `python3 -c '
import os
fd = os.open("S/x", os.O_WRONLY | os.O_CREAT)
os.write(fd, b"a\n"); os.fsync(fd); assert open("S/x").read() == "a\n"
os.write(fd, b"b\n"); os.close(fd)'`, []string{"a\n", "b\n"}},
	{"a killed writer", nil, `bash -c 'echo half; kill -9 $$' > S/x || true; until test -e S/.killed.1; do sleep 0.01; done; test "$(cat S/.killed.1)" = half; rm S/.killed.1`, nil},
	{"a writer that SIGTERM ends", nil, `bash -c 'echo half; kill $$' > S/x || true; until test -e S/.killed.1; do sleep 0.01; done; test "$(cat S/.killed.1)" = half; rm S/.killed.1`, nil},
	{"a writer that SIGPIPE ends", nil, `bash -c 'echo half; kill -PIPE $$' > S/x || true; until test -e S/.killed.1; do sleep 0.01; done; rm S/.killed.1`, nil},
	{"a killed child of a shell that goes on", nil, `(echo a; sh -c 'echo b; kill -9 $$' || true; echo c) > S/x`, []string{"a\nb\nc\n"}},
	{"names with odd bytes", nil, `echo a > 'S/a%2Fb'; echo b > S/%31; cat S/a%2fb S/%31`, []string{"a\n", "b\n"}},
}

func TestWrite(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh(`echo aaa > ../a; echo bbb > ../b`)
	for i, test := range writeCases {
		t.Run(test.name, func(t *testing.T) {
			needs(t, test.tools...)
			stream := fmt.Sprintf("S%d", i)
			script := strings.ReplaceAll(test.script, "S/", stream+"/")
			script = strings.ReplaceAll(strings.ReplaceAll(script, `-A S)`, "-A "+stream+")"), `ls S)`, "ls "+stream+")")
			script = strings.ReplaceAll(script, `"S"`, `"`+stream+`"`)
			if r := m.command().strictly(t, "mkdir "+stream+"; "+script); r.code != 0 {
				t.Errorf("exit code %d\nstdout: %s\nstderr: %s\nerrors: %s", r.code, r.out, r.err, m.read(".jsfs/errors"))
			}
			awaitMessages(t, m, stream, test.want)
		})
	}
	for i, test := range writeCases { // nothing came later
		stream := fmt.Sprintf("S%d", i)
		if _, err := os.Stat(m.path(stream)); err == nil {
			awaitMessages(t, m, stream, test.want)
		}
	}
}

// awaitMessages waits until a stream has these messages and no drafts: what the last close
// of an inherited descriptor leaves is appended a moment after it.
func awaitMessages(t *testing.T, m *mnt, stream string, want []string) {
	t.Helper()
	var got []string
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got = m.messages(stream)
		if slices.Equal(got, want) {
			break
		}
		if time.Now().After(end) {
			t.Errorf("got %q, want %q", got, want)
			return
		}
	}
	if names := m.sh("ls -A " + stream + " | grep -v '^[0-9]*$' || true"); names != "" {
		t.Errorf("also there: %s", names)
	}
}

func TestWriteIsSeenAtOnce(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; for i in $(seq 200); do
		echo $i > S/x
		n=$(printf %012d $i)
		test "$(cat S/x)" = $i && test "$(cat S/$n)" = $i && test -e S/$n || { echo "message $i is not seen"; exit 1; }
	done; test $(ls S | wc -l) = 200`)
}

func TestWriteLarge(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S
		head -c 50000000 /dev/urandom > ../big
		cp ../big S/big.one
		dd if=../big of=S/big.two bs=7000 status=none
		cat ../big | dd of=S/big.three bs=1M iflag=fullblock status=none
		for f in S/0*; do cmp ../big $f; done
		cmp ../big S/big.two
		test $(ls S | wc -l) = 3`)
	r := m.try(`head -c 70000000 /dev/zero | dd of=S/too.large bs=64K; rm S/.refused.* 2> /dev/null; false`)
	if r.code == 0 || !strings.Contains(r.err, "File too large") {
		t.Errorf("a message over the limit: got %+v", r)
	}
	r = m.try(`dd if=../a of=S/x bs=1 seek=1T count=1 conv=notrunc; dd if=/dev/zero of=S/x bs=1 seek=1T count=1 conv=notrunc`)
	if r.code == 0 || !strings.Contains(r.err, "File too large") {
		t.Errorf("a write at offset 2^40: got %+v", r)
	}
	if got := len(m.messages("S")); got != 3 {
		t.Errorf("got %d messages, want 3", got)
	}
}
