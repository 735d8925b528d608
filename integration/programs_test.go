package integration

import (
	"slices"
	"strings"
	"testing"
)

// programs are what programs do with messages besides reading and writing them plainly. Each runs in the root of a mount
// whose stream S has "one", "two" and "three" on the subject a, and 200,000 bytes, as ../big has them, on big; $S is where it may write.
var programs = []struct {
	name   string
	tools  []string
	script string
	want   string
}{
	{"O_DIRECT reads", nil, `python3 -c '
import os, mmap
fd = os.open("S/000000000001", os.O_RDONLY | os.O_DIRECT); b = mmap.mmap(-1, 4096)
print(os.preadv(fd, [b], 0), b[:4], os.preadv(fd, [b], 4096))'`, "4 b'one\\n' 0\n"},
	{"dd iflag=direct", nil, `dd if=S/4 iflag=direct bs=64K status=none | cmp - ../big`, ""},
	{"O_DIRECT writes", nil, `dd if=../big of=$S/x oflag=direct bs=4096 count=2 status=none; head -c 8192 ../big | cmp - $S/x`, ""},
	{"mmap, private and shared", nil, `python3 -c '
import mmap
for flags in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
    with open("S/000000000004", "rb") as f: assert mmap.mmap(f.fileno(), 0, flags=flags, prot=mmap.PROT_READ)[:] == open("../big", "rb").read()'`, ""},
	{"what can be mapped shared, and what is refused", nil, `echo > S/.draft; python3 -c '
import mmap
for path in "1", ".jsfs/msg/1/data", ".jsfs/subjects/a/1", ".draft", ".log", "a", ".jsfs/last-by-subject/a", ".info":
    f = open("S/" + path)
    try: mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as e: print(path, e.strerror)'; rm S/.draft`,
		".log No such device\na No such device\n.jsfs/last-by-subject/a No such device\n.info No such device\n"},
	{"sendfile out of a message", nil, `python3 -c '
import os
src, dst = os.open("S/4", os.O_RDONLY), os.open("../out", os.O_WRONLY | os.O_CREAT, 0o600)
at = 0
while n := os.sendfile(dst, src, at, 70000): at += n'; cmp ../out ../big; rm ../out`, ""},
	{"sendfile into a subject", nil, `python3 -c '
import os, sys
src, dst = os.open("../big", os.O_RDONLY), os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
at = 0
while n := os.sendfile(dst, src, at, 70000): at += n
os.close(dst)' $S/x; cmp $S/x ../big; ls $S`, "000000000001\n"},
	{"copy_file_range from message to subject", nil, `python3 -c '
import os, sys
src, dst = os.open("S/4", os.O_RDONLY), os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
while os.copy_file_range(src, dst, 70000): pass
os.close(dst)' $S/x; cmp $S/x ../big; ls $S`, "000000000001\n"},
	{"splice through a pipe", nil, `python3 -c '
import os, sys
r, w = os.pipe()
src, dst = os.open("S/4", os.O_RDONLY), os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
while n := os.splice(src, w, 60000):
    while n: n -= os.splice(r, dst, n)
os.close(dst)' $S/x; cmp $S/x ../big; ls $S`, "000000000001\n"},
	{"cp --reflink=auto and --sparse", nil, `cp --reflink=auto --sparse=always S/4 $S/x; cmp $S/x ../big; cp --sparse=always S/4 ../out; cmp ../out ../big; rm ../out`, ""},
	{"git init in a stream", []string{"git"}, `git init S 2>&1; ls -A S | wc -l`, "/S/.git: Operation not permitted\n4\n"},
	{"git init in the root", []string{"git"}, `git init . 2>&1; ls -A`, "/.git: Invalid argument\nO\nS\n"},
	{"find by time", nil, `find S -newermt '1 hour ago' | wc -l; find S -type f ! -newermt '1 hour ago' | wc -l; find S -type f -mmin -60 | wc -l; find S -size +100k`, "5\n0\n4\nS/000000000004\n"},
	{"du", nil, `du -sb --apparent-size S; test $(du -s S | cut -f1) -ge 196`, "200014\tS\n"},
	{"stat", nil, `stat -c '%F %s %a %h' S S/1; stat -f -c %T S`, "directory 0 755 1\nregular file 4 644 1\nfuseblk\n"},
	{"tests of the shell", nil, `test -f S/1; test -d S; test -s S/1; test -r S/1; test -L S/.last; test S/2 -ot S/4 -o ! S/2 -nt S/4; test S/1 -ef S/000000000001; echo yes`, "yes\n"},
	{"globs", nil, `echo S/*[13]; cat S/*[0-3]`, "S/000000000001 S/000000000003\none\ntwo\nthree\n"},
	{"tab completion", nil, `compgen -f S/00; compgen -f S/.jsfs/in; compgen -f S/.j || echo none`, "S/000000000001\nS/000000000002\nS/000000000003\nS/000000000004\nS/.jsfs/info\nnone\n"},
	{"wc, md5sum, file order", nil, `cat S/*1 S/*2 | wc -l; md5sum < S/4 | cmp - <(md5sum < ../big); ls -t S | wc -l; ls -r S | head -n 1`, "2\n4\n000000000004\n"},
	{"diff -r and cmp", nil, `mkdir ../d; cp S/0* ../d; diff -r S ../d; echo same; rm -r ../d`, "same\n"},
	{"xargs -P", nil, `ls S | head -n 3 | xargs -P 3 -I{} cat S/{} | sort`, "one\nthree\ntwo\n"},
	{"a backup of a subject's name is refused, and nothing changes", []string{"perl"}, `echo v > $S/x; echo w > ../w
for c in 'sed -i.bak s/v/w/' 'perl -i.bak -pe s/v/w/' 'cp -b ../w' 'mv -b ../w' 'install -b ../w'; do
	$c $S/x 2>&1 | grep -o 'not permitted'
done; ls -A $S; cat $S/x ../w; rm ../w; sed -i s/v/w/ $S/x; cat $S/x`,
		strings.Repeat("not permitted\n", 5) + "000000000001\nv\nw\nw\n"},
	{"zip and unzip of tar.gz", nil, `tar -C S -czf ../t.tgz . && tar -tzf ../t.tgz | sort | tail -n 1; rm ../t.tgz`, "./000000000004\n"},
}

