package integration

import (
	"fmt"
	"strings"
	"testing"
)

// variety fills the stream A with messages of every sort: binary and empty payloads, no newline at the end,
// quotes, long ones, headers, subjects that are escaped, and gaps at the front, in the middle and at the end.
const variety = `mkdir A
	printf one > A/a.b; printf 'two\n' > A/x; printf 'b\0in\377ary' > A/c; : > A/empty
	eventually() { for i in $(seq 1000); do "$@" && return; sleep 0.05; done; return 1; }
	eventually test -e A/4
	printf '"quoted" \\ \t\n\n' > A/d; head -c 100000 /dev/urandom > A/e; seq 20000 > A/f
	printf 'Subject: h\nNats-Msg-Id: id-1\nA: 1\nA: 2\n\nwith headers' > A/.jsfs/post
	touch -d 2020-02-02T02:02:02.5 ../dated; cp -p ../dated A/g; echo slash > A/a%2Fb
	printf 'é\u2028' > A/é; seq -f 'line %g' 30 >> A/.log
	rm A/1 A/6 A/15 A/16 A/41; echo last > A/a.b`

// TestJSONLines: log.jsonl is a file, and written to another stream it is the same stream.
func TestJSONLinesAreTheWholeStream(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	m := mount(t)
	m.sh(variety)
	for _, c := range []struct{ name, script, want string }{
		{"the size is what is read", `test $(stat -c %s A/.jsfs/log.jsonl) = $(cat A/.jsfs/log.jsonl | wc -c) && echo same`, "same\n"},
		{"a line for each message", `test $(wc -l < A/.jsfs/log.jsonl) = $(ls A | wc -l) && echo same`, "same\n"},
		{"Python reads them", `python3 -c '
import base64, json
for l in open("A/.jsfs/log.jsonl"):
    m = json.loads(l)
    data = m["data"].encode() if "data" in m else base64.b64decode(m["data_b64"])
    if data != open("A/%d" % m["seq"], "rb").read(): print("message", m["seq"], "differs")
print("done")'`, "done\n"},
		{"so does Node", `node -e '
const fs = require("fs")
for (const l of fs.readFileSync("A/.jsfs/log.jsonl", "utf8").trimEnd().split("\n")) {
  const m = JSON.parse(l)
  const data = m.data !== undefined ? Buffer.from(m.data) : Buffer.from(m.data_b64, "base64")
  if (!data.equals(fs.readFileSync("A/" + m.seq))) console.log("message", m.seq, "differs")
}
console.log("done")'`, "done\n"},
		{"tail, head and grep", `tail -n 1 A/.jsfs/log.jsonl | grep -c '"data":"last'; head -n 1 A/.jsfs/log.jsonl | cut -c 1-8; grep -c '"line ' A/.jsfs/log.jsonl`, "1\n{\"seq\":2\n27\n"},
		{"cp", `cp A/.jsfs/log.jsonl ../copy && cmp ../copy A/.jsfs/log.jsonl && echo same`, "same\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "so does Node") {
				needs(t, "node")
			}
			if got := m.sh(c.script); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	for _, c := range []struct{ name, script string }{
		{"cat", `cat A/.jsfs/log.jsonl >> B/.jsfs/log.jsonl`},
		{"in small pieces", `dd if=A/.jsfs/log.jsonl bs=777 status=none | dd bs=777 iflag=fullblock status=none >> B/.jsfs/log.jsonl`},
		{"Python, line by line", `python3 -c '
with open("B/.jsfs/log.jsonl", "a") as f:
    for l in open("A/.jsfs/log.jsonl"): f.write(l); f.flush()'`},
		{"twice, and from the middle on", `tail -n 9 A/.jsfs/log.jsonl > ../tail; head -n 20 A/.jsfs/log.jsonl >> B/.jsfs/log.jsonl
			cat A/.jsfs/log.jsonl A/.jsfs/log.jsonl ../tail >> B/.jsfs/log.jsonl`},
		{"spelled otherwise", `python3 -c '
import json
with open("B/.jsfs/log.jsonl", "a") as f:
    for l in open("A/.jsfs/log.jsonl"):
        f.write(" " + json.dumps(json.loads(l), sort_keys=True, ensure_ascii=True) + "\n\n")'`},
	} {
		t.Run("written by "+c.name, func(t *testing.T) {
			m.sh(`if test -e B; then rm -r B; fi; mkdir B; ` + c.script)
			if got := m.sh(`cmp A/.jsfs/log.jsonl B/.jsfs/log.jsonl && diff <(ls -l --time-style=full-iso A) <(ls -l --time-style=full-iso B) && echo same`); got != "same\n" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A line that is refused ends the write before it, and errors has its number.
func TestALineThatIsRefused(t *testing.T) {
	m := mount(t)
	for _, c := range []struct{ name, line, reason string }{
		{"no JSON", `hello`, "EINVAL line 3: JSON line: not valid"},
		{"an unknown key", `{"data":"x","datum":1}`, `EINVAL line 3: JSON line: not valid: key "datum"`},
		{"another message's sequence", `{"seq":1,"time":"2026-01-01T00:00:00Z","subject":"s","data":"other"}`, "EEXIST line 3: sequence 1"},
		{"a header that acts", `{"data":"x","headers":"NATS/1.0\r\nNats-Rollup: all\r\n\r\n"}`, "EPERM line 3: denied by the stream's configuration: header Nats-Rollup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.sh(`if test -e S; then rm -r S; fi; mkdir S; printf '{"data":"1"}\n{"data":"2"}\n%s\n{"data":"4"}\n' ` + quoted(c.line) + ` > ../lines`)
			if r := m.try(`cat ../lines >> S/.jsfs/log.jsonl`); r.code == 0 {
				t.Error("cat says that all is well")
			}
			if got := m.sh(`cat S/0*; ls S | wc -l; tail -n 1 .jsfs/errors`); !strings.HasPrefix(got, "122\n") || !strings.Contains(got, "S/.jsfs/log.jsonl "+c.reason) {
				t.Errorf("got %q", got)
			}
		})
	}
	for _, script := range []string{`echo x > S/.jsfs/log.jsonl`, `truncate -s 0 S/.jsfs/log.jsonl`, `rm S/.jsfs/log.jsonl`, `mv ../lines S/.jsfs/log.jsonl`} {
		if r := m.try(script); r.code == 0 || m.sh(`ls S | wc -l`) != "2\n" {
			t.Errorf("%s: got %+v", script, r)
		}
	}
}

// TestTailFollowsJSONLines: what is removed while they are read leaves lines that can be parsed.
func TestTailFollowsJSONLines(t *testing.T) {
	needs(t, "python3")
	m := mount(t, withSource("mem:"))
	m.sh(`mkdir S; seq 40 >> S/.log`)
	f := m.follow(`tail -s 0.05 -n 5 -f S/.jsfs/log.jsonl | exec python3 -uc '
import json, sys
for l in iter(sys.stdin.readline, ""): print(json.loads(l)["data"], end="")'`)
	f.await("40\n")
	m.sh(`rm S/39 S/40; seq 41 45 >> S/.log`)
	f.await("45\n")
	m.sh(`rm S/44; rm S/45; seq 46 47 >> S/.log`)
	f.await("47\n")
	if got, want := strings.Join(f.printed(), ""), "36\n37\n38\n39\n40\n41\n42\n43\n44\n45\n46\n47\n"; got != want {
		t.Errorf("tail prints %q, want %q", got, want)
	}
	// While tail has it open, what was removed has its place: who begins in the middle of it reads spaces.
	got := m.sh(`tail -n 4 S/.jsfs/log.jsonl | python3 -c '
import json, sys
for l in sys.stdin: print(json.loads(l)["data"], end="")'`)
	if want := "42\n43\n46\n47\n"; got != want {
		t.Errorf("the last four lines are %q, want %q", got, want)
	}
}

// A second reader and writer for each kind of log: they are one stream.
func TestTheLogsOfAStreamAreWrittenAtOnce(t *testing.T) {
	m := mount(t, withArgs("--sync=interval"))
	n := scaled(30, 100, 500)
	m.sh(fmt.Sprintf(`mkdir S
		for i in $(seq %d); do echo "text $i" >> S/.log; done &
		for i in $(seq %d); do echo "{\"data\":\"json $i\"}" >> S/.jsfs/log.jsonl; done &
		for i in $(seq %d); do printf 'Subject: p\n\npost %%s' $i > S/.jsfs/post; done &
		wait`, n, n, n))
	for _, kind := range []string{"text", "json", "post"} {
		if got, want := m.sh(`grep -o '`+kind+` [0-9]*' S/.log | sort -k 2n -c && grep -c '`+kind+` ' S/.log`), fmt.Sprintf("%d\n", n); got != want {
			t.Errorf("%s: got %q, want %q", kind, got, want)
		}
	}
	eventually(t, patience, "the logs agree", func() bool {
		return m.sh(`wc -l < S/.log; wc -l < S/.jsfs/log.jsonl; ls S | wc -l`) == strings.Repeat(fmt.Sprintf("%d\n", 3*n), 3)
	})
}

// A stream that goes to another disk and back as files is the same stream, to the last byte of log.jsonl.
func TestFilesThatComeBackAreTheSameStream(t *testing.T) {
	t.Parallel()
	needs(t, "rsync", "tar")
	for _, c := range []struct{ name, script string }{
		{"cp -a", `cp -a A/0* ../disk/ && cp -a ../disk/0* B/`},
		{"cp -a of the directory", `cp -a A ../disk/ && cp -a ../disk/A/0* B/`},
		{"rsync -aX", `rsync -aX A/ ../disk/ && rsync -aX ../disk/ B/`},
		{"rsync -aX, which is interrupted, and again", `rsync -aX A/ ../disk/ && rsync -aX --include='00000000000?' --exclude='*' ../disk/ B/ && rsync -aX ../disk/ B/ && test "$(rsync -aXi ../disk/ B/ | grep -v '^[.]d')" = ""`},
		{"tar --xattrs", `tar --xattrs --xattrs-include='user.*' -C A -cf ../disk/t.tar . && tar --xattrs --xattrs-include='user.*' -C B -xf ../disk/t.tar`},
		{"tar through a pipe", `tar --xattrs --xattrs-include='user.*' -C A -cf - . | tar --xattrs --xattrs-include='user.*' -C ../disk -xf - && tar --sort=name --xattrs --xattrs-include='user.*' -C ../disk -cf - . | tar --xattrs --xattrs-include='user.*' -C B -xf -`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t)
			m.sh(variety)
			m.sh(`mkdir B ../disk; ` + c.script)
			if got := m.sh(`cmp A/.jsfs/log.jsonl B/.jsfs/log.jsonl && diff <(ls A) <(ls -A B) && echo same`); got != "same\n" {
				t.Errorf("got %q; %s", got, m.read(".jsfs/errors"))
			}
		})
	}
}

// The tools that follow a log follow its JSON lines, too.
func TestToolsFollowJSONLines(t *testing.T) {
	for _, c := range []struct{ name, flags, want string }{
		{"from the end", "-n 2 -f", "4 5 6 7 8"},
		{"from the beginning", "-n +1 -f", "1 2 3 4 5 6 7 8"},
		{"by name", "-n 2 -F", "4 5 6 7 8"},
		{"by bytes", "-c 90 -f", "5 6 7 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t, withSource("mem:"))
			m.sh(`mkdir S; seq 5 >> S/.log`)
			f := m.follow("exec tail -s 0.05 " + c.flags + " S/.jsfs/log.jsonl")
			last := func() string { return m.sh(`tail -n 1 S/.jsfs/log.jsonl`) }
			f.await(last())
			m.sh(`rm S/5; echo 6 >> S/.log`)
			f.await(last())
			m.sh(`rm S/1 S/6; seq 7 8 >> S/.log`)
			f.await(last())
			f.interrupt()
			if got := strings.TrimSpace(command{stdin: []byte(f.text())}.ok(t, `sed -nE 's/.*"data":"(.*).n"}$/\1/p' | tr '\n' ' '`)); got != c.want {
				t.Errorf("tail %s prints %q", c.flags, f.text())
			}
		})
	}
	m := mount(t, withSource("mem:"))
	got := m.sh(`mkdir S; seq 5 >> S/.log; wc -l < S/.jsfs/log.jsonl; head -c 7 S/.jsfs/log.jsonl; echo; grep -c data S/.jsfs/log.jsonl
		dd if=S/.jsfs/log.jsonl bs=64 2>/dev/null | cmp - S/.jsfs/log.jsonl && tac S/.jsfs/log.jsonl | wc -l`)
	if want := "5\n{\"seq\":\n5\n5\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestALineOfARemovedMessageIsRefused: a restore says which line it is, and goes on once the message is back, or its line left out.
func TestALineOfARemovedMessageIsRefused(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh(`mkdir S; seq 5 >> S/.log; cp S/.jsfs/log.jsonl ../backup; rm S/2 S/4; echo six > S/x
		! cat ../backup >> S/.jsfs/log.jsonl 2> ../said || wrong; grep -q 'File exists' ../said
		tail -n 1 .jsfs/errors | grep -q 'line 2: sequence 2: .*its message was removed'
		test "$(cat S/0* | tr '\n' ' ')" = "1 3 5 six "
		sed '/"seq":[24],/d' ../backup >> S/.jsfs/log.jsonl
		mv S/.jsfs/deleted/*2 S/; ! cat ../backup >> S/.jsfs/log.jsonl 2> ../said || wrong; tail -n 1 .jsfs/errors | grep -q 'line 4: sequence 4: '
		mv S/.jsfs/deleted/*4 S/; cat ../backup >> S/.jsfs/log.jsonl; test "$(cat S/0* | tr '\n' ' ')" = "1 2 3 4 5 six "
		mkdir T; cat ../backup >> T/.jsfs/log.jsonl; cmp ../backup T/.jsfs/log.jsonl`)
}
