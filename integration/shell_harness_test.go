package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shellTimeout bounds every command: what hangs fails its test.
const shellTimeout = 2 * time.Minute

// result is what a shell script did.
type result struct {
	out  string // standard output
	err  string // standard error
	code int    // exit code; 128 + n for signal n
}

// command says how to run a script: the zero value runs it as the tests' user, in the
// tests' directory.
type command struct {
	dir     string
	user    string // run as this user, with setpriv
	env     []string
	stdin   []byte
	timeout time.Duration // 0 is shellTimeout
}

// strict makes bash end a script at its first command that fails, and say which it was. Commands of a list with && but its last, and
// those behind `!`, are no such commands: what must fail is written `! command || wrong`.
const strict = `set -eE; shopt -s inherit_errexit; trap 'echo "this failed, line $LINENO: $BASH_COMMAND" >&2' ERR; ` +
	`wrong() { echo "line ${BASH_LINENO[0]}: this worked, and had to fail" >&2; exit 1; }; `

// strictly is run of a script that ends at its first command that fails.
func (c command) strictly(t testing.TB, script string) result {
	t.Helper()
	for _, at := range unguarded.FindAllStringIndex(script, -1) {
		if rest := strings.TrimSpace(script[at[1]:]); rest != "" && rest[0] != '}' && rest[0] != ')' {
			t.Fatalf("nobody looks at %q: write `! command || wrong`, in\n%s", script[at[0]:at[1]], script)
		}
	}
	return c.run(t, strict+script)
}

// unguarded finds a command that must fail, in the middle of a script, with nobody who looks whether it did.
var unguarded = regexp.MustCompile(`(?m)(?:^|;|\{|\(|&&|\bdo|\bthen)[ \t]*! [^;|&\n]*(?:\|[^;|&\n]+)*(?:;|\n|&&)`)

// run executes the script with `bash -c`. It fails the test if it can't be started or
// takes too long, and then kills all of it.
func (c command) run(t testing.TB, script string) result {
	t.Helper()
	if c.timeout == 0 {
		c.timeout = shellTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := c.command(ctx, t, script)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.Stdin = bytes.NewReader(c.stdin)
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("after %v this still ran:\n%s\nstdout: %s\nstderr: %s", c.timeout, script, out.String(), errOut.String())
	}
	r := result{out: out.String(), err: errOut.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		status := exit.Sys().(syscall.WaitStatus)
		r.code = status.ExitStatus()
		if status.Signaled() {
			r.code = 128 + int(status.Signal())
		}
	case err != nil:
		t.Fatalf("run %q: %v", script, err)
	}
	return r
}

// command builds the process that runs script, in a process group of its own.
func (c command) command(ctx context.Context, t testing.TB, script string) *exec.Cmd {
	t.Helper()
	args := []string{"bash", "-c", script}
	if c.user != "" {
		needs(t, "setpriv")
		args = append([]string{"setpriv", "--reuid=" + c.user, "--regid=" + groupOf(t, c.user), "--clear-groups"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "JSFS="+bin), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { // a jsfs that hangs says where first
		time.AfterFunc(2*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGQUIT)
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// groupOf returns the number of the user's group.
func groupOf(t testing.TB, user string) string {
	t.Helper()
	out, err := exec.Command("id", "-g", user).Output()
	if err != nil {
		t.Fatalf("id -g %s: %v", user, err)
	}
	return string(bytes.TrimSpace(out))
}

// ok runs the script, fails the test unless all of it succeeds, and returns its standard output.
func (c command) ok(t testing.TB, script string) string {
	t.Helper()
	r := c.strictly(t, script)
	if r.code != 0 {
		t.Fatalf("exit code %d of:\n%s\nstdout: %s\nstderr: %s", r.code, script, r.out, r.err)
	}
	return r.out
}

// sh runs a script that must succeed outside of any mount, and returns its output.
func sh(t testing.TB, script string) string {
	t.Helper()
	return command{}.ok(t, script)
}

// jsfs runs the binary with these arguments and returns what it did.
func jsfs(t testing.TB, args ...string) result {
	t.Helper()
	return command{}.run(t, `exec "$JSFS" `+quoted(args...))
}

// quoted returns the arguments quoted for a shell.
func quoted(args ...string) string {
	var b bytes.Buffer
	for i, a := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "'%s'", bytes.ReplaceAll([]byte(a), []byte("'"), []byte(`'\''`)))
	}
	return b.String()
}

// patience is how long something that must come is waited for. It bounds tests that hang and says nothing of speed: a machine with other
// work is many times slower.
const patience = time.Minute

// eventually waits until cond is true, and fails the test after the time given, which is patience but where more is promised.
func eventually(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// quick fails the test if something took longer than limit, unless the machine is slow just now: then it may take ten times as long as
// usual does, which is something like it.
func quick(t testing.TB, what string, took, limit time.Duration, usual func()) {
	t.Helper()
	if took <= limit {
		return
	}
	begun := time.Now()
	usual()
	if limit = max(limit, 10*time.Since(begun)); took > limit {
		t.Errorf("%s took %v, want %v at most", what, took, limit)
	}
}
