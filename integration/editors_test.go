package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// editing is what people do with an editor, in a stream whose messages 1 and 2 are "one" and "two" on
// the subjects a and b, and which has a draft ".draft" with "draft".
var editing = []struct {
	name   string
	tools  []string
	script string   // $TERMINAL types keys
	screen string   // what the editor says
	want   []string // the messages afterwards
	draft  string
}{
	{"nano on a new name", []string{"nano"}, `$TERMINAL 'hello|\x0f|\r|\x18' nano -I S/new.subject`, "Wrote 1 line", []string{"one\n", "two\n", "hello\n"}, "draft\n"},
	{"nano on a subject", []string{"nano"}, `$TERMINAL 'X|\x0f|\r|\x18' nano -I S/a`, "Wrote 1 line", []string{"one\n", "two\n", "Xone\n"}, "draft\n"},
	{"nano on a message", []string{"nano"}, `$TERMINAL 'X|\x0f|\r|\x18|n' nano -I S/000000000001`, "Operation not permitted", []string{"one\n", "two\n"}, "draft\n"},
	{"nano on a draft", []string{"nano"}, `$TERMINAL 'X|\x0f|\r|\x18' nano -I S/.draft`, "Wrote 1 line", []string{"one\n", "two\n"}, "Xdraft\n"},
	{"nano that only looks", []string{"nano"}, `$TERMINAL '\x18' nano -I S/000000000002`, "two", []string{"one\n", "two\n"}, "draft\n"},
	{"vim on a new name", []string{"vim"}, `$TERMINAL 'ihello|\x1b|:wq\r' vim -u NONE S/new.subject`, "", []string{"one\n", "two\n", "hello\n"}, "draft\n"},
	{"vim with its swap file", []string{"vim"}, `$TERMINAL 'ihello|\x1b|:wq\r' vim -u DEFAULTS S/new.subject`, "", []string{"one\n", "two\n", "hello\n"}, "draft\n"},
	{"vim on a draft", []string{"vim"}, `$TERMINAL 'iX|\x1b|:wq\r' vim -u DEFAULTS S/.draft`, "", []string{"one\n", "two\n"}, "Xdraft\n"},
	{"vim on a message", []string{"vim"}, `$TERMINAL 'iX|\x1b|:w!\r|\r|:q!\r' vim -u DEFAULTS S/000000000001`, "", []string{"one\n", "two\n"}, "draft\n"},
	{"vim that only looks", []string{"vim"}, `$TERMINAL ':q\r' vim -u DEFAULTS S/2`, "two", []string{"one\n", "two\n"}, "draft\n"},
	{"sed -i on a subject", nil, `sed -i s/one/three/ S/a`, "", []string{"one\n", "two\n", "three\n"}, "draft\n"},
	{"sed -i on a draft", nil, `sed -i s/draft/better/ S/.draft`, "", []string{"one\n", "two\n"}, "better\n"},
}

// Editors append what was edited, once; they lose no message, and leave nothing behind.
func TestEditors(t *testing.T) {
	terminal, err := filepath.Abs("testdata/terminal.py")
	if err != nil {
		t.Fatal(err)
	}
	m := mount(t)
	for i, test := range editing {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			needs(t, append(test.tools, "python3")...)
			stream := fmt.Sprintf("E%d", i)
			c := m.command()
			c.env = append(c.env, "TERMINAL=python3 "+terminal, "E="+stream)
			c.ok(t, `mkdir $E; echo one > $E/a; echo two > $E/b; echo draft > $E/.draft`)
			r := c.run(t, strings.ReplaceAll(test.script, "S/", "$E/"))
			if !strings.Contains(r.out, test.screen) {
				t.Errorf("the screen has no %q: %q", test.screen, r.out)
			}
			if got := c.ok(t, `cat $E/.draft; rm $E/.draft`); got != test.draft {
				t.Errorf("the draft is %q, want %q", got, test.draft)
			}
			awaitMessages(t, m, stream, test.want)
			if t.Failed() {
				t.Logf("exit code %d\nstderr: %s\nerrors:\n%s", r.code, r.err, m.read(".jsfs/errors"))
			}
		})
	}
}

// Editors make and remove their own files beside a log that they have open, and compare its time before they save.
func TestDraftsLeaveTheLogsTime(t *testing.T) {
	m := mount(t)
	if got := m.sh(`mkdir S; echo one > S/x; was=$(stat -c %y S/.log S/.jsfs/log.jsonl S/.info); dir=$(stat -c %y S)
		echo draft > S/..log.swp; rm S/..log.swp
		test "$(stat -c %y S/.log S/.jsfs/log.jsonl S/.info)" = "$was" && echo same; test "$(stat -c %y S)" != "$dir" && echo the directory changed
		rm S/1; test "$(stat -c %y S/.log)" != "$(echo "$was" | head -n 1)" && echo changed`); got != "same\nthe directory changed\nchanged\n" {
		t.Errorf("got %q", got)
	}
}
