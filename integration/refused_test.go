package integration

import (
	"strings"
	"testing"
)

// refusals are calls that must be refused, on a stream S whose messages 1 and 2 are "one" and
// "two" on the subjects a.b and a.c, and that must harm neither. ../new is a file.
var refusals = []struct {
	name   string
	tools  []string
	script string
	err    string // part of what the tool says; "" if the tool has its own way to fail
	reason string // part of the line in .jsfs/errors; "" if there is none
}{
	{"> onto a message", nil, `echo x > S/000000000001`, "Operation not permitted", "messages never change"},
	{">> onto a message", nil, `echo x >> S/000000000001`, "Operation not permitted", "messages never change"},
	{"> onto another spelling", nil, `echo x > S/1`, "Operation not permitted", "messages never change"},
	{"cp", nil, `cp ../new S/000000000001`, "Operation not permitted", "messages never change"},
	{"cp -f", nil, `cp -f ../new S/000000000001`, "File exists", "is back"},
	{"cp -a", nil, `cp -a ../new S/000000000001`, "Operation not permitted", "messages never change"},
	{"cp -af", nil, `cp -af ../new S/000000000001`, "File exists", "is back"},
	{"cp --remove-destination", nil, `cp --remove-destination ../new S/000000000001`, "File exists", "is back"},
	{"mv", nil, `cp ../new ../new2; mv ../new2 S/000000000001`, "File exists", "is back"},
	{"mv -f", nil, `cp ../new ../new2; mv -f ../new2 S/000000000002`, "File exists", "is back"},
	{"tar", nil, `mkdir ../t; cp ../new ../t/000000000001; tar -C ../t -cf ../t.tar .; timeout 20 tar -C S -xf ../t.tar`, "File exists", "came back"},
	{"tar --xattrs", nil, `mkdir ../t; cp ../new ../t/000000000002; tar -C ../t -cf ../t.tar .; timeout 20 tar --xattrs -C S -xf ../t.tar`, "File exists", "came back"},
	{"tar --unlink-first", nil, `mkdir ../t; cp ../new ../t/000000000001; tar -C ../t -cf ../t.tar .; timeout 20 tar -U -C S -xf ../t.tar`, "File exists", "is back"},
	{"install", nil, `install ../new S/000000000001`, "File exists", "is back"},
	{"ln", nil, `ln ../new S/x`, "Invalid cross-device link", ""},
	{"ln -s", nil, `ln -s ../new S/x`, "Operation not permitted", "symbolic links"},
	{"sed -i", nil, `sed -i s/o/0/ S/000000000001`, "File exists", "messages never change"},
	{"perl -i", []string{"perl"}, `perl -i -pe s/o/0/ S/000000000001`, "", ""},
	{"rsync", []string{"rsync"}, `rsync -a ../new S/000000000001`, "", "messages never change"},
	{"truncate", nil, `truncate -s 0 S/000000000001`, "Operation not permitted", "messages never change"},
	{"dd", nil, `dd if=../new of=S/000000000001 conv=notrunc`, "Operation not permitted", "messages never change"},
	{"chmod", nil, `chmod 600 S/000000000001`, "Operation not permitted", "messages never change"},
	{"touch", nil, `touch S/000000000001`, "Operation not permitted", ""},
	{"setfattr", []string{"setfattr"}, `setfattr -n user.jsfs.subject -v x S/000000000001`, "Operation not permitted", "never change"},
	{"a rename between messages", nil, `mv S/000000000001 S/000000000002`, "Operation not permitted", "its number"},
	{"a rename of a message", nil, `mv S/000000000001 S/x`, "Operation not permitted", "its number"},
	{"a rename of a subject", nil, `mv S/a.b S/a.x`, "Operation not permitted", "stands for a subject"},
	{"a rename of a stream", nil, `mv S T`, "Operation not permitted", "streams can't be renamed"},
	{"mv of a directory onto a message", nil, `mkdir ../d; mv -T ../d S/000000000001`, "", ""},
	{"mkdir in a stream", nil, `mkdir S/d`, "Operation not permitted", "directories"},
	{"a file in the root", nil, `echo x > y`, "Operation not permitted", "only streams"},
	{"a sequence that is not there yet", nil, `cp ../new S/000000000009`, "Operation not permitted", "to append, write to a subject"},
	{"an empty one", nil, `: > S/9; touch S/10`, "", "to append, write to a subject"},
	{"a sequence that was removed", nil, `cp ../new S/3`, "File exists", "was used already"},
	{"a sequence too high to be shown", nil, `echo x > S/4398046511104`, "Invalid argument", "too high to be shown"},
	{"a line with such a sequence", nil, `echo '{"seq":4398046511104,"time":"2026-11-29T12:00:00Z","subject":"a.b","data":""}' >> S/.jsfs/log.jsonl`, "Invalid argument", "too high to be shown"},
	{"a purge below such a sequence", nil, `echo 'purge subject=none seq=4398046511104' > S/.jsfs/ctl`, "Invalid argument", "too high to be shown"},
	{"compact to such a sequence", nil, `echo 'compact 4398046511104' > S/.jsfs/ctl`, "Invalid argument", "too high to be shown"},
	{"a purge of two subjects", nil, `echo 'purge subject=none subject=a.b' > S/.jsfs/ctl`, "Invalid argument", "subject= is there twice"},
	{"such a first_seq", nil, `mkdir F; echo '{"first_seq":4398046511104}' > F/.jsfs/config || { rmdir F; false; }`, "Invalid argument", "too high to be shown"},
	{"such a first_seq of a copy", []string{"setfattr"}, `mkdir F; setfattr -n user.jsfs.config -v '{"first_seq":4398046511104}' F || { rmdir F; false; }`, "Invalid argument", "too high to be shown"},
	{"sequence 0", nil, `echo x > S/0`, "Invalid argument", "no sequence number"},
	{"a subject that is none", nil, `echo x > S/a..b`, "Invalid argument", "empty token"},
	{"a wildcard", nil, `echo x > 'S/a.*'`, "Invalid argument", "wildcard"},
	{"a bad escape", nil, `echo x > S/a%zz`, "Invalid argument", "no escape"},
	{"a name of 256 bytes", nil, `echo x > S/$(head -c 256 /dev/zero | tr '\0' x)`, "File name too long", ""},
	{"a newline in a name", nil, `echo x > S/$'a\nb'`, "Invalid argument", "white space"},
	{"broken UTF-8", nil, `echo x > S/$'a\xffb'`, "Invalid argument", "UTF-8"},
	{"> onto the log", nil, `echo x > S/.log`, "Operation not permitted", "append with >>"},
	{"> onto the log in .jsfs", nil, `echo x > S/.jsfs/log`, "Operation not permitted", "append with >>"},
	{"cp onto the log", nil, `cp ../new S/.log`, "Operation not permitted", "append with >>"},
	{"cp -f onto the log", nil, `cp -f ../new S/.log`, "Operation not permitted", "view of the stream"},
	{"mv onto the log", nil, `cp ../new ../new2; mv ../new2 S/.log`, "Operation not permitted", "view of the stream"},
	{"mv of a draft onto the log", nil, `cp ../new S/.tmp; mv S/.tmp S/.log || { rm S/.tmp; false; }`, "Operation not permitted", "append with >>"},
	{"rm of the log", nil, `rm -f S/.log`, "Operation not permitted", "view of the stream"},
	{"truncate of the log", nil, `truncate -s 0 S/.log`, "Operation not permitted", "only appended to"},
	{"tee without -a", nil, `echo x | tee S/.log`, "Operation not permitted", "append with >>"},
	{"writing a log without O_APPEND", nil, `echo x 1<> S/.log`, "Operation not permitted", "only appended to"},
	{"sed -i of the log", nil, `sed -i s/o/0/ S/.log`, "Operation not permitted", "append with >>"},
	{"rm of .jsfs", nil, `rm -rf S/.jsfs`, "Operation not permitted", "fixed"},
	{"rmdir of a stream", nil, `rmdir S`, "Directory not empty", ""},
	{"rm of a subject", nil, `rm S/a.b`, "No such file or directory", "stands for a subject"},
	{"truncate(2) of a subject", []string{"python3"}, `python3 -c 'import os; os.truncate("S/a.c", 0)'`, "Operation not permitted", "messages never change"},
	{"vim :w", []string{"vim"}, `vim -u NONE -es -c '%s/o/0/' -c w -c 'cq' S/000000000001`, "", ""},
	{"vim :w!", []string{"vim"}, `vim -u NONE -es -c '%s/o/0/' -c 'w!' -c 'cq' S/000000000001`, "", "messages never change"},
	{"vim :w! of the other spelling", []string{"vim"}, `vim -u NONE -es -c '%s/o/0/' -c 'w!' -c 'cq' S/2`, "", "messages never change"},
	{"vim :w! with its backup kept", []string{"vim"}, `vim -u NONE -es -c 'set backup writebackup backupdir=. backupcopy=no' -c '%s/o/0/' -c 'w!' -c 'cq' S/000000000001`, "", ""},
}

