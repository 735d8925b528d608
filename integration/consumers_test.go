package integration

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const billing = "S/.jsfs/consumers/billing"

func TestAConsumerIsADirectory(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; for i in 1 2 3 4; do echo message $i > S/s.$i; done; mkdir " + billing)
	if got := m.sh("ls S/.jsfs/consumers " + billing); got != "S/.jsfs/consumers:\nbilling\n\n"+billing+":\nconfig\ninfo\nnak\npending\nterm\n" {
		t.Errorf("listed: %q", got)
	}
	if got := m.sh("cd " + billing + " && cat next && cat next next.json && ls pending && cat pending/3 && stat -c %s pending/*"); got !=
		"message 1\nmessage 2\n"+`{"seq":3,"time":"`+got[strings.Index(got, `"time":"`)+8:][:30]+`","subject":"s.3","data":"message 3\n"}`+
			"\n000000000001\n000000000002\n000000000003\nmessage 3\n10\n10\n10\n" {
		t.Errorf("delivered: %q", got)
	}
	m.sh("cd " + billing + "; rm pending/000000000002; mv pending/000000000001 nak/; touch pending/3; mv pending/3 term/")
	if got := m.sh("cd " + billing + " && ls pending nak term; cat next; cat next; ls pending"); got !=
		"nak:\n\npending:\n000000000001\n\nterm:\nmessage 1\nmessage 4\n000000000001\n000000000004\n" {
		t.Errorf("after an ack, a nak and a term: %q", got)
	}
	for _, want := range []string{`"num_ack_pending": 2`, `"num_redelivered": 1`, `"num_pending": 0`, `"ack_policy": "explicit"`} {
		if got := m.sh("cat " + billing + "/info"); !strings.Contains(got, want) {
			t.Errorf("info has no %s: %s", want, got)
		}
	}
	for _, script := range []string{
		"echo x > pending/1", "echo x >> pending/1", "rm pending/2", "rm info", "rmdir pending", "mv pending/1 nak/2", "mv pending/1 ..", "touch pending/9",
		"mkdir x", "mv ../../../1 pending/1", "rm ../../config", "echo '{\"deliver_policy\":\"new\"}' > config", "cat term/3",
	} {
		if r := m.try("cd " + billing + " && " + script); r.code == 0 {
			t.Errorf("%s: %+v, want a refusal", script, r)
		}
	}
	if r := m.try("mkdir " + billing); r.code == 0 || !strings.Contains(r.err, "File exists") {
		t.Errorf("mkdir again: %+v", r)
	}
	m.sh("echo sync > S/.jsfs/ctl") // else a kill makes it forget the last tenth of a second
	inodes := m.sh("cd " + billing + "; stat -c %i . config pending pending/1")
	m.crash()
	if got := m.sh("cd " + billing + " && stat -c %i . config pending pending/1"); got != inodes {
		t.Errorf("inode numbers were %q, and are %q after kill -9", inodes, got)
	}
	m.sh("rmdir " + billing + "; test ! -e " + billing + "; ls S | wc -l | grep -q 4")
}

// A consumer is configured by writing its file, in everything as long as it has delivered nothing.
func TestAConsumerIsConfigured(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; for i in 1 2 3; do echo $i > S/a; echo $i > S/b; done; mkdir " + billing)
	m.sh(`cd ` + billing + `; echo '{"filter_subject":"b","deliver_policy":"last","ack_wait":2000000000,"max_deliver":2}' > config`)
	begin := time.Now()
	if got := m.sh("cd " + billing + " && cat next && cat next && ls pending"); got != "3\n3\n000000000006\n" {
		t.Errorf("delivered: %q", got)
	}
	if took := time.Since(begin); took < 2*time.Second {
		t.Errorf("the second delivery came after %v", took)
	}
	if r := m.try("cd " + billing + " && timeout -s INT 3 cat next"); r.code != 124 /* ack_wait ends meanwhile */ || r.out != "" {
		t.Errorf("the third delivery: %+v", r)
	}
	if got := m.sh("ls " + billing + "/pending"); got != "" {
		t.Errorf("pending: %q", got)
	}
	if r := m.try("cd " + billing + ` && echo '{"ack_wait":-5}' > config`); r.code == 0 || !strings.Contains(r.err, "Invalid argument") {
		t.Errorf("a configuration that can't be: %+v", r)
	}
	if got := m.sh("tail -n 1 .jsfs/errors"); !strings.Contains(got, "ack_wait: not valid: -5ns is negative") {
		t.Errorf("the reason: %q", got)
	}
	m.sh("mkdir S/.jsfs/consumers/none; echo '{\"ack_policy\":\"none\"}' > S/.jsfs/consumers/none/config")
	if got := m.sh("cd S/.jsfs/consumers/none && cat next && ls pending && cat next"); got != "1\n1\n" {
		t.Errorf("without acknowledgements: %q", got)
	}
	m.remount()
	if got := m.sh("cat S/.jsfs/consumers/none/next; grep -c last " + billing + "/config"); got != "2\n1\n" {
		t.Errorf("after a remount: %q", got)
	}
}

