package integration

import (
	"strings"
	"testing"
)

func TestRemovedMessagesComeBackByMv(t *testing.T) {
	needs(t, "getfattr")
	m := mount(t)
	m.sh(`mkdir S T; printf 'Subject: a.b\nX-Y: 1\n\nbody' > S/.jsfs/post; for i in 2 3 4; do echo message $i > S/s.$i; done; head -c 3000000 /dev/urandom > S/large`)
	const look = `stat -c '%n %i %s %y' S/0*; md5sum S/0*; getfattr -d S/0*; cat S/.jsfs/msg/1/raw`
	was := m.sh(look)
	m.sh("cat S/5 > ../large; rm S/1 S/3 S/5; ls S | wc -l | grep -qx 2")
	m.scripts(t, []scriptCase{
		{"listed", "ls S/.jsfs/deleted", "000000000001\n000000000003\n000000000005\n"},
		{"read", "cd S/.jsfs/deleted; cat 1 3; cmp 5 ../../../../large", "bodymessage 3\n"},
		{"attributes", "cd S/.jsfs/deleted; stat -c '%n %s %a' *; getfattr --only-values -n user.jsfs.header.X-Y 1",
			"000000000001 4 444\n000000000003 10 444\n000000000005 3000000 444\n1"},
		{"rm is refused", "rm -f S/.jsfs/deleted/3 2>&1 | sed 's/.*: //'; tail -n 1 .jsfs/errors | grep -c 'brought back with mv'; ! rm -rf S/.jsfs/deleted 2> /dev/null || wrong; ls S/.jsfs/deleted | wc -l", "Operation not permitted\n1\n3\n"},
		{"elsewhere is refused", "for to in S/9 S/x T T/3 ../out . S/.jsfs S/.jsfs/subjects/s.3; do ! mv S/.jsfs/deleted/3 $to 2> /dev/null || wrong; done; ls S/.jsfs/deleted | wc -l; ls S T", "3\nS:\n000000000002\n000000000004\n\nT:\n"},
		{"nothing is moved in", "mv S/2 S/.jsfs/deleted/ 2>&1 | sed 's/.*: //'; ! mv ../large S/.jsfs/deleted/ 2> /dev/null || wrong; ls S/.jsfs/deleted | wc -l", "Operation not permitted\n3\n"},
		{"what is open is read to its end", "exec 3< S/.jsfs/deleted/5; mv S/.jsfs/deleted/5 S/; cmp - ../large <&3; cmp S/5 ../large; rm S/5", ""},
		{"nothing is stale", "for i in 1 2 3; do ! cat S/3 2> /dev/null || wrong; mv S/.jsfs/deleted/3 S/3; cat S/000000000003; rm S/3; cat S/.jsfs/deleted/000000000003; done | uniq", "message 3\n"},
		{"all come back", "mv S/.jsfs/deleted/* S/; ls S/.jsfs/deleted; ls S | wc -l", "5\n"},
	})
	if got := m.sh(look); got != was {
		t.Errorf("they came back as %s\nbefore %s", got, was)
	}
	m.sh(`rm S/2; mv S/.jsfs/deleted/2 S/; rm S/4`)
	m.crash()
	if got := m.sh("cat S/2; ! cat S/4 || wrong; cat S/.jsfs/deleted/*; mv S/.jsfs/deleted/4 S/"); got != "message 2\nmessage 4\n" {
		t.Errorf("after a crash: %q", got)
	}
	m.crash()
	if got := m.sh(look); got != was {
		t.Errorf("after another crash they are %s\nbefore %s", got, was)
	}
}

