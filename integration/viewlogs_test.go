package integration

import (
	"fmt"
	"testing"
)

// The logs of views have the messages of the view, and grow with it.
func TestTheLogsOfViews(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; for i in $(seq 9); do echo "eu $i" > S/orders.eu.new; echo "us $i" > S/orders.us.new; echo "bill $i" > S/bills; done; rm S/4`)
	for _, c := range []struct{ name, script, want string }{
		{"a subject", `head -n 2 S/.jsfs/subjects/orders.eu.new/.log`, "eu 1\neu 3\n"},
		{"a pattern", `tail -n 3 'S/.jsfs/subjects/orders.*.new/.jsfs/log'`, "us 8\neu 9\nus 9\n"},
		{"a range", `cat S/.jsfs/range/3-6/.log`, "bill 1\nus 2\nbill 2\n"},
		{"a range of a subject", `cat S/.jsfs/subjects/bills/.jsfs/range/4-11/.jsfs/log`, "bill 2\nbill 3\n"},
		{"a time", `cat S/.jsfs/since/1h/.log | wc -l`, "26\n"},
		{"as JSON lines", `grep -c '"subject":"orders.us.new"' S/.jsfs/subjects/orders.us.*/.jsfs/log.jsonl; wc -l < S/.jsfs/subjects/orders.us.*/.jsfs/log.jsonl`, "9\n9\n"},
		{"the size is what is read", `for f in S/.jsfs/subjects/orders.eu.new/.jsfs/log{,.jsonl} S/.jsfs/range/3-6/.jsfs/log{,.jsonl}; do test $(stat -c %s $f) = $(cat $f | wc -c) && echo same; done`, "same\nsame\nsame\nsame\n"},
		{"nothing", `wc -c < S/.jsfs/subjects/none/.log`, "0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := m.sh(c.script); got != c.want {
				t.Errorf("%s: got %q, want %q", c.script, got, c.want)
			}
		})
	}
	f := m.follow(`exec tail -s 0.05 -n 2 -f 'S/.jsfs/subjects/orders.*.new/.log'`)
	f.await("us 9\n")
	m.sh(`echo "bill 10" > S/bills; echo "eu 10" > S/orders.eu.new`)
	f.await("eu 10\n")
	m.sh(`rm S/1 S/26 S/29; echo "us 11" > S/orders.us.new`)
	f.await("us 11\n")
	if got, want := f.text(), "eu 9\nus 9\neu 10\nus 11\n"; got != want {
		t.Errorf("tail prints %q, want %q", got, want)
	}
}

// A follow of a view reads what comes into the view.
func TestTheFollowsOfViews(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; echo old > S/a.x`)
	var fs []*follower
	for _, path := range []string{"S/.jsfs/subjects/a.x/.follow", "S/.jsfs/subjects/a.>/.follow", "S/.jsfs/since/2020-01-01/.follow", "S/.jsfs/range/4-5/.jsfs/follow"} {
		fs = append(fs, m.followFile("exec cat '"+path+"'", path))
	}
	m.sh(`for s in a.x b a.y a.x b; do echo $s > S/$s; done`)
	for i, want := range []string{"a.x\na.x\n", "a.x\na.y\na.x\n", "a.x\nb\na.y\na.x\nb\n", "a.y\na.x\n"} {
		f := fs[i]
		if i == 3 { // the range has ended
			<-f.done
		} else {
			eventually(t, patience, "the follower gets all", func() bool { return f.text() == want })
			f.interrupt()
		}
		if f.text() != want {
			t.Errorf("follower %d got %q, want %q", i, f.text(), want)
		}
	}
}

// Lines that are appended to the log of a subject are messages on it.
func TestTheLogsOfViewsAreAppendedTo(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; seq 3 >> S/.jsfs/subjects/orders.new/.log; echo '{"data":"4"}' >> S/.jsfs/subjects/orders.new/.jsfs/log.jsonl
		echo '{"subject":"orders.eu","data":"5"}' >> 'S/.jsfs/subjects/orders.*/.jsfs/log.jsonl'
		printf 'Subject: orders.us\n\n6' > 'S/.jsfs/subjects/orders.*/.jsfs/post'
		echo seven >> S/.jsfs/range/2-/.log`)
	if got, want := m.sh(`for f in S/0*; do echo "$(getfattr --only-values -n user.jsfs.subject $f) $(cat $f)"; done`),
		"orders.new 1\norders.new 2\norders.new 3\norders.new 4\norders.eu 5\norders.us 6\ns seven\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, script := range []string{
		`echo x >> 'S/.jsfs/subjects/orders.*/.log'`, `echo x >> S/.jsfs/range/2-5/.log`,
		`echo '{"data":"x"}' >> 'S/.jsfs/subjects/orders.*/.jsfs/log.jsonl'`,
		`echo '{"subject":"bills","data":"x"}' >> 'S/.jsfs/subjects/orders.*/.jsfs/log.jsonl'`,
		`printf 'Subject: bills\n\nx' > ../raw; cat ../raw > S/.jsfs/subjects/orders.new/.jsfs/post`,
	} {
		if r := m.try(script); r.code == 0 || m.sh(`ls S | wc -l`) != "7\n" {
			t.Errorf("%s: got %+v", script, r)
		}
	}
}

// What raw reads post takes: a message is replayed with its subject, headers and bytes.
func TestRawIsReplayed(t *testing.T) {
	m := mount(t)
	m.sh(variety)
	m.sh(`mkdir B; for f in A/*; do cat "A/.jsfs/msg/${f#A/}/raw" > B/.jsfs/post; done`)
	fields := `sed -E 's/"seq":[0-9]+,"time":"[^"]*",//'`
	if got := m.sh(fmt.Sprintf(`cmp <(%s A/.jsfs/log.jsonl) <(%s B/.jsfs/log.jsonl) && echo same; test $(stat -c %%s A/.jsfs/msg/13/raw) = $(cat A/.jsfs/msg/13/raw | wc -c) && echo same`, fields, fields)); got != "same\nsame\n" {
		t.Errorf("got %q; %s", got, m.read(".jsfs/errors"))
	}
}