// What programs do with files works, or is refused cleanly.
func TestPrograms(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh(`head -c 200000 /dev/urandom > ../big; mkdir S O; for i in one two three; do echo $i > S/a; done; cp ../big S/big`)
	for _, test := range programs {
		t.Run(test.name, func(t *testing.T) {
			needs(t, append(test.tools, "python3")...)
			m.sh(`test ! -e O || rm -rf O; mkdir O`)
			c := m.command()
			c.env = append(c.env, "S=O")
			r := c.run(t, test.script)
			if got := strings.ReplaceAll(r.out, m.dir, ""); got != test.want || r.err != "" {
				t.Errorf("exit code %d, got\n%swant\n%sstderr: %s\nerrors:\n%s", r.code, r.out, test.want, r.err, lastBytes(m.read(".jsfs/errors"), 1000))
			}
		})
	}
}

// Python's open gives in each mode what it gives for other files, and never changes a message.
func TestPythonOpenModes(t *testing.T) {
	needs(t, "python3")
	m := mount(t)
	m.sh(`mkdir S; echo one > S/a`)
	got := m.sh(`python3 -c '
def attempt(name, mode):
    try:
        with open(name, mode) as f:
            if "r" in mode: return repr(f.read())
            f.write("new\n")
            return "written"
    except OSError as e: return type(e).__name__
for mode in ("r", "r+", "w", "w+", "a", "a+", "x", "x+"):
    print(mode, *(attempt("S/" + n, mode) for n in ("1", "a", "b." + mode.replace("+", "p"), "99")))'`)
	want := `r 'one\n' 'one\n' FileNotFoundError FileNotFoundError
r+ PermissionError 'one\n' FileNotFoundError FileNotFoundError
w PermissionError written written PermissionError
w+ PermissionError written written PermissionError
a PermissionError written written PermissionError
a+ PermissionError written written PermissionError
x FileExistsError FileExistsError written PermissionError
x+ FileExistsError FileExistsError written PermissionError
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	awaitMessages(t, m, "S", append([]string{"one\n"}, slices.Repeat([]string{"new\n"}, 10)...))
}

// inotify tells of what is done through the mount.
func TestInotifyTellsOfWhatIsDoneHere(t *testing.T) {
	needs(t, "inotifywait")
	m := mount(t)
	got := m.sh(`mkdir S; echo one > S/a
		inotifywait -q -m -e create,modify,close_write,delete,moved_to --format '%e %f' -o ../events S & watcher=$!
		until grep -q inotify /proc/$watcher/fdinfo/*; do sleep 0.05; done; echo two > S/b; echo three >> S/.log; rm S/1; echo d > S/.d; mv S/.d S/c; until grep -q 'MOVED_TO c' ../events; do sleep 0.05; done; kill $watcher; wait $watcher 2>/dev/null || true
		cat ../events`)
	want := "CREATE b\nMODIFY b\nCLOSE_WRITE,CLOSE b\nMODIFY .log\nCLOSE_WRITE,CLOSE .log\nDELETE 1\nCREATE .d\nMODIFY .d\nCLOSE_WRITE,CLOSE .d\nMOVED_TO c\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
