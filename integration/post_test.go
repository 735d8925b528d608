package integration

import (
	"strings"
	"testing"
)

// post takes a message with its subject and headers.
func TestPost(t *testing.T) {
	t.Parallel()
	needs(t, "getfattr", "python3")
	m := mount(t)
	m.sh(`mkdir S`)
	for _, c := range []struct{ name, script, want string }{
		{"printf", `printf 'Subject: a.b\nX: 1\nX: 2\n\nbody' > S/.jsfs/post`, `a.b NATS/1.0\r\nX: 1\r\nX: 2\r\n\r\n body`},
		{"a here-document", "cat > S/.jsfs/post <<END\nSubject: a.b\n\nbody\nof lines\nEND", `a.b  body\nof lines\n`},
		{"echo, line by line", `{ echo 'Subject: a.b'; echo 'X: 1'; echo; echo body; } > S/.jsfs/post`, `a.b NATS/1.0\r\nX: 1\r\n\r\n body\n`},
		{"appending", `printf 'Subject: a.b\n\n' >> S/.jsfs/post`, `a.b  `},
		{"cp", `printf 'Subject: c\n\n\0bin\377' > ../raw; cp ../raw S/.jsfs/post`, `c  \x00bin\xff`},
		{"cp -p", `cp -p ../raw S/.jsfs/post`, `c  \x00bin\xff`},
		{"dd byte by byte", `dd if=../raw of=S/.jsfs/post bs=1 status=none`, `c  \x00bin\xff`},
		{"Python", `python3 -c 'open("S/.jsfs/post", "w").write("Subject: d\r\nX: 1\r\n\r\nbody")'`, `d NATS/1.0\r\nX: 1\r\n\r\n body`},
		{"a large payload", `{ printf 'Subject: e\n\n'; head -c 3000000 /dev/zero; } > S/.jsfs/post`, `e  3000000`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.sh(c.script)
			got := m.sh(`python3 -c '
import base64, json, os
m = json.loads(open("S/.jsfs/log.jsonl").readlines()[-1])
data = m["data"].encode() if "data" in m else base64.b64decode(m["data_b64"])
data = len(data) if len(data) > 1000 else repr(data)[2:-1]
print(m["subject"], repr(m.get("headers", ""))[1:-1], data)'`)
			if got != c.want+"\n" {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := m.sh(`test $(stat -c %s S/.jsfs/post) = $(cat S/.jsfs/post | wc -c) && head -n 1 S/.jsfs/post`); got != "Write a message here:\n" {
		t.Errorf("reading it: %q", got)
	}
}

// What post refuses it refuses in write(2) where it can, so that bash's echo fails, and appends nothing.
func TestPostRefuses(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; echo '{"subjects":["a.>"],"allow_rollup_hdrs":true}' > S/.jsfs/config; echo one > S/a.x; echo two > S/a.y`)
	for _, c := range []struct{ name, text, reason string }{
		{"no subject", `hello\n\n`, "write S/.jsfs/post EINVAL line 1"},
		{"a subject that the stream does not take", `Subject: b\n\nx`, "write S/.jsfs/post EINVAL"},
		{"a line that is no header", `Subject: a.b\noops\n\nx`, "write S/.jsfs/post EINVAL line 2"},
		{"a rollup", `Subject: a.b\nNats-Rollup: all\n\nx`, "write S/.jsfs/post EPERM"},
		{"an expectation", `Subject: a.b\nNats-Expected-Last-Sequence: 2\n\nx`, "write S/.jsfs/post EPERM"},
		{"no blank line", `Subject: a.b\n`, "close S/.jsfs/post EINVAL"},
		{"an expectation that does not hold", `Jsfs-Apply: true\nSubject: a.b\nNats-Expected-Last-Sequence: 9\n\nx`, "write S/.jsfs/post ECANCELED"},
		{"one on a subject that does not hold", `Jsfs-Apply: true\nSubject: a.x\nNats-Expected-Last-Subject-Sequence: 2\n\nx`, "write S/.jsfs/post ECANCELED"},
		{"a TTL that the stream does not allow", `Subject: a.b\nNats-TTL: 5s\n\nx`, "write S/.jsfs/post EPERM"},
		{"a TTL that is none", `Subject: a.b\nNats-TTL: soon\n\nx`, "write S/.jsfs/post EINVAL header Nats-TTL"},
		{"a rollup that is none", `Jsfs-Apply: true\nSubject: a.b\nNats-Rollup: some\n\nx`, "write S/.jsfs/post EINVAL header Nats-Rollup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.sh(`printf '` + c.text + `' > ../raw`)
			r := m.try(`cat ../raw > S/.jsfs/post`)
			if strings.HasPrefix(c.reason, "write") && r.code == 0 {
				t.Error("cat says that all is well")
			}
			if got := m.sh(`ls S | wc -l; tail -n 2 .jsfs/errors`); !strings.HasPrefix(got, "2\n") || !strings.Contains(got, c.reason) {
				t.Errorf("got %q, want %q", got, c.reason)
			}
		})
	}
	m.sh(`: > S/.jsfs/post; printf 'Jsfs-Apply: true\nSubject: a.b\nNats-Rollup: all\n\nrolled up' > S/.jsfs/post`)
	if got := m.sh(`cat S/*`); got != "rolled up" {
		t.Errorf("after a rollup that shall act the stream has %q", got)
	}
}

// bash writes a line at a time and goes on after a refusal: what follows a head that was refused is refused for the same reason.
func TestPostKeepsItsReason(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; echo one > S/a`)
	for _, to := range []string{">", ">>"} {
		m.try(`printf 'Subject: a.b\nNats-Rollup: all\n\nSubject: a.b\n\nbody' ` + to + ` S/.jsfs/post; true`)
		if got := m.sh(`tail -n 1 .jsfs/errors; cat S/*`); !strings.Contains(got, "EPERM") || !strings.Contains(got, "Nats-Rollup") || !strings.HasSuffix(got, "\none\n") {
			t.Errorf("%s: got %q, want the refusal of the rollup, and message 1", to, got)
		}
	}
}

// A message with the same Nats-Msg-Id again is no second message.
func TestPostDropsWhatIsRepeated(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir S; for i in 1 2 3; do printf 'Subject: a\nNats-Msg-Id: 7\n\nbody' > S/.jsfs/post; done`)
	m.sh(`for i in 1 2; do echo '{"subject":"a","data":"body","headers":"NATS/1.0\r\nNats-Msg-Id: 7\r\n\r\n"}' >> S/.jsfs/log.jsonl; done`)
	if got := m.sh(`ls S | wc -l`); got != "1\n" {
		t.Errorf("there are %s messages, want 1", got)
	}
}
