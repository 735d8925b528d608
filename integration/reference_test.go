package integration

import (
	"fmt"
	"regexp"
	"testing"
)

// referenceRow is one row of what a stream does: a script for the stream S, which is new and empty, in the root of a mount. It must
// succeed, and every command in it.
type referenceRow struct {
	name, script string
	// after is run when the server was killed and the store mounted again.
	after string
}

// referenceWords are what the scripts are written in.
const referenceWords = `set -e
is() { test "$1" = "$2" || { echo "got <$1>, want <$2>" >&2; exit 1; }; }
no() { if "$@" > ../said 2>&1; then echo "not refused: $*" >&2; exit 1; fi; } # a command that must fail
because() { tail -n 1 .jsfs/errors | grep -qF -- "$1" || { echo "the reason is $(tail -n 1 .jsfs/errors), want <$1>" >&2; exit 1; }; }
put() { # put SUBJECT TEXT HEADER...: appends a message, whose headers act
	local on=$1 text=$2; shift 2
	printf '%s\n' 'Jsfs-Apply: true' "Subject: $on" "$@" '' "$text" > ../raw; cp ../raw S/.jsfs/post
}
lines() { printf '%s\n' "$@" > ../lines; cat ../lines >> S/.jsfs/log.jsonl; }
conf() { echo "$1" > ../conf; cp ../conf S/.jsfs/config; }
ctl() { echo "$*" > ../command; cp ../command S/.jsfs/ctl; }
seqs() { ls "${1:-S}" | sed 's/^0*//' | tr '\n' ' ' | sed 's/ $//'; } # the messages of a directory
num() { sed -n 's/^ *"'"$1"'": \([0-9]*\).*/\1/p' "${2:-S/.info}"; }  # a number of an info file
numbers() { echo "$(num messages "$@") $(num first_seq "$@") $(num last_seq "$@")"; }
edge() { readlink "$2/.jsfs/$1" | sed 's/.*\///; s/^0*//'; }          # edge first DIRECTORY, or last
gone() { local i; for i in $(seq 1000); do test -e "$1" || return 0; sleep 0.05; done; echo "$1 is still there" >&2; return 1; }
`

// referenceState prints all that a mount has: it must be the same after a crash.
const referenceState = `for s in *; do echo "$s"; cat "$s/.info" "$s/.jsfs/config" "$s/.jsfs/log.jsonl"; ls "$s/.jsfs/deleted" "$s/.jsfs/consumers"; done`

// runReference runs the rows on both engines, and on the block store with encryption and compression; kills the server, and looks
// whether anything that was done is forgotten.
func runReference(t *testing.T, rows []referenceRow) {
	t.Parallel()
	for _, engine := range []struct {
		name string
		opts []option
	}{
		{"block store", []option{withArgs("-o", "keep_limits=yes")}},
		{"encrypted and compressed", []option{withArgs("--sync=interval", "--key-file", "key", "-o", "cipher=chacha20,compression=s2,block_size=16K")}},
		{"memory store", []option{withSource("mem:")}},
	} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			m := mount(t, append(engine.opts, withKey)...)
			for i, row := range rows {
				t.Run(row.name, func(t *testing.T) {
					m.reference(t, "mkdir S; "+row.script, i)
				})
			}
			if m.store == "" {
				return
			}
			before := m.sh(referenceState)
			m.crash()
			if got := m.sh(referenceState); got != before {
				t.Errorf("after kill -9 there is\n%s\nbefore there was\n%s", got, before)
			}
			for i, row := range rows {
				t.Run(row.name+", after kill -9", func(t *testing.T) {
					m.reference(t, row.after, i)
				})
			}
		})
	}
}

// reference runs a script of a row on the i-th stream.
func (m *mnt) reference(t *testing.T, script string, i int) {
	t.Helper()
	r := m.command().run(t, onStream(referenceWords+script, fmt.Sprintf("S%d", i)))
	if r.code != 0 {
		t.Errorf("exit code %d\nstdout: %s\nstderr: %s\nerrors: %s", r.code, r.out, r.err, lastBytes(m.read(".jsfs/errors"), 600))
	}
}

var streamName = regexp.MustCompile(`\bS\b`)

// onStream is a script for stream S on another stream.
func onStream(script, stream string) string { return streamName.ReplaceAllString(script, stream) }
