package integration

import (
	"fmt"
	"strings"
	"testing"
)

// orders makes a stream ORDERS with messages on several subjects.
func (m *mnt) orders() {
	m.t.Helper()
	m.sh(`mkdir ORDERS; cd ORDERS; echo tea > orders.eu.new; echo jam > orders.us.new; echo 12 > bills; echo ham > orders.eu.old; echo milk > orders.eu.new`)
}

// scriptCase is a script in a mount's root and what it must print.
type scriptCase struct{ name, script, want string }

func (m *mnt) scripts(t *testing.T, cases []scriptCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := m.command().ok(t, c.script); got != c.want {
				t.Errorf("%s\nprints %q, want %q", c.script, got, c.want)
			}
		})
	}
}

func TestViewsThroughTheShell(t *testing.T) {
	m := mount(t, withArgs("-o", "seq_width=1"))
	m.orders()
	m.scripts(t, []scriptCase{
		{"subjects are listed", "ls ORDERS/.jsfs/subjects", "bills\norders.eu.new\norders.eu.old\norders.us.new\n"},
		{"a subject's messages", "cat ORDERS/.jsfs/subjects/orders.eu.new/*", "tea\nmilk\n"},
		{"a pattern's messages", "cd ORDERS/.jsfs/subjects && ls 'orders.*.new' && grep -h m 'orders.>'/*", "1\n2\n5\njam\nham\nmilk\n"},
		{"a pattern is globbed from the listing", "cat ORDERS/.jsfs/subjects/orders.eu.*/*", "tea\nmilk\nham\n"},
		{"the newest of each subject", "cd ORDERS/.jsfs/last-by-subject && grep . *", "bills:12\norders.eu.new:milk\norders.eu.old:ham\norders.us.new:jam\n"},
		{"a range", "cd ORDERS/.jsfs/range && ls 2-3 4- ./-1 | xargs", "./-1: 1 2-3: 2 3 4-: 4 5\n"},
		{"a duration", "cd ORDERS/.jsfs/since && ls 1h/ && ls 2099-01-01 && readlink -n 1h | wc -c", "1\n2\n3\n4\n5\n20\n"},
		{"a time", `T=$(stat -c %.9Y ORDERS/4); ls "ORDERS/.jsfs/since/$(date -u -d @$T +%Y-%m-%dT%H:%M:%S.%NZ)"`, "4\n5\n"},
		{"views of views", "ls 'ORDERS/.jsfs/subjects/orders.>/.jsfs/since/1d/.jsfs/subjects/*.eu.*/.jsfs/range/2-9'", "4\n5\n"},
		{"a view's subjects", "ls ORDERS/.jsfs/range/2-3/.jsfs/subjects", "bills\norders.us.new\n"},
		{"links", "cd 'ORDERS/.jsfs/subjects/orders.>' && readlink .first .last .jsfs/first && cat .last .jsfs/last", "1\n5\n../1\nmilk\nmilk\n"},
		{"info", `cd 'ORDERS/.jsfs/subjects/orders.*.new' && grep -c '"messages": 3' .info .jsfs/info`, ".info:1\n.jsfs/info:1\n"},
		{"what is known of a message", "cd ORDERS/.jsfs/msg/3 && ls && cat data subject json && stat -c %y ../../../3 | cut -c 1-10 | diff - <(cut -c 1-10 time)",
			"data\nheaders\njson\nraw\nsubject\ntime\n12\nbills\n" + m.sh("cat ORDERS/.jsfs/msg/3/json")},
		{"the same message everywhere", "stat -c %i ORDERS/3 ORDERS/.jsfs/subjects/bills/3 ORDERS/.jsfs/msg/3/data ORDERS/.jsfs/range/3-/3 | uniq | wc -l", "1\n"},
		{"what is not in a view", "cat ORDERS/.jsfs/subjects/bills/1 2>&1 | sed 's/.*: //'", "No such file or directory\n"},
		{"sizes are true", "cd ORDERS/.jsfs && for f in info last-by-subject/* msg/2/* range/2-/.info subjects/bills/3; do test $(stat -Lc %s \"$f\") = $(cat \"$f\" | wc -c) || echo $f; done", ""},
		{"find by name and time", "find ORDERS/.jsfs/subjects/orders.eu.new -type f -newermt '1 hour ago' | sed 's/.*new.//' | sort", "1\n5\n"},
		{"du counts each message once", "test $(du -sb --apparent-size ORDERS/.jsfs/subjects | cut -f 1) -lt 100", ""},
		{"bash completes names", "compgen -f ORDERS/.jsfs/subjects/orders.e; compgen -f ORDERS/.jsfs/s",
			"ORDERS/.jsfs/subjects/orders.eu.new\nORDERS/.jsfs/subjects/orders.eu.old\nORDERS/.jsfs/since\nORDERS/.jsfs/subjects\n"},
		{"the mount's settings", `grep -c '"seq_width": 1' .jsfs/config`, "1\n"},
		{"a shell's working directory", "cd 'ORDERS/.jsfs/subjects/orders.>/.jsfs/range/1-4' && pwd -P | sed 's/.*ORDERS/ORDERS/' && ls ..", "ORDERS/.jsfs/subjects/orders.>/.jsfs/range/1-4\n"},
	})
}

