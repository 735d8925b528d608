package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// compareSources checks that each file is one message under its subject, byte for byte: it reads the
// list of files from standard input and walks the stream.
const compareSources = `
import hashlib, os, sys
src, stream = sys.argv[1], sys.argv[2]
want = {}
for path in sys.stdin.read().split('\n'):
    if path:
        want[path] = hashlib.sha256(open(os.path.join(src, path), 'rb').read()).hexdigest()
got = {}
for name in sorted(os.listdir(stream)):
    message = os.path.join(stream, name)
    subject = os.getxattr(message, 'user.jsfs.subject').decode()
    if subject in got:
        sys.exit('two messages on ' + subject)
    got[subject] = hashlib.sha256(open(message, 'rb').read()).hexdigest()
    if os.stat(message).st_size != os.stat(os.path.join(src, subject)).st_size:
        sys.exit('the size of ' + message + ' is wrong')
missing = sorted(set(want) - set(got))
extra = sorted(set(got) - set(want))
wrong = sorted(s for s in want if s in got and got[s] != want[s])
if missing or extra or wrong:
    sys.exit('missing %d %s, extra %d %s, wrong %d %s' % (len(missing), missing[:3], len(extra), extra[:3], len(wrong), wrong[:3]))
print(len(got))
`

// TestSourcesOfTheToolchain copies every Go source file of the toolchain in, one message each.
func TestSourcesOfTheToolchainComeBackByteForByte(t *testing.T) {
	t.Parallel()
	needs(t, "python3")
	root := strings.TrimSpace(sh(t, "go env GOROOT")) + "/src"
	every := scaled(20, 1, 1)
	list := command{dir: root}.ok(t, fmt.Sprintf("find . -name '*.go' -type f -printf '%%P\\n' | sort | awk 'NR %% %d == 0'", every))
	count := strings.Count(list, "\n")
	if count < 7000/every {
		t.Fatalf("%s has %d source files, want thousands", root, count*every)
	}
	m := mount(t, withArgs("--sync=interval"))
	m.sh("mkdir SRC")
	c := command{dir: root, stdin: []byte(list), env: []string{"M=" + m.dir}, timeout: 10 * time.Minute}
	c.ok(t, `while IFS= read -r f; do
		name=${f//%/%25}
		cp -- "$f" "$M/SRC/${name//\//%2F}" || { echo "cp $f" >&2; exit 1; }
	done`)
	eventually(t, patience, "every file is a message, the empty ones too", func() bool {
		return strings.TrimSpace(m.sh("ls SRC | wc -l")) == fmt.Sprint(count)
	})
	compare := func(when string) {
		t.Helper()
		r := c.run(t, "exec python3 -c "+quoted(compareSources, root, m.path("SRC")))
		if r.code != 0 || strings.TrimSpace(r.out) != fmt.Sprint(count) {
			t.Fatalf("%s: %d files in, %s out: %s", when, count, strings.TrimSpace(r.out), r.err)
		}
	}
	compare("after copying")
	if got, want := c.ok(t, `cat "$M"/SRC/net%2Fhttp%2Fserver.go | sha256sum; sha256sum < net/http/server.go`), 2; every == 1 {
		if l := strings.Fields(got); len(l) != 2*want || l[0] != l[2] {
			t.Errorf("read by its subject's name: %q", got)
		}
	}
	m.crash()
	compare("after kill -9 and a remount")
}