// Readers in several processes share a work queue; some of them are killed with their messages, and jsfs is killed in the
// middle. Each message is done once at least, and more than once only where somebody was killed.
func TestProcessesShareAWorkQueue(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh(`: > ../done; mkdir S; echo '{"retention":"workqueue"}' > S/.jsfs/config; mkdir ` + billing + `; echo '{"ack_wait":5000000000}' > ` + billing + `/config`)
	const messages = 300
	notes := m.path("..", "done")
	// A worker takes a message, notes it, and acknowledges it, for ever.
	work := `cd / && while :; do n=$(cat "$D/next.json" 2> /dev/null) && test -n "$n" || { sleep 0.05; continue; }
		seq=${n#'{"seq":'}; seq=${seq%%,*}; echo $seq >> ` + notes + `; rm -f "$D/pending/$seq" 2> /dev/null; done`
	work = "D=" + m.path(billing) + "; " + work
	for range 3 {
		m.follow(work)
	}
	m.follow("export D=" + m.path(billing) + "; timeout -s KILL 0.7 sh -c '" + strings.ReplaceAll(work, "'", `'"'"'`) + "'; sleep 1000")
	m.sh(fmt.Sprintf("seq %d >> S/.log", messages/2))
	eventually(t, patience, "some are done", func() bool { return len(strings.Fields(m.sh("cat ../done"))) > 50 })
	m.crash()
	m.sh(fmt.Sprintf("seq %d %d >> S/.log", messages/2+1, messages))
	eventually(t, patience, "all is done", func() bool { return m.sh("ls S") == "" })
	all := strings.Fields(m.sh("cat ../done"))
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	once := slices.Compact(slices.Clone(all))
	if len(once) != messages || once[0] != "1" || len(all) > messages+8 {
		t.Errorf("%d messages were done, in %d deliveries, want %d", len(once), len(all), messages)
	}
}

// With interest retention ls shows what is still wanted.
func TestInterestIsSeenByLs(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; mkdir S/.jsfs/consumers/a S/.jsfs/consumers/b; echo '{"filter_subject":"b"}' > S/.jsfs/consumers/b/config`)
	m.sh(`echo '{"retention":"interest"}' > S/.jsfs/config; ls -l S; for s in a b a; do echo $s > S/$s; done; ls -l S > /dev/null`)
	if got := m.sh("ls S"); got != "000000000001\n000000000002\n000000000003\n" {
		t.Errorf("listed: %q", got)
	}
	m.sh("cd S/.jsfs/consumers/a; for i in 1 2 3; do cat next; done > /dev/null; rm pending/*1 pending/*2")
	eventually(t, patience, "what is acknowledged is gone", func() bool { return m.sh("ls S") == "000000000002\n000000000003\n" })
	m.sh("! cat S/000000000001 || wrong; cat S/000000000002; cat S/.jsfs/consumers/b/next; rm S/.jsfs/consumers/b/pending/2")
	eventually(t, patience, "the last who wants it acknowledged it", func() bool { return m.sh("ls S") == "000000000003\n" })
	m.sh("rm -r S/.jsfs/consumers/b; rm -r S/.jsfs/consumers/a")
	eventually(t, patience, "nobody is left who wants anything", func() bool { return m.sh("ls S; ls S/.jsfs/consumers") == "" })
	if got := m.sh("echo c > S/c; ls S"); got != "" {
		t.Errorf("without interest: %q", got)
	}
}

// rm -r removes a consumer and acknowledges nothing.
func TestRmOfAConsumerAcknowledgesNothing(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; mkdir ` + billing + `; for i in 1 2 3; do echo $i > S/a; done; cat ` + billing + `/next ` + billing + `/next`)
	m.sh("rm -r " + billing + "; test ! -e " + billing)
	if got := m.sh("ls S | wc -l; mkdir " + billing + " && cat " + billing + "/next"); got != "3\n1\n" {
		t.Errorf("left, and delivered to a new consumer: %q", got)
	}
	m.sh("python3 -c 'import shutil; shutil.rmtree(\"" + billing + "\")'; test ! -e " + billing)
}

