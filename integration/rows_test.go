package integration

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// designTables are the tables of the design that say what names and writes mean, by section and table, with how many
// rows each has. The scripts in testdata/rows say which row they are for: `# design: 2.1.3 follow` is the third of 2.1.
var designTables = map[string]int{
	"1.1": 4,  // what can be mounted
	"2.1": 10, // .jsfs of every message directory
	"2.2": 4,  // .jsfs of a stream
	"2.3": 4,  // .jsfs of the root
	"3.1": 6,  // what appends
}

// rowScripts returns the scripts in testdata/rows, by name, and what they say that they are for.
func rowScripts(t *testing.T) (scripts []string, rows map[string]bool) {
	t.Helper()
	scripts, err := filepath.Glob("testdata/rows/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in testdata/rows: %v", err)
	}
	rows = map[string]bool{}
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^# ((?:design|layout): .+)$`).FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s does not say what it is for", name)
		}
		for _, f := range found {
			rows[f[1]] = true
		}
	}
	return scripts, rows
}

// layoutRows returns the rows of the tables of docs/layout.md: `section: first cell`, without the back quotes.
func layoutRows(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/layout.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	section, table := "", ""
	for line := range strings.Lines(strings.ReplaceAll(string(page), "`", "")) {
		cells := strings.Split(line, "|")
		switch heading, ok := strings.CutPrefix(line, "## "); {
		case ok:
			section = strings.TrimSpace(heading)
		case len(cells) < 3:
			table = ""
		case table == "": // the table's head
			table = section
			if head := strings.TrimSpace(cells[1]); head != "name" {
				table = head
			}
		case !strings.Contains(cells[1], "---"):
			rows = append(rows, table+": "+strings.TrimSpace(cells[1]))
		}
	}
	return rows
}

// Each name in a mount, and each way to write, has a script; and no script is for something else.
func TestEachRowHasAScript(t *testing.T) {
	_, said := rowScripts(t)
	var want []string
	for table, n := range designTables {
		for i := range n {
			want = append(want, fmt.Sprintf("design: %s.%d", table, i+1))
		}
	}
	for _, row := range layoutRows(t) {
		want = append(want, "layout: "+row)
	}
	var got []string
	for row := range maps.Keys(said) {
		if strings.HasPrefix(row, "design: ") {
			row = strings.Join(strings.Fields(row)[:2], " ")
		}
		got = append(got, row)
	}
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("no script in testdata/rows is for `%s`", row)
		}
	}
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("a script in testdata/rows is for `%s`, and there is no such row", row)
		}
	}
}

// lookAtAll prints all that is listed in streams: a file's name, inode, size and content. Not consumers, which go on by themselves.
const lookAtAll = `for s in *; do find $s $s/.jsfs -path $s/.jsfs/consumers -prune -o \( -type f -o -type l \) -printf '%p %i %s %l\n'
	find $s $s/.jsfs -path $s/.jsfs/consumers -prune -o -type f -exec md5sum {} +; stat -c '%n %y' $s/0* || true; done 2> /dev/null | sort`

// Each script holds on a block store and on a memory store; what it leaves on the first is seen the same on a read-only mount.
func TestRows(t *testing.T) {
	t.Parallel()
	needs(t, "getfattr", "python3", "rsync")
	scripts, _ := rowScripts(t)
	for _, name := range scripts {
		script, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, engine := range []string{"block", "mem"} {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".sh")+" "+engine, func(t *testing.T) {
				t.Parallel()
				var opts []option
				if engine == "mem" {
					opts = append(opts, withSource("mem:"))
				}
				m := mount(t, opts...)
				dir := scratch(t)
				c := m.command()
				c.env = append(c.env, "T="+dir)
				if r := c.strictly(t, ". "+quoted(filepath.Join(filepath.Dir(script), "lib.bash"))+"; . "+quoted(script)); r.code != 0 {
					t.Fatalf("exit code %d\nstdout: %s\nstderr: %s\nerrors: %s", r.code, r.out, r.err, lastBytes(m.read(".jsfs/errors"), 600))
				}
				if engine == "mem" {
					return
				}
				want := m.sh(lookAtAll)
				m.stop()
				m.args = append(m.args, "-o", "ro")
				m.start()
				if got := m.sh(lookAtAll); got != want {
					t.Errorf("a read-only mount shows\n%sand not\n%s", difference(got, want), difference(want, got))
				}
			})
		}
	}
}
