package integration

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// rows are what the names in a mount are for, row by row: in the order of docs/layout.md. Each runs in a mount of its own
// stream S with the messages 1 to 4 on orders.eu.new, orders.us.new, orders.eu.paid and orders.eu.new, of which 2 was
// removed, and must succeed: `is A B` compares.
var rows = []struct{ name, script string }{
	{"a stream is a directory, mkdir makes it, rm -r removes it", `mkdir T; echo x > T/a; rm -r T; test ! -e T`},
	{"a live message is a file, its bytes are the payload", `is "$(ls S)" "$(printf '%012d\n' 1 3 4)"; is "$(cat S/000000000003)" three`},
	{"any other spelling is the same file", `is $(stat -c %i S/000000000004) $(stat -c %i S/4); is $(stat -c %i S/0004) $(stat -c %i S/4); is "$(cat S/4)" four`},
	{"the file tells time and size, and its mode lets rm go on", `is $(stat -c %s%a S/1) 4644; test -z "$(find S -name '0*' -newermt now)"; find S -newermt '1 hour ago' -name 000000000001 | grep -q .`},
	{"log", `is "$(cat S/.jsfs/log)" "$(printf 'one\nthree\nfour')"; is "$(cat S/.log)" "$(cat S/.jsfs/log)"; is $(stat -c %s S/.log) 15; printf end > S/x; is "$(tail -n 1 S/.log)" end`},
	{"log.jsonl", `is $(wc -l < S/.jsfs/log.jsonl) 3; python3 -c '
import json
lines = [json.loads(l) for l in open("S/.jsfs/log.jsonl")]
assert [l["seq"] for l in lines] == [1, 3, 4] and lines[1]["subject"] == "orders.eu.paid" and lines[2]["data"] == "four\n", lines'
		is $(stat -c %s S/.jsfs/log.jsonl) $(cat S/.jsfs/log.jsonl | wc -c)`},
	{"follow, follow.jsonl", `timeout 20 head -n 1 S/.follow > ../f & timeout 20 head -n 1 S/.jsfs/follow.jsonl > ../j & sleep 0.5; echo five > S/orders.x; wait; is "$(cat ../f)" five; grep -q '"seq":5' ../j; ! ls S/.jsfs | grep follow`},
	{"first, last", `is $(readlink S/.jsfs/first) ../000000000001; is $(readlink S/.last) 000000000004; is "$(cat S/.jsfs/last)" four; rm S/4; is "$(cat S/.jsfs/last)" three`},
	{"subjects", `is "$(ls S/.jsfs/subjects | tr '\n' ' ')" "orders.eu.new orders.eu.paid "; is "$(cat S/.jsfs/subjects/orders.eu.new/*)" "$(printf 'one\nfour')"; is "$(cat 'S/.jsfs/subjects/orders.*.paid/3')" three; is $(ls 'S/.jsfs/subjects/orders.>' | wc -l) 3`},
	{"last-by-subject", `is "$(ls S/.jsfs/last-by-subject | tr '\n' ' ')" "orders.eu.new orders.eu.paid "; is "$(cat S/.jsfs/last-by-subject/orders.eu.new)" four; echo new > S/orders.eu.new; is "$(cat S/.jsfs/last-by-subject/orders.eu.new)" new`},
	{"since", `is $(ls S/.jsfs/since/1h/ | wc -l) 3; is $(ls S/.jsfs/since/2020-01-01 | wc -l) 3; is $(ls S/.jsfs/since/2999-01-01T00:00:00Z | wc -l) 0; test -L S/.jsfs/since/15m`},
	{"range", `is "$(ls S/.jsfs/range/2-3)" 000000000003; is $(ls S/.jsfs/range/3- | wc -l) 2; is "$(cat S/.jsfs/range/1-3/.log)" "$(printf 'one\nthree')"`},
	{"views of views", `is "$(cat 'S/.jsfs/subjects/orders.eu.>/.jsfs/range/2-/.jsfs/subjects/orders.eu.new/.jsfs/since/1h/.log')" four`},
	{"msg", `is "$(cat S/.jsfs/msg/3/data)" three; is $(cat S/.jsfs/msg/3/subject) orders.eu.paid; grep -q '"seq":3' S/.jsfs/msg/3/json; test -s S/.jsfs/msg/3/time; test ! -s S/.jsfs/msg/3/headers; is "$(head -n 1 S/.jsfs/msg/3/raw)" "Subject: orders.eu.paid"`},
	{"post", `printf 'Subject: a.b\nX-Y: 1\n\nbody' > S/.jsfs/post; is "$(cat S/a.b)" body; is "$(getfattr --only-values -n user.jsfs.header.X-Y S/5)" 1; mkdir T; cat S/.jsfs/msg/5/raw > T/.jsfs/post; is "$(cat T/.jsfs/msg/1/raw)" "$(cat S/.jsfs/msg/5/raw)"`},
	{"info", `python3 -c '
import json
i = json.load(open("S/.info")); assert (i["messages"], i["first_seq"], i["last_seq"], i["num_deleted"], i["num_lost"]) == (3, 1, 4, 1, 0), i'`},
	{"config", `echo '{"max_msgs": 2}' > S/.jsfs/config; is "$(ls S | tr '\n' ' ')" "000000000003 000000000004 "; ! echo '{"max_msgs": -7}' 2> /dev/null > S/.jsfs/config; grep -q '"max_msgs": 2' S/.jsfs/config; grep -q '">"' S/.jsfs/config`},
	{"ctl", `echo 'purge subject=orders.eu.new keep=1' > S/.jsfs/ctl; is "$(ls S | tr '\n' ' ')" "000000000003 000000000004 "; echo 'erase 3' > S/.jsfs/ctl; is "$(ls S)" 000000000004; echo 'compact 9' > S/.jsfs/ctl; echo nine > S/a; is "$(ls S)" 000000000009; echo sync > S/.jsfs/ctl; echo seal > S/.jsfs/ctl; ! echo no 2> /dev/null > S/a`},
	{"deleted", `is "$(ls S/.jsfs/deleted)" 000000000002; is "$(cat S/.jsfs/deleted/2)" two; ! rm S/.jsfs/deleted/2 2> /dev/null; mv S/.jsfs/deleted/2 S/; is "$(cat S/2)" two; is "$(ls S/.jsfs/deleted)" ""`},
	{"deleted of the mount", `mkdir T; echo x > T/a; rm -rf T; is "$(ls .jsfs/deleted | sed 's/@.*//' | sort -u | grep T)" T; mv "$(ls -td .jsfs/deleted/T@* | head -n 1)" .; is "$(cat T/1)" x; ! rmdir T 2> /dev/null`},
	{"README, version, metrics, config of the mount", `grep -q 'jsfs mount' .jsfs/README; grep -q . .jsfs/version; grep -q '^jsfs_' .jsfs/metrics; python3 -c 'import json; json.load(open(".jsfs/config"))'`},
	{"errors", `! echo x 2> /dev/null > S/1; tail -n 1 .jsfs/errors | grep -q 'open S/000000000001 EPERM messages never change'; is $(stat -c %a .jsfs/errors) 600`},
	{"a subject's name reads its newest message, and appends", `is "$(cat S/orders.eu.new)" four; echo five > S/orders.eu.new; is "$(cat S/orders.eu.new)" five; chmod 600 S/orders.eu.new; touch S/orders.eu.new; is $(ls S | wc -l) 4`},
	{"rm of a subject removes no message", `! rm S/orders.eu.new 2> /dev/null; is $(ls S | wc -l) 3; cp --remove-destination S/1 S/orders.eu.new; is $(ls S | wc -l) 4`},
	{"odd subjects are escaped", `echo slash > S/a%2Fb; is "$(getfattr --only-values -n user.jsfs.subject S/5)" a/b; echo digits > S/.jsfs/subjects/%31%32/x; is "$(cat S/.jsfs/last-by-subject/%31%32)" digits; is "$(cat S/%31%32)" digits`},
	{"a subject that is longer than a name", `python3 -c 'import json; print(json.dumps({"subject": "x" * 300, "data": "long\n"}))' >> S/.jsfs/log.jsonl; n=$(ls S/.jsfs/subjects | grep xxx); is "$(cat S/.jsfs/subjects/$n/5)" long; is "$(cat S/.jsfs/last-by-subject/$n)" long`},
	{"attributes of a message and of a stream", `is "$(getfattr --only-values -n user.jsfs.seq S/3)" 3; is "$(getfattr --only-values -n user.jsfs.subject S/3)" orders.eu.paid; getfattr --only-values -n user.jsfs.config S | grep -q '"name"'`},
	{"echo, cp, >> to a subject: one message", `echo hi > S/a; cp S/1 S/a; echo hi >> S/a; is "$(cat S/00*[567])" "$(printf 'hi\none\nhi')"`},
	{">> .log: a message a line, on the default subject", `printf 'a\nb' >> S/.log; is $(ls S | wc -l) 5; is "$(getfattr --only-values -n user.jsfs.subject S/5)" "$(echo S | tr A-Z a-z)"`},
	{">> .log of a subject: a message a line on it", `mkdir -p S; printf 'a\nb\n' >> S/.jsfs/subjects/orders.new/.log; is "$(cat S/.jsfs/subjects/orders.new/*)" "$(printf 'a\nb')"`},
	{"cp of files into a subject: a message a file, with its name", `cp ../server.log ../is S/.jsfs/subjects/docs.in/; is $(ls S/.jsfs/subjects/docs.in | wc -l) 2; is "$(getfattr --only-values -n user.jsfs.header.Jsfs-Filename S/5)" server.log`},
	{">> log.jsonl: new messages, and restores that can be repeated", `mkdir T; cat S/.jsfs/log.jsonl >> T/.jsfs/log.jsonl; cmp S/.jsfs/log.jsonl T/.jsfs/log.jsonl; cat S/.jsfs/log.jsonl >> T/.jsfs/log.jsonl; cmp S/.jsfs/log.jsonl T/.jsfs/log.jsonl; echo '{"subject":"n","data":"new"}' >> T/.jsfs/log.jsonl; is "$(cat T/n)" new
		sed s/three/other/ S/.jsfs/log.jsonl > ../other; ! cat ../other 2> ../said >> T/.jsfs/log.jsonl; grep -q 'File exists' ../said`},
	{"mv of a draft to a subject: all of it at once", `echo a > S/.d; echo b >> S/.d; is $(ls S | wc -l) 3; mv S/.d S/a; is "$(cat S/a)" "$(printf 'a\nb')"; is "$(ls -A S | grep -c d)" 0`},
	{"rmdir of a stream with messages is refused", `! rmdir S 2> ../said; grep -q 'not empty' ../said`},
}

