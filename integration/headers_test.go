package integration

import (
	"strings"
	"testing"
)

// headersOf prints subject, headers and payload of the newest message.
const headersOf = `python3 -c '
import json
m = json.loads(open("B/.jsfs/log.jsonl").readlines()[-1])
print(m["subject"], repr(m.get("headers", ""))[1:-1], m["data"].strip())'`

// Headers of a message that is appended are set as attributes, before the close.
func TestHeadersAreSetAsAttributes(t *testing.T) {
	t.Parallel()
	needs(t, "python3", "rsync", "setfattr")
	m := mount(t)
	m.sh(`mkdir A B; printf 'Subject: a\nX: 1\nX: 2\n\none' > A/.jsfs/post; echo plain > A/b; printf 'Subject: c\nNats-Msg-Id: 7\n\nid' > A/.jsfs/post`)
	for _, c := range []struct{ name, script, want string }{
		{"by descriptor", `python3 -c '
import os
with open("B/x", "w") as f:
    os.setxattr(f.fileno(), "user.jsfs.header.Kind", b"red"); f.write("body")
    os.setxattr(f.fileno(), "user.jsfs.header.Age", b"7")'`, `x NATS/1.0\r\nAge: 7\r\nKind: red\r\n\r\n body`},
		{"by path", `python3 -c '
import os
with open("B/x", "w") as f: os.setxattr("B/x", "user.jsfs.header.Kind", b"red"); f.write("body")'`, `x NATS/1.0\r\nKind: red\r\n\r\n body`},
		{"one is taken away", `python3 -c '
import os
with open("B/x", "w") as f:
    for k in ("A", "B"): os.setxattr("B/x", "user.jsfs.header." + k, b"1")
    os.removexattr("B/x", "user.jsfs.header.A"); f.write("body")'`, `x NATS/1.0\r\nB: 1\r\n\r\n body`},
		{"a message is copied to a subject", `cp --preserve=xattr A/1 B/copied`, `copied NATS/1.0\r\nX: 1\r\nX: 2\r\n\r\n one`},
		{"a message without headers", `cp --preserve=xattr A/2 B/copied`, `copied  plain`},
		{"in the directory of a subject", `cp --preserve=xattr A/1 B/.jsfs/subjects/in/letter`, `in NATS/1.0\r\nX: 1\r\nX: 2\r\nJsfs-Filename: letter\r\n\r\n one`},
		{"rsync, over a draft", `rsync -X A/000000000001 B/synced`, `synced NATS/1.0\r\nX: 1\r\nX: 2\r\n\r\n one`},
		{"a draft that is renamed", `echo d > B/.d; setfattr -n user.jsfs.header.K -v v B/.d; mv B/.d B/renamed`, `renamed NATS/1.0\r\nK: v\r\n\r\n d`},
		{"a restored message", `n=$(($(ls B | tail -n 1 | sed 's/^0*//') + 1)); N=$n python3 -c '
import os
n = os.environ["N"]
with open("B/" + n, "w") as f:
    for k, v in (("seq", n), ("subject", "back"), ("header.K", "v"), ("header.Nats-Rollup", "all")): os.setxattr(f.fileno(), "user.jsfs." + k, v.encode())
    f.write("body")'`, `back NATS/1.0\r\nK: v\r\nNats-Rollup: all\r\n\r\n body`},
		{"a time besides", `cp --preserve=xattr,timestamps A/1 B/timed; cp --preserve=xattr,timestamps B/timed B/again`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.sh(c.script)
			got := strings.TrimSuffix(m.sh(headersOf), "\n")
			if c.want != "" && got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if c.want == "" && strings.Count(got, "Jsfs-Mtime") != 1 {
				t.Errorf("got %s, want Jsfs-Mtime once", got)
			}
		})
	}
	m.sh(`n=$(ls B | wc -l); cp --preserve=xattr A/3 B/c; cp --preserve=xattr A/3 B/c; test $(ls B | wc -l) = $((n + 1))`)
	for _, script := range []string{
		`setfattr -n user.jsfs.header.K -v v B/x`,
		`python3 -c 'import os; f = open("B/x", "w"); f.write("body"); f.flush(); os.setxattr(f.fileno(), "user.jsfs.headers", b"nonsense"); f.close()'`,
		`python3 -c 'import os; f = open("B/x", "w"); f.write("body"); f.flush(); os.setxattr(f.fileno(), "user.jsfs.header.Nats-Rollup", b"all"); f.close()'`,
		`echo d > B/.d; setfattr -n user.jsfs.header.Nats-Rollup -v all B/.d; mv B/.d B/x`,
	} {
		before := m.sh(`ls B/0* | wc -l`)
		if r := m.try(script); r.code == 0 || m.sh(`ls B/0* | wc -l`) != before {
			t.Errorf("%s: got %+v", script, r)
		}
	}
}
