package integration

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// trials chooses how often the trials under faults are repeated.
var trials = flag.String("trials", cmp.Or(os.Getenv("JSFS_TRIALS"), "ci"), "how long the trials are: quick, ci or release (default $JSFS_TRIALS)")

// scaled picks the count for the tier that -trials asks for.
func scaled(quick, ci, release int) int {
	switch *trials {
	case "quick":
		return quick
	case "release":
		return release
	}
	return ci
}

// bin is the binary under test, built once by TestMain; raceBuilt says that it has the race
// detector, which takes memory and time.
var (
	bin       string
	raceBuilt bool
)

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	flag.Parse()
	if signal.Ignored(os.Interrupt) { // as below `nohup … &`: what the tests start is to hear Ctrl-C all the same
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	dir, err := os.MkdirTemp("", "jsfs-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // other users run the binary too
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if os.Getenv("GORACE") == "" {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // else each command ends a second late
	}
	bin = os.Getenv("JSFS_BIN")
	if bin == "" {
		bin = filepath.Join(dir, "jsfs")
		if err := build(bin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if transport == "uring" {
		back, err := switchUring()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() {
			if err := back(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
	return m.Run()
}

// build makes the binary with the tags and the race detector that the tests were built
// with; JSFS_RACE=1 asks for the race detector in the binary alone.
func build(out string) error {
	args := []string{"build", "-o", out}
	race := os.Getenv("JSFS_RACE") == "1"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "-tags":
				args = append(args, "-tags="+s.Value)
			case "-race":
				race = race || s.Value == "true"
			}
		}
	}
	raceBuilt = race
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "jsfs/cmd/jsfs")...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, text)
	}
	return nil
}

// packages says which Debian package has a tool that the tests run.
var packages = map[string]string{
	"attr": "attr", "getfattr": "attr", "setfattr": "attr", "fusermount3": "fuse3", "ldconfig": "libc-bin",
	"less": "less", "node": "nodejs", "python3": "python3", "rsync": "rsync", "setpriv": "util-linux", "mkfs.ext4": "e2fsprogs", "lsattr": "e2fsprogs",
	"strace": "strace", "stress-ng": "stress-ng", "vim": "vim", "gcc": "gcc", "script": "bsdutils",
	"inotifywait": "inotify-tools",
}

// needs fails the test if one of the tools is not installed, and says how to get it.
func needs(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		pkg := packages[tool]
		if pkg == "" {
			pkg = tool
		}
		t.Fatalf("%s is not installed; run `make deps`, or `apt-get install %s`", tool, pkg)
	}
}