// Who waits for a message hears of an end, whatever it is.
func TestWaitingForTheNextMessage(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; mkdir " + billing)
	f := m.follow("cd / && cat " + m.path(billing, "next") + "; echo done; sleep 100")
	time.Sleep(100 * time.Millisecond)
	m.sh("timeout 100 grep -r nothing S/.jsfs || test $? = 1") // nothing that is listed waits
	m.sh("echo hello > S/a")
	f.await("done\n")
	if got := f.text(); got != "hello\ndone\n" {
		t.Errorf("it got %q", got)
	}
	if r := m.try("timeout -s INT 1 cat " + billing + "/next"); r.code != 124 {
		t.Errorf("who was interrupted: %+v", r)
	}
	f = m.follow("cd / && cat " + m.path(billing, "next") + " || echo gone; sleep 100")
	eventually(t, patience, "it waits", func() bool { return strings.Contains(m.sh("cat "+billing+"/info"), `"num_waiting": 1`) })
	m.sh("rmdir " + billing)
	f.await("gone\n") // behind what cat complains about
	m.sh("mkdir " + billing)
	if got := m.sh("cat " + billing + "/next; rm " + billing + "/pending/*"); got != "hello\n" {
		t.Errorf("a new consumer got %q", got)
	}
	f = m.follow("cd / && cat " + m.path(billing, "next") + " && echo end; sleep 100")
	eventually(t, patience, "it waits", func() bool { return strings.Contains(m.sh("cat "+billing+"/info"), `"num_waiting": 1`) })
	m.stop()
	f.await("end\n")
}

// Reading next takes a message, so it is for who may write, not for everybody who may read.
func TestWhoMayOnlyReadTakesNothingFromAConsumer(t *testing.T) {
	m := mount(t, withArgs("--allow-other"))
	m.sh("mkdir S; echo one > S/x; mkdir " + billing)
	for _, name := range []string{"next", "next.json"} {
		r := command{user: "nobody", dir: m.dir}.run(t, "cat S/1 && ls "+billing+"/pending && timeout 5 cat "+billing+"/"+name)
		if r.code == 0 || r.out != "one\n" || !strings.Contains(r.err, "Permission denied") {
			t.Errorf("%s: another user got %+v, want a refusal", name, r)
		}
	}
	if got := m.sh("cat " + billing + "/next; stat -c %a " + billing + "/next"); got != "one\n400\n" {
		t.Errorf("its owner got %q", got)
	}
	shared := mount(t, withSource("mem:"), withArgs("--allow-other", "--umask=0"))
	shared.sh("mkdir S; echo one > S/x; mkdir " + billing)
	if r := (command{user: "nobody", dir: shared.dir}).run(t, "cat "+billing+"/next"); r.out != "one\n" {
		t.Errorf("where all may write another user got %+v", r)
	}
}

func TestAConsumersNameIsRefusedAsThat(t *testing.T) {
	m := mount(t, withSource("mem:"))
	m.sh("mkdir S")
	if r := m.try("mkdir 'S/.jsfs/consumers/a b'"); r.code == 0 {
		t.Error("a name with a space was taken")
	}
	if got := m.sh("tail -n 1 .jsfs/errors"); !strings.Contains(got, `consumer name "a b": not valid`) || strings.Contains(got, "stream name") {
		t.Errorf("the reason: %q", got)
	}
}