// Each row of the tables of what names mean and what writes do holds in a shell.
func TestEachNameIsWhatItIsFor(t *testing.T) {
	t.Parallel()
	needs(t, "getfattr", "python3")
	m := mount(t)
	m.sh(`printf '#!/bin/sh\ntest "$1" = "$2" || { echo "got <$1>, want <$2>" >&2; exit 1; }\n' > ../is; chmod 755 ../is`)
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := fmt.Sprintf("S%d", i)
			c := m.command()
			c.env = append(c.env, "PATH="+strings.TrimSuffix(m.dir, "/mnt")+":"+os.Getenv("PATH"))
			script := fmt.Sprintf(`set -e; mkdir %[1]s; echo one > %[1]s/orders.eu.new; echo two > %[1]s/orders.us.new; echo three > %[1]s/orders.eu.paid; echo four > %[1]s/orders.eu.new; rm %[1]s/2
				%[2]s`, s, onStream(row.script, s))
			if r := c.run(t, script); r.code != 0 {
				t.Errorf("exit code %d\nstdout: %s\nstderr: %s\nerrors: %s", r.code, r.out, r.err, lastBytes(m.read(".jsfs/errors"), 600))
			}
			m.try("rm -rf T " + s) // a sealed one stays
		})
	}
}

var streamName = regexp.MustCompile(`\bS\b`)

// onStream is a script for stream S on another stream.
func onStream(script, stream string) string { return streamName.ReplaceAllString(script, stream) }