// What is refused says why, and harms nothing.
func TestRefused(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh(`echo new content > ../new; mkdir S S/.jsfs/consumers/c; echo one > S/a.b; echo two > S/a.c; echo 3 > S/a.d; rm S/000000000003`)
	const state = `ls -A S; stat -c '%n %s %y' S/0*; cat S/.log; cat S/.jsfs/info; ls S | wc -l; ls S/.jsfs/consumers`
	before := m.sh(state)
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			needs(t, test.tools...)
			seen := len(m.read(".jsfs/errors"))
			r := m.command().run(t, test.script)
			if r.code == 0 && test.err != "" || !strings.Contains(r.err, test.err) {
				t.Errorf("got exit code %d and %q, want a failure that says %q", r.code, r.err, test.err)
			}
			var lines string
			if all := m.read(".jsfs/errors"); len(all) >= seen {
				lines = all[seen:]
			}
			if !strings.Contains(lines, test.reason) || test.reason != "" && lines == "" {
				t.Errorf("errors got %q, want a line with %q", lines, test.reason)
			}
			if after := m.command().ok(t, state); after != before {
				t.Fatalf("before:\n%s\nafter:\n%s\nerrors:\n%s", before, after, lines)
			}
		})
	}
	m.remount()
	if after := m.sh(`ls -A S; cat S/.log`); !strings.HasPrefix(before, after[:strings.Index(after, "one")]) {
		t.Errorf("after a remount: %s", after)
	}
}