func TestWritingInViewsThroughTheShell(t *testing.T) {
	m := mount(t, withArgs("-o", "seq_width=1"))
	m.sh("mkdir S; mkdir ../docs; for i in 1 2 3; do echo page $i > ../docs/doc$i.pdf; done; echo x > '../docs/my letter, 100%.txt'")
	file := func(seq string) string {
		return fmt.Sprintf("getfattr --only-values -n user.jsfs.header.Jsfs-Filename S/%s; echo; getfattr --only-values -n user.jsfs.subject S/%s; echo", seq, seq)
	}
	m.scripts(t, []scriptCase{
		{"cp of many files", "cp ../docs/doc*.pdf S/.jsfs/subjects/docs.in/ && cat S/*; " + file("2"), "page 1\npage 2\npage 3\ndoc2.pdf\ndocs.in\n"},
		{"what was written reads back", "cat S/.jsfs/subjects/docs.in/doc2.pdf; ls S/.jsfs/subjects/docs.in", "page 2\n1\n2\n3\n"},
		{"cp -a keeps the time", "touch -d 2020-01-02T00:00:00Z '../docs/my letter, 100%.txt'; cp -a '../docs/my letter, 100%.txt' S/.jsfs/subjects/letters/ && date -u -d @$(stat -c %Y 'S/.jsfs/subjects/letters/my letter, 100%.txt') +%F; " + file("4"), "2020-01-02\nmy letter, 100%25.txt\nletters\n"},
		{"rsync, and once more", "rsync -a ../docs/ S/.jsfs/subjects/synced/; rsync -ai ../docs/ S/.jsfs/subjects/synced/ | grep -v '^[.]d' || true; ls S/.jsfs/subjects/synced; ls -A S | grep '^[.]' || true; " + file("8"), "5\n6\n7\n8\nmy letter, 100%25.txt\nsynced\n"},
		{"redirection", "echo hello > S/.jsfs/subjects/talk/one.txt && cat S/.last; " + file("9"), "hello\none.txt\ntalk\n"},
		{"mv from elsewhere", "echo moved > ../m.txt && mv ../m.txt S/.jsfs/subjects/talk/ && cat S/.last && test ! -e ../m.txt; " + file("10"), "moved\nm.txt\ntalk\n"},
		{"install, over what is there", "install -m 600 ../docs/doc1.pdf S/.jsfs/subjects/talk/m.txt && cat S/.last; " + file("11"), "page 1\nm.txt\ntalk\n"},
		{"mv of a draft of the stream", "echo draft > S/.d && mv S/.d S/.jsfs/subjects/talk/d.txt && cat S/.last; ls -A S | grep -c d || true; " + file("12"), "draft\n0\nd.txt\ntalk\n"},
		{"rm of a message", "rm S/.jsfs/subjects/talk/12 && ls -v S | tail -n 1 && ls -v S/.jsfs/subjects/talk", "11\n9\n10\n11\n"},
		{"rm in the stream is seen in a view", "ls -v S/.jsfs/subjects/talk; cat S/.jsfs/subjects/talk/11; rm S/11; cat S/.jsfs/subjects/talk/11 2>&1 | sed 's/.*: //'; ls -v S/.jsfs/subjects/talk", "9\n10\n11\npage 1\nNo such file or directory\n9\n10\n"},
		{"a pattern takes no file", "cp ../docs/doc1.pdf 'S/.jsfs/subjects/talk.>/' 2>&1 | sed 's/.*: //'; tail -n 1 .jsfs/errors | grep -c 'written to one subject'", "Operation not permitted\n1\n"},
		{"no message changes", "sh -c 'echo x > S/.jsfs/subjects/talk/9' 2>&1 | sed 's/.*: //'; cp -f ../docs/doc1.pdf S/.jsfs/subjects/talk/9 2> /dev/null && echo replaced; cat S/9", "Operation not permitted\nhello\n"},
		{"nothing is made in .jsfs", "! mkdir S/.jsfs/subjects/a..b 2> /dev/null || wrong; for f in S/.jsfs/x S/.jsfs/range/x S/.jsfs/msg/x; do ! touch $f 2> /dev/null || wrong; done; ls -A S | tail -n 1", "9\n"},
	})
}