func TestRemovedStreamsComeBackByMv(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; for i in 1 2 3; do echo message $i > S/s.$i; done")
	const look = "stat -c '%n %i %s' S S/0*; cat S/0* S/.log S/.jsfs/log.jsonl"
	was := m.sh(look)
	m.sh("rm -rf S; test ! -e S; ls .jsfs/deleted | grep -x 'S@20[0-9-]*T[0-9:.]*Z'; test -d .jsfs/deleted/S@*")
	m.scripts(t, []scriptCase{
		{"it is removed by nobody", "rmdir .jsfs/deleted/S@* 2>&1 | sed 's/.*: //'; ! rm -rf .jsfs/deleted/S@* 2> /dev/null || wrong; ls .jsfs/deleted | wc -l", "Operation not permitted\n1\n"},
		{"elsewhere is refused", "mkdir T; for to in X T .. T/.jsfs .jsfs; do ! mv .jsfs/deleted/S@* $to 2> /dev/null || wrong; done; ls; ls .jsfs/deleted | wc -l; grep -c 'under its own name S' .jsfs/errors", "T\n1\n4\n"},
		{"the name is taken", "mkdir S; ! mv .jsfs/deleted/S@* . 2> /dev/null || wrong; tail -n 1 .jsfs/errors | grep -c 'EEXIST .*stream S: exists already'; mv -T .jsfs/deleted/S@* S 2>&1 | sed 's/.*: //'; rmdir S; ls .jsfs/deleted | wc -l", "1\nFile exists\n2\n"},
		{"it comes back", "mv \"$(for d in .jsfs/deleted/*; do echo $d; done | sort | head -n 1)\" .; ls; cat S/2", "S\nT\nmessage 2\n"},
	})
	if got := m.sh(look); got != was {
		t.Errorf("it came back as %q\nbefore %q", got, was)
	}
	m.crash()
	if got := m.sh(look); got != was {
		t.Errorf("after a crash it is %q\nbefore %q", got, was)
	}
	// Again and again, to its own name, with somebody in the directory who was there before.
	for range 3 {
		m.sh("cd S; rm -rf ../S; mv ../.jsfs/deleted/\"$(ls -t ../.jsfs/deleted | head -n 1)\" ../S; ! ls 0* 2> /dev/null || wrong; cd ../S; ls | wc -l | grep -qx 3; echo x > .draft; rm .draft; cat 3 | grep -q 3")
	}
	if got := m.sh("echo message 4 > S/s.4; cat S/4; rm S/4; ls .jsfs/deleted | wc -l"); got != "message 4\n1\n" {
		t.Errorf("it goes on: %q", got)
	}
	m.crash()
	if got := m.sh(look); !strings.HasPrefix(got, was[:strings.Index(was, "\n")]) || !strings.Contains(got, "message 3") {
		t.Errorf("after a crash it is %q\nbefore %q", got, was)
	}
}

// Whoever walks through all that was removed meets an end; a read-only mount shows it and brings nothing back.
func TestWhatWasRemovedIsReadByEverything(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S R; seq 500 >> S/.log; rm S/*[02468]; echo x > R/x; rm -r R")
	walk := "timeout 60 grep -rc '' S/.jsfs/deleted | wc -l; timeout 60 grep -rl '^42$' S/.jsfs .jsfs | grep deleted; timeout 60 cp -r S/.jsfs/deleted .jsfs ../c && cat ../c/deleted/* | md5sum; ls -l S/.jsfs/deleted | md5sum; ls ../c/.jsfs/deleted; rm -rf ../c; mkdir ../c"
	m.sh("mkdir ../c")
	was := m.sh(walk)
	if !strings.HasPrefix(was, "250\nS/.jsfs/deleted/000000000042\n") || !strings.Contains(was, "R@2") {
		t.Errorf("got %q", was)
	}
	m.stop()
	m.args = append(m.args, "-o", "ro")
	m.start()
	if got := m.sh(walk); got != was {
		t.Errorf("in a read-only mount: %q, want %q", got, was)
	}
	if got := m.sh("mv S/.jsfs/deleted/42 S/ 2>&1 | sed 's/.*: //'; mv .jsfs/deleted/R@* . 2>&1 | sed 's/.*: //'; ls S | wc -l; ls"); got != "Read-only file system\nRead-only file system\n250\nS\n" {
		t.Errorf("mv in a read-only mount: %q", got)
	}
}

// TestASealedStreamIsRemovedWhole: nothing else removes what is in it, and it comes back as it was.
func TestASealedStreamIsRemovedWhole(t *testing.T) {
	for name, opts := range map[string][]option{"a directory": nil, "mem:": {withSource("mem:")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mount(t, opts...)
			m.sh(`mkdir S T; echo one > S/x; echo two > S/y; echo t > T/x; echo seal > S/.jsfs/ctl
				! rm -r S 2> ../said || wrong; grep -q 'Read-only file system' ../said; test "$(ls S | wc -l)" = 2
				! rmdir S 2> ../said || wrong; grep -q 'not empty' ../said; grep -q 'echo remove force > S/.jsfs/ctl' .jsfs/errors
				! echo remove > S/.jsfs/ctl || wrong; ! echo remove force > T/.jsfs/ctl || wrong; test "$(ls)" = "$(printf 'S\nT')"
				echo remove force > S/.jsfs/ctl; test "$(ls)" = T; ! ls S 2> ../said || wrong
				mv .jsfs/deleted/S@* S; test "$(cat S/*)" = "$(printf 'one\ntwo')"; ! echo x > S/x || wrong; ls S | wc -l | grep -qx 2
				(cd S; echo remove force > .jsfs/ctl); mkdir S; test -z "$(ls S)"`)
		})
	}
}
