package integration

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
)

// posixCases is what each case of go-fuse's posixtest gives here. Any change is to
// be looked at. "" passes; else it is what the case says when it fails, as it must where
// it makes files that are not messages.
var posixCases = map[string]struct {
	root bool // run it in the mount's root, and not in a stream
	want string
}{
	"AppendWrite":         {},
	"DirectIO":            {},
	"FdLeak":              {},
	"FileLarge":           {},
	"FcntlFlockSetLk":     {},
	"LseekEnxioCheck":     {},
	"LseekHoleSeeksToEOF": {},
	"MkdirRmdir":          {root: true},
	"ParallelFileOpen":    {},
	"ReadDirConsistency":  {},
	"TruncateFile":        {},

	// It expects one process to lock itself out, which go-fuse knows to be wrong.
	"FcntlFlockLocksFile": {want: "returned <nil>, expected EAGAIN"},
	// A file's mode is not the writer's.
	"FileBasic": {want: "got mode 100644, want 100755"},
	// Messages never change, and a name that was written to is one more message.
	"TruncateNoFile": {want: "Truncate: operation not permitted"},
	"ReadDirBasic":   {want: `got extra entry "000000000001"`},
	"NlinkZero":      {want: "Rename: rename"},
	"FstatDeleted":   {want: "0: invalid argument"},
	// There are no directories in a stream, and streams are not renamed.
	"DirSeek":                    {want: "operation not permitted"},
	"OpenAt":                     {want: "dir1: operation not permitted"},
	"RenameOpenDir":              {root: true, want: "operation not permitted"},
	"RenameOverwriteDestExist":   {want: "dir: operation not permitted"},
	"RenameOverwriteDestNoExist": {want: "dir: operation not permitted"},
	// There are no links.
	"Link":             {want: "operation not permitted"},
	"LinkUnlinkRename": {want: "operation not permitted"},
	"OpenSymlinkRace":  {want: "operation not permitted"},
	"SetattrSymlink":   {want: "operation not permitted"},
	"SymlinkReadlink":  {want: "operation not permitted"},
	// A message's length is what was written.
	"Fallocate":         {want: "operation not supported"},
	"FallocateKeepSize": {want: "operation not supported"},
	"Tmpfile":           {want: "does not support O_TMPFILE"},
	// Attributes are user.jsfs.* only.
	"XAttr":      {want: "does not support xattrs"},
	"XAttrLarge": {want: "operation not supported"},
}

// posixCase, in the environment, makes TestPosixCase run that case in a directory. A
// case that fails fails its own process.
const posixCase, posixDir = "JSFS_POSIX_CASE", "JSFS_POSIX_DIR"

func TestPosixCase(t *testing.T) {
	if name := os.Getenv(posixCase); name != "" {
		posixtest.All[name](t, os.Getenv(posixDir))
	}
}

func TestPosix(t *testing.T) {
	m := mount(t, withArgs("--log-level=error"))
	for _, name := range slices.Sorted(maps.Keys(posixtest.All)) {
		t.Run(name, func(t *testing.T) {
			c, ok := posixCases[name]
			if !ok {
				t.Fatal("it is new: look at what it gives, and enter it in the table")
			}
			dir := m.dir
			if !c.root {
				dir = m.path(name)
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestPosixCase$", "-test.v", "-test.timeout=100s")
			cmd.Env = append(os.Environ(), "JSFS_BIN="+bin, posixCase+"="+name, posixDir+"="+dir)
			text, err := cmd.CombinedOutput()
			got := string(text)
			switch {
			case c.want == "" && (err != nil || strings.Contains(got, "--- SKIP")):
				t.Errorf("got %v\n%s\nwant it to pass", err, got)
			case c.want != "" && !strings.Contains(got, c.want):
				t.Errorf("got %v\n%s\nwant %q", err, got, c.want)
			}
		})
	}
	for name := range posixCases {
		if posixtest.All[name] == nil {
			t.Errorf("the table has %s, which posixtest has not", name)
		}
	}
	m.sh("for s in */; do test $(ls $s | grep -c ^0) = $(ls -f $s | grep -c ^0) || exit 1; done")
	if got := m.sh("cat .jsfs/errors | grep -c 'a bug in jsfs' || true"); got != "0\n" {
		t.Errorf("handlers that panicked: got %s, want 0", got)
	}
}

// stressCases are stress-ng's stressors of directories and files, and what they may
// complain of: they make directories in directories, want files to be gone that were
// messages, or write more than a message takes.
var stressCases = []struct {
	name string
	may  []string
}{
	{"dentry", []string{"Directory not empty"}},
	{"dir", []string{"Operation not permitted"}},
	{"dirmany", []string{"Directory not empty"}},
	{"filename", []string{"Invalid argument", "Directory not empty", "stat succeeded on non-existent"}},
	{"getdent", nil},
	{"hdd", []string{"File too large", "Directory not empty"}},
	{"open", []string{"Directory not empty"}},
	{"touch", []string{"Directory not empty"}},
	{"fstat", nil},
}

func TestStress(t *testing.T) {
	needs(t, "stress-ng")
	m := mount(t, withArgs("--log-level=error"))
	m.fill("KEPT", 100)
	seconds := scaled(1, 7, 60)
	for _, c := range stressCases {
		t.Run(c.name, func(t *testing.T) {
			r := m.try(fmt.Sprintf("timeout %d stress-ng --%s 2 --verify --temp-path %s -t %d 2>&1",
				seconds+60, c.name, quoted(m.dir), seconds))
			for line := range strings.Lines(r.out) {
				if strings.Contains(line, "fail:") && !slices.ContainsFunc(c.may, func(s string) bool { return strings.Contains(line, s) }) {
					t.Errorf("stress-ng says %s", line)
				}
			}
			if r.code > 3 {
				t.Errorf("exit code: got %d, %s", r.code, r.out)
			}
			if got, want := m.sh("cat KEPT/* | cmp - KEPT/.log && ls KEPT | wc -l"), "100\n"; got != want {
				t.Errorf("what was there before: got %q, want %q", got, want)
			}
			eventually(t, patience, "what it left can be removed", func() bool { // an empty message comes a moment after its close
				return m.try("rm -rf tmp-stress-ng-*").code == 0
			})
		})
	}
	if got := m.sh("grep -c 'a bug in jsfs' .jsfs/errors || true"); got != "0\n" {
		t.Errorf("handlers that panicked: got %s, want 0", got)
	}
	m.remount()
	if got, want := m.sh("cat KEPT/* | cmp - KEPT/.log && ls"), "KEPT\n"; got != want {
		t.Errorf("after a remount: got %q, want %q", got, want)
	}
}