// Whoever walks through all views that are listed meets an end, and changes nothing.
func TestViewsCanBeCopiedAndSearched(t *testing.T) {
	m := mount(t, withArgs("-o", "control=listed"))
	m.orders()
	m.fill("T", 50)
	state := "for s in ORDERS T; do cat $s/.log $s/.jsfs/config; ls $s; done"
	before := m.sh(state)
	m.sh("ls -d ORDERS/.jsfs; ls ORDERS | grep -c jsfs | grep -x 0; ls -A ORDERS | grep -x .jsfs")
	m.sh("timeout 60 grep -r nothing . .jsfs || test $? = 1")
	m.sh("timeout 60 cp -r . ../c1; timeout 60 cp -a ORDERS/.jsfs ../c2; diff -r ../c1/ORDERS/.jsfs/subjects ../c2/subjects; cat ../c2/subjects/orders.eu.new/* | grep -c milk")
	m.sh("timeout 60 tar cf ../t.tar .; tar tf ../t.tar | grep -c subjects/bills/000000000003; timeout 60 find . -type f -exec cat {} + > /dev/null; timeout 60 du -a . > /dev/null; timeout 60 rsync -a ORDERS/.jsfs ../c3")
	if got := m.sh(state); got != before {
		t.Errorf("it changed something: %q, before %q", got, before)
	}
	inodes := "find . -printf '%i %P\\n' | sort"
	was := m.sh(inodes)
	m.remount()
	if got := m.sh(inodes); got != was {
		t.Errorf("inode numbers after a remount differ:\n%s\nbefore:\n%s", got, was)
	}
}

func TestHostileSubjectsAreDirectories(t *testing.T) {
	m := mount(t)
	long := strings.Repeat("x", 300)
	m.sh("mkdir S; cd S; echo 1 > a%2Fb; echo 2 > %342; echo 3 > a%25b; echo 4 > ü.ß; echo 5 > 'a*b'; echo 6 > -rf; echo 7 > c~d; echo 8 > '$x.`y`'")
	want := "$x.`y`\n%342\n-rf\na%25b\na%2Fb\na*b\nc~d\nü.ß\n"
	m.scripts(t, []scriptCase{
		{"names", "cd S/.jsfs/subjects; LC_ALL=C ls", want},
		{"each resolves", `cd S/.jsfs/subjects; for d in *; do cat -- "$d"/*; done | sort`, "1\n2\n3\n4\n5\n6\n7\n8\n"},
		{"the newest of each", `cd S/.jsfs/last-by-subject; for f in *; do cat "./$f"; done | sort`, "1\n2\n3\n4\n5\n6\n7\n8\n"},
		{"a star in a token is no wildcard", `ls -d 'S/.jsfs/subjects/a*b'; cat 'S/.jsfs/subjects/a*b'/*`, "S/.jsfs/subjects/a*b\n5\n"},
		{"spellings", `cat S/.jsfs/subjects/a%2fb/* S/.jsfs/subjects/%61%2Fb/*`, "1\n1\n"},
		{"no names", `for n in 'a b' a..b %zz "$(printf 'a\nb')" ` + long + `; do test -e "S/.jsfs/subjects/$n/x" && echo "$n"; done; true`, ""},
		{"names of times and ranges", `for n in '' 1 a-b 2-1 yesterday 5y -- '*'; do test -d "S/.jsfs/range/$n/.jsfs" && echo "$n"; test -d "S/.jsfs/since/$n/.jsfs" && echo "$n"; done; true`, ""},
	})
}

// Who works in a view of a stream that is removed sees that it is gone, and nothing of another one that gets its name.
func TestViewsEndWithTheirStream(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo old > S/a.b")
	got := m.sh(`cd S/.jsfs/subjects/a.b; cat 000000000001; rm -r "$M/S"; mkdir "$M/S"; echo new > "$M/S/a.b"
		cat 000000000001 2>&1 | sed 's/.*: //'; ls "$M/S/.jsfs/subjects/a.b"; cat "$M/S/.jsfs/subjects/a.b/000000000001"; echo more >> .log || echo refused`)
	if !strings.HasPrefix(got, "old\n") || strings.Count(got, "old") != 1 || !strings.HasSuffix(got, "000000000001\nnew\nrefused\n") {
		t.Errorf("got %q", got)
	}
}

func TestAHundredThousandSubjects(t *testing.T) {
	m := mount(t)
	const n = 100_000
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"subject":"s.%06d","data":"%d\n"}`+"\n", i*7919%n, i)
	}
	long := "t." + strings.Repeat("x", 300)
	fmt.Fprintf(&lines, `{"subject":"%s","data":"long\n"}`+"\n", long)
	c := m.command()
	c.stdin = []byte(lines.String())
	c.ok(t, "mkdir S; cat >> S/.jsfs/log.jsonl")
	before := m.memory()
	for _, dir := range []string{"subjects", "last-by-subject"} {
		got := m.sh("ls -f S/.jsfs/" + dir + " | grep -v '^[.]' > ../names; sort -cu ../names; wc -l < ../names; sed -n '1p;50001p;100000p' ../names; tail -n 1 ../names | head -c 30")
		want := fmt.Sprintf("%d\ns.000000\ns.050000\ns.099999\n%s", n+1, long[:30])
		if got != want {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
	limit := int64(64 << 20)
	if raceBuilt { // the detector has memory of its own
		limit *= 2
	}
	if grown := m.memory() - before; grown > limit {
		t.Errorf("two listings left %d MiB more in the server", grown>>20)
	}
	m.scripts(t, []scriptCase{
		{"some of them", "cat S/.jsfs/subjects/s.007919/* S/.jsfs/last-by-subject/s.000000; ls S/.jsfs/subjects/s.05000? | grep -c :", "1\n0\n10\n"},
		{"a subject that is too long for a name", "cd S/.jsfs/subjects; cat t.*/* ../last-by-subject/t.*; ls -d t.* | tr -d '\\n' | wc -c", "long\nlong\n255\n"},
		{"a pattern of all", "ls -f 'S/.jsfs/subjects/s.*' | wc -l", fmt.Sprintf("%d\n", n+2)},
		{"subjects of a range", "ls S/.jsfs/range/1-3/.jsfs/subjects", "s.000000\ns.007919\ns.015838\n"},
	})
}
